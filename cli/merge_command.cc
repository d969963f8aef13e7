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

class MergeCommand final : public Command {
 public:
  CommandText text() const override {
    return {"merge", "Edit", "Join objects at two points, or by edges between supervoxels",
            "cleave merge demo --source 120,80,12 --sink 131,84,12\n"
            "cleave merge demo --edge 72057594037927937,72057594037927940 --key form-7"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--source", source_, "A voxel of one object")->type_name("X,Y,Z");
    app.add_option("--sink", sink_, "A voxel of the other")->type_name("X,Y,Z");
    app.add_option("--edge", edges_, "Pairs of supervoxels to join")->type_name("A,B");
    app.add_option("--max-distance", max_distance_chunks_, "Chunks that ends may lie apart on any axis; -1: any number")
        ->capture_default_str();
    app.add_flag("--allow-same-segment", allow_same_segment_, "Ends may lie in one object already");
    options_.Register(app);
  }

  absl::Status Run(Console& console) override {
    edit::MergeRequest request;
    if (!source_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(request.source, Named("--source", ParsePoint(source_)));
    }
    if (!sink_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(request.sink, Named("--sink", ParsePoint(sink_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(request.edges, Named("--edge", ParseEdges(edges_)));
    request.user = options_.user();
    request.terms = options_.terms();
    request.allow_same_segment_merge = allow_same_segment_;
    if (max_distance_chunks_ >= 0) {
      request.chebyshev_distance_max_chunks = max_distance_chunks_;
    }
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console, options_.editor()));
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
  std::vector<std::string> edges_;
  int64_t max_distance_chunks_ = 3;
  bool allow_same_segment_ = false;
  EditOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeMergeCommand() { return std::make_unique<MergeCommand>(); }

}  // namespace cleave::cli
