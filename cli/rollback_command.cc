#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/edit_report.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

class RollbackCommand final : public Command {
 public:
  CommandText text() const override {
    return {"rollback", "Edit", "Undo all merges and splits of one user, the newest first",
            "cleave rollback demo ana --since 2026-01-31T12:00:00Z --skip 17"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("USER", request_.user, "Whose operations are undone")->required();
    app.add_option("--since", since_, "Only operations at or after this time")->type_name("TIME");
    app.add_option("--skip", skip_, "Operations to leave as they are")->type_name("OPERATION");
    app.add_option("--as", request_.as_user, "Who undoes, for the log; default: the user himself")->type_name("NAME");
    app.add_option("--key", request_.terms.key, "Names the rollback: what was done under this key is not done again")
        ->type_name("TEXT");
    app.add_flag("--override", request_.terms.override_protection,
                 "Edit protected objects too, which ends their protection");
    app.add_flag("--dry-run", dry_run_, "Plan the edits, say what they would do, and leave no trace");
    app.add_flag("--profile", profile_, "Say where time, memory and input went, stage by stage");
  }

  absl::Status Run(Console& console) override {
    if (!since_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(request_.since, Named("--since", ParseTime(since_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(request_.skip, Named("--skip", ParseOperations(skip_)));
    CLEAVE_ASSIGN_OR_RETURN(const Project project,
                            OpenProject(project_, console, {.dry_run = dry_run_, .profile = profile_}));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<edit::RollbackItem> items, project.editor->RollbackUser(request_));
    Json list = Json::array();
    std::string text;
    size_t undone = 0;
    for (const edit::RollbackItem& item : items) {
      undone += item.status.ok() ? 1 : 0;
      list.push_back({{"operation", Value(item.operation)},
                      {"undone", item.status.ok()},
                      {"undo", item.status.ok() ? Json(Value(item.edit.operation)) : Json()},
                      {"error", item.status.ok() ? Json() : ErrorJson(item.status)}});
      if (profile_) {
        list.back()["profile"] = ProfileJson(item.edit.stages);
      }
      absl::StrAppend(&text,
                      item.status.ok() ? EditLine(item.edit)
                                       : absl::StrCat("operation ", Value(item.operation),
                                                      " not undone: ", item.status.message(), "\n"),
                      ProfileText(item.edit.stages));
    }
    absl::StrAppend(&text, undone, " of ", items.size(), " operations of ", request_.user, " undone\n");
    console.Show({{"user", request_.user}, {"operations", list}}, text);
    return undone == items.size() ? absl::OkStatus()
                                  : absl::FailedPreconditionError(absl::StrCat(
                                        items.size() - undone, " operations could not be undone; the rest was"));
  }

 private:
  std::string project_;
  bool dry_run_ = false;
  bool profile_ = false;
  std::string since_;
  std::vector<std::string> skip_;
  edit::RollbackRequest request_;
};

}  // namespace

std::unique_ptr<Command> MakeRollbackCommand() { return std::make_unique<RollbackCommand>(); }

}  // namespace cleave::cli
