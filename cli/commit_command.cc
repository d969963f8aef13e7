#include "CLI/CLI.hpp"
#include "absl/time/clock.h"
#include "cli/command.h"
#include "cli/edit_report.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

class CommitCommand final : public Command {
 public:
  CommandText text() const override {
    return {"commit", "Edit", "Carry out exactly what a preview showed",
            "cleave commit demo 1795472953123-17-3fa9c2d4e1b0a877"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("TOKEN", token_, "The token that the preview printed")->required();
    app.add_flag("--dry-run", dry_run_, "Only say whether it can still be carried out");
    app.add_flag("--profile", profile_, "Say where time, memory and input went, stage by stage");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const Project project,
                            OpenProject(project_, console, {.dry_run = dry_run_, .profile = profile_}));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const edit::EditReport report, project.editor->CommitPreview(token_));
    const absl::Duration total = absl::Now() - start;
    console.Show(EditJson(report, total), EditText(report, total));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string token_;
  bool dry_run_ = false;
  bool profile_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeCommitCommand() { return std::make_unique<CommitCommand>(); }

}  // namespace cleave::cli
