#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/arguments.h"
#include "cli/batch_file.h"
#include "cli/command.h"
#include "cli/edit_report.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "cli/user_name.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

class BatchCommand final : public Command {
 public:
  CommandText text() const override {
    return {"batch", "Edit", "Carry out many edits, one by one or as a whole, with a report for each",
            "cleave batch demo edits.json --key monday\n"
            "cleave batch demo edits.json --whole --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("FILE.json", file_, "The edits: docs/cli.md says how they are written")->required();
    app.add_flag("--whole", whole_, "All or none: one commit, each edit seeing those before it");
    app.add_option("--key", key_, "Names the batch: sent again, it does what is not done yet")->type_name("TEXT");
    app.add_option("--user", user_, "Who edits, for the log; default: who runs the program")->type_name("NAME");
    app.add_flag("--dry-run", dry_run_, "Plan the edits, say what they would do, and leave no trace");
    app.add_flag("--profile", profile_, "Say where time, memory and input went, stage by stage");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const std::string json, ReadBatchFile(file_));
    CLEAVE_ASSIGN_OR_RETURN(edit::BatchRequest request, Named(file_, ParseBatch(json, user_)));
    request.as_a_whole = request.as_a_whole || whole_;
    request.key = key_.empty() ? request.key : key_;
    CLEAVE_ASSIGN_OR_RETURN(const Project project,
                            OpenProject(project_, console, {.dry_run = dry_run_, .profile = profile_}));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const edit::BatchReport report, project.editor->Run(request));
    Json items = Json::array();
    std::string text;
    std::string first_error;
    for (const edit::ItemReport& item : report.items) {
      const absl::Duration total = absl::Now() - start;
      items.push_back({{"done", item.status.ok()},
                       {"edit", item.status.ok() ? EditJson(item.edit, total) : Json()},
                       {"error", item.status.ok() ? Json() : ErrorJson(item.status)}});
      // As a whole, all items share the stages.
      const bool tells_stages = item.status.ok() && (!request.as_a_whole || items.size() == report.items.size());
      const std::string number = absl::StrCat("item ", items.size() - 1, "  ");
      absl::StrAppend(&text, number, item.status.ok() ? EditLine(item.edit) : absl::StrCat(item.status.message(), "\n"),
                      tells_stages ? ProfileText(item.edit.stages) : "");
      if (first_error.empty() && !item.status.ok() && !absl::IsCancelled(item.status)) {
        first_error = absl::StrCat(number, item.status.message());
      }
    }
    console.Show({{"done", report.done}, {"whole", request.as_a_whole}, {"items", items}}, text);
    return report.done ? absl::OkStatus()
                       : absl::FailedPreconditionError(absl::StrCat(
                             request.as_a_whole ? "nothing was done: " : "not all was done: ", first_error));
  }

 private:
  std::string project_;
  bool dry_run_ = false;
  bool profile_ = false;
  std::string file_;
  bool whole_ = false;
  std::string key_;
  std::string user_ = UserName();
};

}  // namespace

std::unique_ptr<Command> MakeBatchCommand() { return std::make_unique<BatchCommand>(); }

}  // namespace cleave::cli
