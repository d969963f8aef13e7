// `cleave ocdbt versions|tag|branch|diff`: the history of a database and its names.
#include <map>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/ocdbt_database.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "ocdbt/branch.h"
#include "ocdbt/diff.h"
#include "store/key_text.h"

namespace cleave::cli {
namespace {

using ocdbt::NamedVersion;
using ocdbt::NameKind;

std::string VersionLine(const ocdbt::Version& version, const std::string& names) {
  const ocdbt::Statistics& statistics = version.root.statistics;
  return absl::StrFormat("%10d  %-30s  %12s keys  %10s  %s\n", version.generation.value, CommitTimeText(version),
                         CountText(static_cast<int64_t>(statistics.num_keys)),
                         BytesText(statistics.num_tree_bytes + statistics.num_indirect_value_bytes), names);
}

class OcdbtVersionsCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt versions", "", "List the versions with time and size, oldest first",
            "cleave ocdbt versions store\ncleave ocdbt versions store --newest 20 --json"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_);
    app.add_option("--newest", newest_, "Only the newest so many; 0: all")->capture_default_str();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const OpenedDatabase opened, OpenDatabase(text_, Access::kRead));
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, opened.database->Newest());
    ocdbt::VersionRange range;
    if (newest_ > 0 && newest.generation().value > newest_) {
      range.first.value = newest.generation().value - newest_ + 1;
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<ocdbt::Version> versions, opened.database->ListVersions(range));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedVersion> tags,
                            ocdbt::ListNamedVersions(opened.store, NameKind::kTag));
    Json list = Json::array();
    std::string lines;
    for (const ocdbt::Version& version : versions) {
      std::vector<std::string> names;
      for (const NamedVersion& tag : tags) {
        if (tag.version == version) {
          names.push_back(tag.name);
        }
      }
      Json json = VersionJson(version);
      json["tags"] = names;
      list.push_back(std::move(json));
      lines += VersionLine(version, absl::StrJoin(names, " "));
    }
    console.Show({{"branch", text_.branch.empty() ? Json() : Json(text_.branch)}, {"versions", std::move(list)}},
                 lines);
    return absl::OkStatus();
  }

 private:
  DatabaseText text_;
  uint64_t newest_ = 0;
};

// Both kinds of names have the same three tasks: list, make, delete.
class NameCommand : public Command {
 public:
  explicit NameCommand(NameKind kind) : kind_(kind) {}

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_);
    CLI::Option* name = app.add_option("NAME", name_, "The name; without it, all are listed");
    CLI::Option* version =
        app.add_option("--version", version_, "The version: a number, a time, or a tag; default: the newest")
            ->type_name("VERSION")
            ->needs(name);
    app.add_flag("--delete", delete_, "Delete the name; 'gc' then removes what only it needed")
        ->needs(name)
        ->excludes(version);
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const OpenedDatabase opened, OpenDatabase(text_, Access::kRead));
    if (name_.empty()) {
      return List(opened, console);
    }
    const std::string kind(ocdbt::TextOf(kind_));
    if (delete_) {
      CLEAVE_RETURN_IF_ERROR(ocdbt::DeleteName(opened.store, kind_, name_));
      console.Show({{kind, name_}, {"deleted", true}}, absl::StrCat("deleted ", kind, " ", name_, "\n"));
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot snapshot, FindVersion(*opened.database, version_));
    const ocdbt::GenerationNumber generation = snapshot.generation();
    CLEAVE_RETURN_IF_ERROR(kind_ == NameKind::kTag ? ocdbt::CreateTag(*opened.database, name_, generation)
                                                   : ocdbt::CreateBranch(*opened.database, name_, generation));
    CLEAVE_ASSIGN_OR_RETURN(const auto named, ocdbt::OpenName(opened.store, kind_, name_, opened.database->options()));
    const Json spec = Json::parse(named->KvStoreSpec(), nullptr, /*allow_exceptions=*/false);
    console.Show({{kind, name_}, {"generation", generation.value}, {"kvstore", spec.is_discarded() ? Json() : spec}},
                 absl::StrCat("made ", kind, " ", name_, " of version ", generation.value, "\n"));
    return absl::OkStatus();
  }

 private:
  absl::Status List(const OpenedDatabase& opened, Console& console) const {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedVersion> names, ocdbt::ListNamedVersions(opened.store, kind_));
    Json list = Json::array();
    std::string lines;
    for (const NamedVersion& named : names) {
      Json json = {{"name", named.name}};
      json.update(VersionJson(named.version));
      list.push_back(std::move(json));
      lines += VersionLine(named.version, named.name);
    }
    const std::string plural = kind_ == NameKind::kTag ? "tags" : "branches";
    console.Show({{plural, std::move(list)}}, lines.empty() ? absl::StrCat("no ", plural, "\n") : lines);
    return absl::OkStatus();
  }

  const NameKind kind_;
  DatabaseText text_;
  std::string name_;
  std::string version_;
  bool delete_ = false;
};

class OcdbtTagCommand final : public NameCommand {
 public:
  OcdbtTagCommand() : NameCommand(NameKind::kTag) {}
  CommandText text() const override {
    return {"ocdbt tag", "", "Name a version, list the tags, or delete one",
            "cleave ocdbt tag store release-1 --version 7\ncleave ocdbt tag store\n"
            "cleave ocdbt tag store release-1 --delete"};
  }
};

