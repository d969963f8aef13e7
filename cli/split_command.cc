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

class SplitCommand final : public Command {
 public:
  CommandText text() const override {
    return {"split", "Edit", "Part one object, cutting supervoxels in two where no edge can be cut",
            "cleave split demo --source 120,80,12 --sink 131,84,12\n"
            "cleave split demo --source 120,80,12 118,77,14 --sink 131,84,12 --preview --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--source", sources_, "Voxels of one part")->type_name("X,Y,Z");
    app.add_option("--sink", sinks_, "Voxels of the other part")->type_name("X,Y,Z");
    app.add_flag("--preview", preview_, "Only say what the split would do");
    app.add_option("--user", user_, "Who edits, for the log; default: who runs the program")->type_name("NAME");
  }

  absl::Status Run(Console& console) override {
    edit::SplitRequest request;
    CLEAVE_ASSIGN_OR_RETURN(request.sources, Named("--source", ParsePoints(sources_)));
    CLEAVE_ASSIGN_OR_RETURN(request.sinks, Named("--sink", ParsePoints(sinks_)));
    request.user = user_;
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const edit::EditReport report,
                            preview_ ? project.editor->PreviewSplit(request) : project.editor->Split(request));
    const absl::Duration total = absl::Now() - start;
    console.Show(EditJson(report, total), EditText(report, total));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::vector<std::string> sources_;
  std::vector<std::string> sinks_;
  bool preview_ = false;
  std::string user_ = UserName();
};

}  // namespace

std::unique_ptr<Command> MakeSplitCommand() { return std::make_unique<SplitCommand>(); }

}  // namespace cleave::cli
