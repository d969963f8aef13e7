// `undo` and `redo`: the same but for what is asked of the editor.
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

using InverseEdit = absl::StatusOr<edit::EditReport> (edit::Editor::*)(const edit::InverseRequest&);

class InverseCommand final : public Command {
 public:
  InverseCommand(CommandText text, InverseEdit edit, bool takes_voxels)
      : text_(std::move(text)), edit_(edit), takes_voxels_(takes_voxels) {}

  CommandText text() const override { return text_; }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("OPERATION", operation_, "The number of the operation, as `cleave log` lists it")->required();
    if (takes_voxels_) {
      app.add_flag("--voxels", voxels_, "Of a split that cut supervoxels: give their voxels the old ids back, too");
    }
    options_.Register(app);
  }

  absl::Status Run(Console& console) override {
    edit::InverseRequest request{.user = options_.user(), .voxels = voxels_, .terms = options_.terms()};
    CLEAVE_ASSIGN_OR_RETURN(request.operation, ParseOperation(operation_));
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console, options_.editor()));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const edit::EditReport report, (project.editor.get()->*edit_)(request));
    const absl::Duration total = absl::Now() - start;
    console.Show(EditJson(report, total), EditText(report, total));
    return absl::OkStatus();
  }

 private:
  const CommandText text_;
  const InverseEdit edit_;
  const bool takes_voxels_;
  bool voxels_ = false;
  std::string project_;
  std::string operation_;
  EditOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeUndoCommand() {
  return std::make_unique<InverseCommand>(
      CommandText{"undo", "Edit", "Take back a merge or split", "cleave undo demo 7\ncleave undo demo 7 --voxels"},
      &edit::Editor::Undo, true);
}

std::unique_ptr<Command> MakeRedoCommand() {
  return std::make_unique<InverseCommand>(
      CommandText{"redo", "Edit", "Do again a merge or split that was undone", "cleave redo demo 7"},
      &edit::Editor::Redo, false);
}

}  // namespace cleave::cli
