#include "CLI/CLI.hpp"
#include "absl/time/clock.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/edit_options.h"
#include "cli/edit_report.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "cli/split_preview.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

class SplitCommand final : public Command {
 public:
  CommandText text() const override {
    return {"split", "Edit", "Part one object, cutting supervoxels in two where no edge can be cut",
            "cleave split demo --source 120,80,12 --sink 131,84,12\n"
            "cleave split demo --source 120,80,12 118,77,14 --sink 131,84,12 --preview --picture cut.png\n"
            "cleave split demo --edge 72057594037927937,72057594037927940"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--source", sources_, "Voxels of one part")->type_name("X,Y,Z");
    app.add_option("--sink", sinks_, "Voxels of the other part")->type_name("X,Y,Z");
    app.add_option("--edge", edges_, "Remove these edges, pairs of supervoxels, instead")->type_name("A,B");
    app.add_flag("--no-augment", no_augment_, "Do not keep each side's points together by the paths between them");
    app.add_flag("--allow-isolating", allow_isolating_, "Also a cut that cuts off nothing but the points' supervoxels");
    CLI::Option* preview =
        app.add_flag("--preview", preview_, "Only say what the split would do; `cleave commit` does exactly that");
    app.add_option("--sides", files_.sides, "With --preview: an array of 1 (source side), 2 (sink side) and 0")
        ->type_name("FILE.npy")
        ->needs(preview);
    app.add_option("--picture", files_.picture, "With --preview: a section through the cut, each side in a colour")
        ->type_name("FILE.png")
        ->needs(preview);
    options_.Register(app);
  }

  absl::Status Run(Console& console) override {
    edit::SplitRequest request;
    CLEAVE_ASSIGN_OR_RETURN(request.sources, Named("--source", ParsePoints(sources_)));
    CLEAVE_ASSIGN_OR_RETURN(request.sinks, Named("--sink", ParsePoints(sinks_)));
    CLEAVE_ASSIGN_OR_RETURN(request.edges, Named("--edge", ParseEdges(edges_)));
    request.user = options_.user();
    request.terms = options_.terms();
    request.augment_paths = !no_augment_;
    request.refuse_isolating_cut = !allow_isolating_;
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console, options_.editor()));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const edit::EditReport report,
                            preview_ ? project.editor->Preview(request) : project.editor->Split(request));
    const absl::Duration total = absl::Now() - start;
    Json json = EditJson(report, total);
    if (preview_) {
      CLEAVE_RETURN_IF_ERROR(ShowSplitPreview(*project.dataset, request, report, files_, json));
    }
    console.Show(json, EditText(report, total));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::vector<std::string> sources_;
  std::vector<std::string> sinks_;
  std::vector<std::string> edges_;
  bool no_augment_ = false;
  bool allow_isolating_ = false;
  bool preview_ = false;
  SplitPreviewFiles files_;
  EditOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeSplitCommand() { return std::make_unique<SplitCommand>(); }

}  // namespace cleave::cli