class OcdbtBranchCommand final : public NameCommand {
 public:
  OcdbtBranchCommand() : NameCommand(NameKind::kBranch) {}
  CommandText text() const override {
    return {"ocdbt branch", "", "Begin a branch at a version, list the branches, or delete one",
            "cleave ocdbt branch store try --version 7\ncleave ocdbt put store greeting hello --branch try\n"
            "cleave ocdbt branch store"};
  }
};

class OcdbtDiffCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt diff", "", "Tell the keys that differ between two versions",
            "cleave ocdbt diff store 7 9\ncleave ocdbt diff store release-1 try --prefix 8_8_40/\n"
            "cleave ocdbt diff store try@12 try --json"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_, /*with_branch=*/false);
    constexpr char kWhat[] = "a number, a time, a tag, a branch (its newest version), or BRANCH@VERSION";
    app.add_option("FROM", from_, absl::StrCat("The earlier one: ", kWhat))->required();
    app.add_option("TO", to_, "The later one, likewise; default: the newest version of the database");
    app.add_option("--prefix", prefix_, "Only keys that begin so");
    app.add_option("--limit", limit_, "At most so many keys; 0: all")->capture_default_str();
    RegisterHex(app, hex_);
    app.add_flag("--places", places_,
                 "Compare where values lie, not their bytes: faster, but what 'compact' moved differs");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const std::string prefix, ParseKey(prefix_, hex_));
    CLEAVE_ASSIGN_OR_RETURN(const OpenedDatabase opened, OpenDatabase(text_, Access::kRead));
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot from, Find(opened, from_));
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot to, Find(opened, to_));
    ocdbt::DiffOptions options;
    options.range = store::KeyRange::Prefix(prefix);
    options.compare_bytes = !places_;
    Report report;
    CLEAVE_ASSIGN_OR_RETURN(
        const ocdbt::DiffCost cost, ocdbt::DiffSnapshots(from, to, options, [&](const ocdbt::Difference& difference) {
          return limit_ == 0 || report.keys.size() < limit_ ? report.Add(difference) : report.Stop();
        }));
    console.Show({{"from", VersionJson(from.version())},
                  {"to", VersionJson(to.version())},
                  {"differences", std::move(report.keys)},
                  {"more", report.more},
                  {"nodes_read", cost.nodes_read},
                  {"subtrees_shared", cost.subtrees_shared}},
                 report.lines.empty() ? "no difference\n" : report.lines);
    if (report.more) {
      console.Note(absl::StrCat("there are more than ", limit_, " differences"));
    }
    return absl::OkStatus();
  }

 private:
  struct Report {
    Json keys = Json::array();
    std::string lines;
    bool more = false;

    bool Stop() {
      more = true;
      return false;
    }
    bool Add(const ocdbt::Difference& difference) {
      const auto size = [](const ocdbt::LeafValue* value) { return value == nullptr ? Json() : Json(value->length()); };
      const auto size_text = [](const ocdbt::LeafValue* value) {
        return value == nullptr ? std::string("-") : absl::StrCat(value->length());
      };
      const char* change = difference.before == nullptr ? "added" : difference.after == nullptr ? "removed" : "changed";
      Json json;
      AddKey(json, difference.key);
      json["change"] = change;
      json["bytes_before"] = size(difference.before);
      json["bytes_after"] = size(difference.after);
      keys.push_back(std::move(json));
      absl::StrAppendFormat(&lines, "%-8s %12s %12s  %s\n", change, size_text(difference.before),
                            size_text(difference.after), KeyText(difference.key));
      return true;
    }
  };

  // "", VERSION, TAG, BRANCH or BRANCH@VERSION.
  absl::StatusOr<ocdbt::Snapshot> Find(const OpenedDatabase& opened, const std::string& text) const {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('@', 1));
    if (text.find('@') == std::string::npos) {
      absl::StatusOr<ocdbt::Snapshot> found = FindVersion(*opened.database, text);
      if (!absl::IsNotFound(found.status()) || !ocdbt::ValidateName(text).ok()) {
        return found;
      }
    }
    absl::StatusOr<std::unique_ptr<ocdbt::Database>> branch =
        ocdbt::OpenName(opened.store, NameKind::kBranch, parts.first, opened.database->options());
    if (absl::IsNotFound(branch.status())) {
      return absl::NotFoundError(absl::StrCat("there is neither a tag nor a branch ", store::Quoted(parts.first),
                                              "; 'tag' and 'branch' list them"));
    }
    CLEAVE_RETURN_IF_ERROR(branch.status());
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot found, FindVersion(**branch, parts.second));
    return opened.database->Show(found.version());
  }

  DatabaseText text_;
  std::string from_;
  std::string to_;
  std::string prefix_;
  uint64_t limit_ = 0;
  bool hex_ = false;
  bool places_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeOcdbtBranchCommand() { return std::make_unique<OcdbtBranchCommand>(); }
std::unique_ptr<Command> MakeOcdbtDiffCommand() { return std::make_unique<OcdbtDiffCommand>(); }
std::unique_ptr<Command> MakeOcdbtTagCommand() { return std::make_unique<OcdbtTagCommand>(); }
std::unique_ptr<Command> MakeOcdbtVersionsCommand() { return std::make_unique<OcdbtVersionsCommand>(); }

}  // namespace cleave::cli
