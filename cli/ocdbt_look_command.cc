// `cleave ocdbt dump|verify`: what stands in the objects of a database, and whether all is sound.
#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/ocdbt_database.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "ocdbt/dump.h"
#include "ocdbt/names.h"
#include "ocdbt/verify.h"

namespace cleave::cli {
namespace {

// JSON as indented lines "name: value"; the parts of a list are numbered.
void AppendWords(const Json& json, int depth, std::string& text) {
  const std::string indent(static_cast<size_t>(2 * depth), ' ');
  size_t number = 0;
  for (const auto& [key, value] : json.items()) {
    const std::string name = json.is_array() ? absl::StrCat("#", ++number) : absl::StrReplaceAll(key, {{"_", " "}});
    if (value.is_structured() && !value.empty()) {
      absl::StrAppend(&text, indent, name, ":\n");
      AppendWords(value, depth + 1, text);
    } else {
      const std::string plain = value.is_string()       ? value.get<std::string>()
                                : value.is_structured() ? "none"
                                                        : value.dump();
      absl::StrAppend(&text, indent, name, ": ", plain, "\n");
    }
  }
}

class OcdbtDumpCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt dump", "", "Print the manifest, a node, or the objects of a data file, in words",
            "cleave ocdbt dump store\ncleave ocdbt dump store 'd/0123456789abcdef0123456789abcdef[0, +153)'\n"
            "cleave ocdbt dump store d/0123456789abcdef0123456789abcdef"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_);
    app.add_option(
        "OBJECT", object_,
        "A node, as other dumps name it: FILE[OFFSET, +LENGTH); or a whole data file; default: the manifest");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store, OpenDatabaseStore(text_));
    if (!text_.branch.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(store, ocdbt::StackName(store, ocdbt::NameKind::kBranch, text_.branch));
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::string dumped, Dump(*store));
    const Json json = Json::parse(dumped);
    std::string words;
    AppendWords(json, 0, words);
    console.Show(json, words);
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<std::string> Dump(const store::Store& store) const {
    if (object_.empty()) {
      return ocdbt::DumpManifest(store);
    }
    if (!absl::EndsWith(object_, ")")) {
      return ocdbt::DumpFile(store, object_);
    }
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::DataReference location, ocdbt::ParseDataReference(object_));
    return ocdbt::DumpNode(store, location);
  }

  DatabaseText text_;
  std::string object_;
};

class OcdbtVerifyCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ocdbt verify", "", "Read everything and name what is damaged",
            "cleave ocdbt verify store\ncleave ocdbt verify store --no-values --json"};
  }

  void Register(CLI::App& app) override {
    RegisterDatabase(app, text_, /*with_branch=*/false);
    app.add_flag("--no-values", no_values_, "Look at the trees alone, not at values outside of them");
    app.add_option("--findings", options_.damages_max, "How many findings to tell in full; all are counted")
        ->capture_default_str();
  }

  absl::Status Run(Console& console) override {
    options_.read_values = !no_values_;
    CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<store::Store> store, OpenDatabaseStore(text_));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::VerifyReport report,
                            ocdbt::VerifyDatabase(store, options_, console.progress()));
    Show(report, absl::ToDoubleSeconds(absl::Now() - start), console);
    return report.clean() ? absl::OkStatus()
                          : absl::DataLossError(absl::StrCat(text_.database, " is damaged: ", report.found,
                                                             report.found == 1 ? " finding" : " findings"));
  }

 private:
  static void Show(const ocdbt::VerifyReport& report, double seconds, Console& console) {
    Json findings = Json::array();
    std::string text;
    for (const ocdbt::Damage& damage : report.damages) {
      findings.push_back({{"where", KeyText(damage.where)}, {"what", KeyText(damage.what)}});
      absl::StrAppend(&text, damage.where, ": ", damage.what, "\n");
    }
    absl::StrAppendFormat(&text, "%s: %d versions, %d nodes of trees, %d of version trees, %d values (%s) in %.2f s\n",
                          report.clean() ? "sound" : "DAMAGED", report.versions, report.tree_nodes,
                          report.version_nodes, report.values, BytesText(report.value_bytes), seconds);
    console.Show({{"clean", report.clean()},
                  {"found", report.found},
                  {"versions", report.versions},
                  {"tree_nodes", report.tree_nodes},
                  {"version_nodes", report.version_nodes},
                  {"values", report.values},
                  {"value_bytes", report.value_bytes},
                  {"findings", std::move(findings)},
                  {"seconds", {{"total", seconds}}}},
                 text);
  }

  DatabaseText text_;
  ocdbt::VerifyOptions options_;
  bool no_values_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeOcdbtDumpCommand() { return std::make_unique<OcdbtDumpCommand>(); }
std::unique_ptr<Command> MakeOcdbtVerifyCommand() { return std::make_unique<OcdbtVerifyCommand>(); }

}  // namespace cleave::cli
