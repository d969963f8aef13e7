#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/moment.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "volume/volume.h"

namespace cleave::cli {
namespace {

class LookupCommand final : public Command {
 public:
  CommandText text() const override {
    return {"lookup", "Ask", "Say which supervoxel and which object lies at a point",
            "cleave lookup demo --point 120,80,12\ncleave lookup demo --point -4,80,12 131,84,12 --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--point", points_, "Voxels; on background all ids are 0")->type_name("X,Y,Z")->required();
    RegisterMoment(app, moment_);
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<VoxelPoint> points, Named("--point", ParsePoints(points_)));
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    graph::Dataset& dataset = *project.dataset;
    CLEAVE_ASSIGN_OR_RETURN(const edit::Instant instant, ResolveMoment(dataset, moment_));
    CLEAVE_ASSIGN_OR_RETURN(const auto volume, dataset.SegmentationAt(instant.voxels()));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> labels, volume->ReadVoxels(volume::kFinestScale, points));
    const std::vector<graph::NodeId> supervoxels = graph::ToNodeIds(labels);
    const graph::GraphView view = dataset.View(instant.graph_time);
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::NodeId> l2_nodes, view.Ancestors(supervoxels, graph::kL2Layer));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::NodeId> roots, view.Roots(supervoxels));
    Json json = InstantJson(instant);
    std::string text;
    for (size_t i = 0; i < points.size(); ++i) {
      json["points"].push_back({{"point", ToJson(points[i])},
                                {"supervoxel", ToJson(supervoxels[i])},
                                {"l2_node", ToJson(l2_nodes[i])},
                                {"root", ToJson(roots[i])},
                                {"chunk", ToJson(dataset.layout().ChunkAt(points[i]))}});
      absl::StrAppend(&text, cleave::ToString(points[i]), "  ",
                      labels[i] == 0 ? std::string("background")
                                     : absl::StrCat("supervoxel ", labels[i], "  root ", Value(roots[i])),
                      "\n");
    }
    console.Show(json, text);
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::vector<std::string> points_;
  MomentText moment_;
};

}  // namespace

std::unique_ptr<Command> MakeLookupCommand() { return std::make_unique<LookupCommand>(); }

}  // namespace cleave::cli
