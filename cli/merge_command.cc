#include "CLI/CLI.hpp"
#include "absl/time/clock.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/edit_report.h"
#include "cli/project.h"
#include "cli/user_name.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

class MergeCommand final : public Command {
 public:
  CommandText text() const override {
    return {"merge", "Edit", "Join the objects at two points by a new edge",
            "cleave merge demo --source 120,80,12 --sink 131,84,12"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--source", source_, "A voxel of one object")->type_name("X,Y,Z")->required();
    app.add_option("--sink", sink_, "A voxel of the other")->type_name("X,Y,Z")->required();
    app.add_option("--user", user_, "Who edits, for the log; default: who runs the program")->type_name("NAME");
  }

  absl::Status Run(Console& console) override {
    edit::MergeRequest request;
    CLEAVE_ASSIGN_OR_RETURN(request.source, Named("--source", ParsePoint(source_)));
    CLEAVE_ASSIGN_OR_RETURN(request.sink, Named("--sink", ParsePoint(sink_)));
    request.user = user_;
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const edit::EditReport report, project.editor->Merge(request));
    const absl::Duration total = absl::Now() - start;
    console.Show(EditJson(report, total), EditText(report, total));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string source_;
  std::string sink_;
  std::string user_ = UserName();
};

}  // namespace

std::unique_ptr<Command> MakeMergeCommand() { return std::make_unique<MergeCommand>(); }

}  // namespace cleave::cli
