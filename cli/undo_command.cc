#include "CLI/CLI.hpp"
#include "absl/time/clock.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/edit_options.h"
#include "cli/edit_report.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

class UndoCommand final : public Command {
 public:
  CommandText text() const override { return {"undo", "Edit", "Take back a merge or split", "cleave undo demo 7"}; }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("OPERATION", operation_, "The number of the operation, as `cleave log` lists it")->required();
    options_.Register(app);
  }

  absl::Status Run(Console& console) override {
    edit::InverseRequest request{.user = options_.user(), .terms = options_.terms()};
    CLEAVE_ASSIGN_OR_RETURN(request.operation, ParseOperation(operation_));
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const edit::EditReport report, project.editor->Undo(request));
    const absl::Duration total = absl::Now() - start;
    console.Show(EditJson(report, total), EditText(report, total));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string operation_;
  EditOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeUndoCommand() { return std::make_unique<UndoCommand>(); }

}  // namespace cleave::cli
