// Edges and ways: graph edges, l2graph, path, contacts.
#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/graph_arguments.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "graph/contact_sites.h"
#include "graph/l2_graph.h"
#include "graph/node_points.h"
#include "graph/subgraph.h"

namespace cleave::cli {
namespace {

using graph::NodeId;

// A number where JSON has one for it, else its name.
Json AffinityJson(float affinity) { return affinity == graph::kInfiniteAffinity ? Json("inf") : Json(affinity); }

absl::Status RequireOneId(const GraphQuestion& question) {
  return question.ids.size() == 1 ? absl::OkStatus() : absl::InvalidArgumentError("give one id with --ids; see --help");
}

class GraphEdgesCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph edges", "", "List the edges between supervoxels of nodes",
            "cleave graph edges demo --ids 288230376151711745\n"
            "cleave graph edges demo --ids 288230376151711745 --box 0,0,0,128,128,64 --all"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {.box = true}, "Nodes of layer 2 or higher");
    app.add_flag("--all", all_, "Also edges that lead out of the nodes");
  }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    CLEAVE_ASSIGN_OR_RETURN(
        const auto edges,
        graph::EdgesBelow(question.view(), question.project.dataset->edges(), question.ids, question.box,
                          all_ ? graph::EdgeExtent::kAll : graph::EdgeExtent::kInternal));
    Json list = Json::array();
    std::string text;
    for (const graph::SubgraphEdge& entry : edges) {
      const std::string category(graph::Name(entry.category));
      list.push_back({{"node1", ToJson(entry.edge.node1)},
                      {"node2", ToJson(entry.edge.node2)},
                      {"affinity", AffinityJson(entry.edge.affinity)},
                      {"area", entry.edge.area},
                      {"category", category},
                      {"active", entry.active},
                      {"internal", entry.internal}});
      absl::StrAppendFormat(&text, "%d %d %g %d %s %s\n", Value(entry.edge.node1), Value(entry.edge.node2),
                            entry.edge.affinity, entry.edge.area, category, entry.active ? "active" : "inactive");
    }
    console.Show({{"at", AtJson(question)}, {"count", edges.size()}, {"edges", list}}, text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
  bool all_ = false;
};

class GraphL2GraphCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph l2graph", "", "List which L2 nodes of an object are neighbours",
            "cleave graph l2graph demo --ids 288230376151711745"};
  }
  void Register(CLI::App& app) override { RegisterGraph(app, graph_, {.box = true}, "One node of layer 2 or higher"); }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    CLEAVE_RETURN_IF_ERROR(RequireOneId(question));
    CLEAVE_ASSIGN_OR_RETURN(const auto pairs, graph::L2Graph(question.view(), question.ids.front(), question.box));
    Json edges = Json::array();
    std::string text;
    for (const graph::EdgeEnds& pair : pairs) {
      edges.push_back({ToJson(pair.node1), ToJson(pair.node2)});
      absl::StrAppend(&text, Value(pair.node1), " ", Value(pair.node2), "\n");
    }
    console.Show({{"at", AtJson(question)}, {"edge_graph", edges}}, text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
};

class GraphPathCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph path", "", "Find the shortest way between two nodes of an object, through its L2 nodes",
            "cleave graph path demo --ids 72057594037927941,72339069014638593"};
  }
  void Register(CLI::App& app) override { RegisterGraph(app, graph_, {}, "Two nodes of one object"); }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    if (question.ids.size() != 2) {
      return absl::InvalidArgumentError("a path has two ends: give two ids with --ids");
    }
    const graph::Dataset& dataset = *question.project.dataset;
    CLEAVE_ASSIGN_OR_RETURN(const auto path, graph::ShortestL2Path(question.view(), question.ids[0], question.ids[1]));
    CLEAVE_ASSIGN_OR_RETURN(const auto middles,
                            graph::ChunkMiddles(dataset.layout(), dataset.meta().voxel_size_nm, path));
    Json points = Json::array();
    std::string text;
    for (size_t i = 0; i < path.size(); ++i) {
      points.push_back({middles[i].x, middles[i].y, middles[i].z});
      absl::StrAppendFormat(&text, "%d %.1f,%.1f,%.1f\n", Value(path[i]), middles[i].x, middles[i].y, middles[i].z);
    }
    console.Show({{"at", AtJson(question)}, {"l2_path", ToJson(path)}, {"chunk_middles_nm", points}}, text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
};

class GraphContactsCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph contacts", "", "List where an object touches others, and by how much",
            "cleave graph contacts demo --ids 288230376151711745\n"
            "cleave graph contacts demo --ids 288230376151711745 --partners 288230376151711746"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {.box = true}, "One object");
    app.add_option("--partners", partners_, "Only contacts with these objects")->type_name("ID,ID,...")->delimiter(',');
  }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const auto partners, Named("--partners", ParseNodeIds(partners_)));
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    CLEAVE_RETURN_IF_ERROR(RequireOneId(question));
    CLEAVE_ASSIGN_OR_RETURN(
        const auto sites, graph::ContactSites(question.view(), question.project.dataset->edges(), question.ids.front(),
                                              {.box = question.box, .partners = partners}));
    Json list = Json::array();
    std::string text;
    for (const auto& [partner, contacts] : sites) {
      Json entries = Json::array();
      for (const graph::ContactSite& site : contacts) {
        entries.push_back({{"area", site.area},
                           {"own_supervoxels", ToJson(site.own_supervoxels)},
                           {"partner_supervoxels", ToJson(site.partner_supervoxels)}});
        absl::StrAppend(&text, Value(partner), " area ", site.area, ", ", site.partner_supervoxels.size(),
                        " supervoxels\n");
      }
      list.push_back({{"partner", ToJson(partner)}, {"sites", entries}});
    }
    console.Show({{"at", AtJson(question)}, {"root", ToJson(question.ids.front())}, {"partners", list}}, text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
  std::vector<std::string> partners_;
};

}  // namespace

std::unique_ptr<Command> MakeGraphEdgesCommand() { return std::make_unique<GraphEdgesCommand>(); }
std::unique_ptr<Command> MakeGraphL2GraphCommand() { return std::make_unique<GraphL2GraphCommand>(); }
std::unique_ptr<Command> MakeGraphPathCommand() { return std::make_unique<GraphPathCommand>(); }
std::unique_ptr<Command> MakeGraphContactsCommand() { return std::make_unique<GraphContactsCommand>(); }

}  // namespace cleave::cli
