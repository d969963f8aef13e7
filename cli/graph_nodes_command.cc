// Up and down the hierarchy: graph roots, parents, children, leaves, covering, coordinates.
#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/command.h"
#include "cli/graph_arguments.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/instant.h"
#include "edit/operation_log.h"
#include "graph/descend.h"
#include "graph/node_points.h"
#include "graph/node_times.h"
#include "volume/volume.h"

namespace cleave::cli {
namespace {

using graph::NodeId;

// One list of ids for each id.
void ShowLists(Console& console, const GraphQuestion& question, const std::string& name,
               const std::vector<std::vector<NodeId>>& lists) {
  Json nodes = Json::array();
  std::string text;
  for (size_t i = 0; i < lists.size(); ++i) {
    nodes.push_back({{"node", ToJson(question.ids[i])}, {name, ToJson(lists[i])}});
    absl::StrAppend(&text, Value(question.ids[i]), ": ", IdLine(lists[i]), "\n");
  }
  console.Show({{"at", AtJson(question)}, {"nodes", nodes}}, text);
}

class GraphRootsCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph roots", "", "Say which objects many nodes belong to, or which node of a lower layer",
            "cleave graph roots demo --ids 72057594037927941,72057594037927942\n"
            "cleave graph roots demo --file ids.txt --at 2026-01-31T12:00:00Z\n"
            "cleave graph roots demo --ids 72057594037927941 --layer 2"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {}, "Nodes of any layer");
    app.add_option("--layer", layer_, "The highest ancestor in this layer or below it, instead of the root")
        ->type_name("N")
        ->check(CLI::Range(1, 255));
    app.add_flag("--above", above_, "With --layer: the lowest ancestor in this layer or above it");
  }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    const graph::GraphView view = question.view();
    absl::StatusOr<std::vector<NodeId>> roots =
        layer_ == 0 ? view.Roots(question.ids)
                    : view.Ancestors(question.ids, layer_,
                                     above_ ? graph::SkippedLayer::kGoAbove : graph::SkippedLayer::kStayBelow);
    CLEAVE_RETURN_IF_ERROR(roots.status());
    std::string text;
    for (size_t i = 0; i < roots->size(); ++i) {
      absl::StrAppend(&text, Value(question.ids[i]), " ", Value((*roots)[i]), "\n");
    }
    console.Show({{"at", AtJson(question)}, {"nodes", ToJson(question.ids)}, {"roots", ToJson(*roots)}}, text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
  int layer_ = 0;
  bool above_ = false;
};

class GraphParentsCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph parents", "", "List the ancestors of nodes up to their roots, or all parents they ever had",
            "cleave graph parents demo --ids 72057594037927941\n"
            "cleave graph parents demo --ids 72057594037927941 --versions"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {}, "Nodes of any layer");
    app.add_flag("--versions", versions_, "Every parent that each node has had, newest first, and since when");
  }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    if (!versions_) {
      CLEAVE_ASSIGN_OR_RETURN(const auto chains, question.view().Chains(question.ids));
      ShowLists(console, question, "ancestors", chains);
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const auto versions, graph::ParentVersions(question.view(), question.ids));
    Json nodes = Json::array();
    std::string text;
    for (size_t i = 0; i < versions.size(); ++i) {
      Json parents = Json::array();
      for (const graph::ParentVersion& version : versions[i]) {
        parents.push_back({{"parent", ToJson(version.parent)}, {"since", TimeText(version.since)}});
        absl::StrAppend(&text, Value(question.ids[i]), " ", Value(version.parent), " ", TimeText(version.since), "\n");
      }
      nodes.push_back({{"node", ToJson(question.ids[i])}, {"parents", parents}});
    }
    console.Show({{"at", AtJson(question)}, {"nodes", nodes}}, text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
  bool versions_ = false;
};

class GraphChildrenCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph children", "", "List the children of nodes", "cleave graph children demo --ids 288230376151711745"};
  }
  void Register(CLI::App& app) override { RegisterGraph(app, graph_, {}, "Nodes of layer 2 or higher"); }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    CLEAVE_ASSIGN_OR_RETURN(const auto children, question.view().Children(question.ids));
    ShowLists(console, question, "children", children);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
};

class GraphLeavesCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph leaves", "", "List what lies below nodes: supervoxels, or nodes of a layer",
            "cleave graph leaves demo --ids 288230376151711745 --layer 2\n"
            "cleave graph leaves demo --ids 288230376151711745,288230376151711746 --box 0,0,0,128,128,64"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {.box = true}, "Nodes of any layer");
    app.add_option("--layer", layer_, "Go down to this layer (default 1, supervoxels)")
        ->type_name("N")
        ->check(CLI::Range(1, 255));
  }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    CLEAVE_ASSIGN_OR_RETURN(const auto leaves, graph::Descendants(question.view(), question.ids,
                                                                  {.stop_layer = layer_, .box = question.box}));
    ShowLists(console, question, "leaves", leaves);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
  int layer_ = graph::kSupervoxelLayer;
};

class GraphCoveringCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph covering", "", "Find the fewest nodes that hold just what the given ones hold",
            "cleave graph covering demo --file supervoxels.txt"};
  }
  void Register(CLI::App& app) override { RegisterGraph(app, graph_, {}, "Nodes of any layer"); }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    CLEAVE_ASSIGN_OR_RETURN(const auto nodes, graph::MinimalCoveringNodes(question.view(), question.ids));
    std::string text;
    for (const NodeId node : nodes) {
      absl::StrAppend(&text, Value(node), "\n");
    }
    console.Show({{"at", AtJson(question)}, {"nodes", ToJson(nodes)}}, text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
};

class GraphCoordinatesCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph coordinates", "", "Say where nodes are: a voxel of each, in nm",
            "cleave graph coordinates demo --ids 72057594037927941\n"
            "cleave graph coordinates demo --file l2_nodes.txt --rough"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {}, "Nodes of any layer");
    app.add_flag("--rough", rough_, "The middle of each node's chunk, without reading voxels");
  }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    graph::Dataset& dataset = *question.project.dataset;
    const VoxelSizeNm& size = dataset.meta().voxel_size_nm;
    std::vector<graph::NodePoint> points;
    if (rough_) {
      CLEAVE_ASSIGN_OR_RETURN(const auto middles, graph::ChunkMiddles(dataset.layout(), size, question.ids));
      for (const graph::PointNm& middle : middles) {
        points.push_back({middle, std::nullopt});
      }
    } else {
      CLEAVE_ASSIGN_OR_RETURN(const auto log, edit::OperationLog(dataset.table()).ReadAll());
      const edit::Instant instant = edit::InstantAtTime(log, question.at);
      CLEAVE_ASSIGN_OR_RETURN(const auto volume,
                              dataset.SegmentationAt({.generation = instant.generation, .time = std::nullopt}));
      CLEAVE_ASSIGN_OR_RETURN(points, graph::NodePoints(question.view(), *volume, size, question.ids));
    }
    Json nodes = Json::array();
    std::string text;
    for (size_t i = 0; i < points.size(); ++i) {
      const graph::PointNm& nm = points[i].point;
      nodes.push_back({{"node", ToJson(question.ids[i])},
                       {"point_nm", {nm.x, nm.y, nm.z}},
                       {"voxel", points[i].voxel.has_value() ? ToJson(*points[i].voxel) : Json()}});
      absl::StrAppendFormat(&text, "%d %.1f,%.1f,%.1f\n", Value(question.ids[i]), nm.x, nm.y, nm.z);
    }
    console.Show({{"at", AtJson(question)}, {"nodes", nodes}}, text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
  bool rough_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeGraphRootsCommand() { return std::make_unique<GraphRootsCommand>(); }
std::unique_ptr<Command> MakeGraphParentsCommand() { return std::make_unique<GraphParentsCommand>(); }
std::unique_ptr<Command> MakeGraphChildrenCommand() { return std::make_unique<GraphChildrenCommand>(); }
std::unique_ptr<Command> MakeGraphLeavesCommand() { return std::make_unique<GraphLeavesCommand>(); }
std::unique_ptr<Command> MakeGraphCoveringCommand() { return std::make_unique<GraphCoveringCommand>(); }
std::unique_ptr<Command> MakeGraphCoordinatesCommand() { return std::make_unique<GraphCoordinatesCommand>(); }

}  // namespace cleave::cli
