// `cleave ocdbt gc|compact`: what takes space and is not needed.
#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/ocdbt_database.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "ocdbt/compact.h"
#include "ocdbt/garbage.h"

namespace cleave::cli {
namespace {

using ocdbt::GarbageReport;

Json VersionsJson(const GarbageReport& report) {
  Json list = Json::array();
  for (const GarbageReport::Versions& versions : report.versions) {
    list.push_back({{"branch", versions.branch.empty() ? Json() : Json(versions.branch)},
                    {"kept", versions.kept},
                    {"kept_for_format", versions.kept_for_format},
                    {"removed", versions.removed}});
  }
  return list;
}

std::string ReportText(const GarbageReport& report, bool dry_run) {
  const char* would = dry_run ? "would be " : "";
  std::string text;
  for (const GarbageReport::Versions& versions : report.versions) {
    const std::string name = versions.branch.empty() ? "the database" : absl::StrCat("branch ", versions.branch);
    absl::StrAppendFormat(&text, "versions of %s: %d kept (%d because the format needs them), %d %sremoved\n", name,
                          versions.kept, versions.kept_for_format, versions.removed, would);
  }
  absl::StrAppendFormat(&text, "kept by names: %d tags, %d pins; %d writers at work\n", report.tags, report.pins,
                        report.writers);
  for (const std::string& fill : report.open_fills) {
    absl::StrAppend(&text, "the fill ", fill, " is not committed; its finished parts are kept\n");
  }
  absl::StrAppendFormat(&text, "data files: %d, of which %d are needed\n", report.files, report.needed);
  absl::StrAppendFormat(&text, "%d more %smarked, %d wait, %d %sremoved (%s)\n", report.marked_now, would,
                        report.waiting, report.removed.size(), would, BytesText(report.removed_bytes));
  for (const std::string& file : report.removed) {
    absl::StrAppend(&text, "  ", KeyText(file), "\n");
  }
  if (report.next) {
    absl::StrAppend(&text, "the next ones can go at ", TimeText(*report.next), "\n");
  }
  return text;
}

class OcdbtGcCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt gc", "", "Remove the files that nothing needs; and old versions, when asked to",
            "cleave ocdbt gc store\ncleave ocdbt gc store --keep-newest 100 --delete\n"
            "cleave ocdbt gc store --keep-since 2026-01-31T12:00:00Z --delete"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_, /*with_branch=*/false);
    app.add_flag("--delete", delete_, "Do it; without this, say what would be done");
    app.add_option("--keep-newest", keep_newest_, "Remove versions but for the newest so many, of each branch too")
        ->check(CLI::PositiveNumber);
    app.add_option("--keep-since", keep_since_, "Remove versions that were replaced before this time")
        ->type_name("TIME");
    app.add_option("--grace", grace_,
                   "How long a file must have been seen unneeded: longer than any TensorStore commit or reader takes")
        ->capture_default_str()
        ->type_name("DURATION");
    app.add_option("--prefix", prefixes_, "Look at data files whose names begin so, too. May be given again")
        ->type_name("TEXT ...");
  }

  absl::Status Run(Console& console) override {
    ocdbt::GarbageOptions options;
    options.dry_run = !delete_;
    options.more_prefixes = prefixes_;
    if (keep_newest_ > 0) {
      options.keep.newest = keep_newest_;
    }
    if (!keep_since_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(options.keep.since, Named("--keep-since", ParseTime(keep_since_)));
    }
    if (!absl::ParseDuration(grace_, &options.grace) || options.grace < absl::ZeroDuration()) {
      return absl::InvalidArgumentError(absl::StrCat("--grace: '", grace_, "' is no duration such as 36h or 90m"));
    }
    if (!prefixes_.empty() && !text_.fork_of.empty()) {
      return absl::InvalidArgumentError("--prefix is not for forks: it could name files of the base");
    }
    CLEAVE_ASSIGN_OR_RETURN(const OpenedDatabase opened, OpenDatabase(text_, Access::kRead));
    CLEAVE_ASSIGN_OR_RETURN(const GarbageReport report,
                            ocdbt::CollectGarbage(*opened.database, options, console.progress()));
    Json removed = Json::array();
    for (const std::string& file : report.removed) {
      removed.push_back(KeyText(file));
    }
    console.Show({{"dry_run", options.dry_run},
                  {"versions", VersionsJson(report)},
                  {"tags", report.tags},
                  {"pins", report.pins},
                  {"writers", report.writers},
                  {"open_fills", report.open_fills},
                  {"files", report.files},
                  {"needed", report.needed},
                  {"marked_now", report.marked_now},
                  {"waiting", report.waiting},
                  {"removed", std::move(removed)},
                  {"removed_bytes", report.removed_bytes},
                  {"next", report.next ? Json(TimeText(*report.next)) : Json()}},
                 ReportText(report, options.dry_run));
    if (options.dry_run) {
      console.Note("nothing was changed; --delete does it");
    }
    return absl::OkStatus();
  }

 private:
  DatabaseText text_;
  bool delete_ = false;
  uint64_t keep_newest_ = 0;
  std::string keep_since_;
  std::string grace_ = "24h";
  std::vector<std::string> prefixes_;
};

class OcdbtCompactCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt compact", "", "Write the newest version anew, dense and in key order, as a new version",
            "cleave ocdbt compact store\ncleave ocdbt compact store --all\n"
            "cleave ocdbt gc store --keep-newest 1 --delete"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_);
    app.add_option("--live-below", options_.live_fraction,
                   "Move values out of data files of which the newest version needs less than this part")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 1.0));
    app.add_flag("--all", all_, "Move all values, whatever the files hold");
  }

  absl::Status Run(Console& console) override {
    options_.all_values = all_;
    CLEAVE_ASSIGN_OR_RETURN(const OpenedDatabase opened, OpenDatabase(text_, Access::kWrite));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::CompactReport report,
                            ocdbt::CompactDatabase(*opened.database, options_, console.progress()));
    const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
    console.Show(
        {{"generation", report.generation.value},
         {"changed", report.changed},
         {"keys", report.keys},
         {"values_moved", report.values_moved},
         {"value_bytes_moved", report.value_bytes_moved},
         {"files_before", report.files_before},
         {"files_after", report.files_after},
         {"seconds", {{"total", seconds}}}},
        absl::StrFormat("version %d: %d keys, %d values (%s) moved; the newest version needs %d files, it was "
                        "%d; %.2f s\nthe old files go with 'gc' once no version needs them\n",
                        report.generation.value, report.keys, report.values_moved, BytesText(report.value_bytes_moved),
                        report.files_after, report.files_before, seconds));
    return absl::OkStatus();
  }

 private:
  DatabaseText text_;
  ocdbt::CompactOptions options_;
  bool all_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeOcdbtCompactCommand() { return std::make_unique<OcdbtCompactCommand>(); }
std::unique_ptr<Command> MakeOcdbtGcCommand() { return std::make_unique<OcdbtGcCommand>(); }

}  // namespace cleave::cli
