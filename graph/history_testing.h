// A small random graph with a past, in memory: edges come and go, and what was true at each time is kept beside it as
// plain lists. Not for product code.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"

#include "graph/graph_testing.h"
#include "graph/local_graph.h"
#include "store/memory_store.h"

namespace cleave::graph {

class GraphHistory {
 public:
  // What held from `time` on, and the operation that made it so (0: ingest).
  struct Moment {
    absl::Time time;
    std::set<EdgeEnds> active;  // sorted ends
    OperationId operation{};
    std::vector<NodeId> old_roots;
    std::vector<NodeId> new_roots;
  };

  GraphHistory(const Box& volume, Extent3 chunk_size, uint64_t seed) : graph(volume, chunk_size), random_(seed) {}

  // Supervoxels in every chunk, possible edges between near ones (in edge files) and a few far ones (as users' edges),
  // some of them active.
  void Ingest() {
    const ChunkPoint counts = graph.layout().ChunkCounts(kL2Layer);
    for (int64_t i = 0; i < counts.x * counts.y * counts.z; ++i) {
      for (uint64_t count = random_() % 5; count > 0; --count) {
        supervoxels.push_back(graph.NewSupervoxel({i % counts.x, i / counts.x % counts.y, i / (counts.x * counts.y)}));
      }
    }
    std::set<EdgeEnds> active;
    for (size_t i = 0; i < supervoxels.size(); ++i) {
      for (size_t j = i + 1; j < supervoxels.size(); ++j) {
        const bool near = AreNear(supervoxels[i], supervoxels[j]);
        if (near ? random_() % 4 == 0 : random_() % 300 == 0) {
          AddPossible({supervoxels[i], supervoxels[j]}, near);
          if (random_() % 4 == 0) {
            active.insert(EdgeEnds{supervoxels[i], supervoxels[j]}.Sorted());
          }
        }
      }
    }
    WriteEdges();
    const absl::Time time = absl::FromUnixSeconds(1000);
    ASSERT_NO_FATAL_FAILURE(graph.Build(supervoxels, {active.begin(), active.end()}, time));
    moments.push_back({time, active, {}, {}, {}});
  }

  // One operation that makes some edges active or inactive.
  void Toggle(const std::vector<EdgeEnds>& changed) {
    Moment moment = moments.back();
    for (const EdgeEnds& edge : changed) {
      if (moment.active.erase(edge.Sorted()) == 0) {
        moment.active.insert(edge.Sorted());
      }
    }
    std::vector<NodeId> ends;
    for (const EdgeEnds& edge : changed) {
      ends.insert(ends.end(), {edge.node1, edge.node2});
    }
    std::vector<NodeId> retired = graph.View().Parents(ends).value();
    std::ranges::sort(retired);
    retired.erase(std::ranges::unique(retired).begin(), retired.end());
    std::vector<NodeId> members;
    const std::vector<std::vector<NodeId>> lists = graph.View().Children(retired).value();
    for (const std::vector<NodeId>& list : lists) {
      members.insert(members.end(), list.begin(), list.end());
    }
    const auto plan = PlanHierarchy(graph.View(), graph.ids(), retired,
                                    graph.PiecesOf(members, {moment.active.begin(), moment.active.end()}));
    ASSERT_TRUE(plan.ok()) << plan.status();
    moment.time += absl::Seconds(1);
    moment.operation = OperationId{moments.size()};
    moment.old_roots = plan->old_roots;
    moment.new_roots = plan->new_roots;
    graph.Store(plan->nodes, moment.time);
    WriteLineage(moment);
    moments.push_back(std::move(moment));
  }

  void ToggleAtRandom(int operations) {
    for (int i = 0; i < operations && !possible.empty(); ++i) {
      std::vector<EdgeEnds> changed;
      for (uint64_t count = 1 + random_() % 3; count > 0; --count) {
        changed.push_back(RandomEdge());
      }
      ASSERT_NO_FATAL_FAILURE(Toggle(changed));
    }
  }

  EdgeEnds RandomEdge() { return std::next(possible.begin(), static_cast<long>(random_() % possible.size()))->first; }
  std::mt19937_64& random() { return random_; }
  GraphView ViewOf(const Moment& moment) const { return graph.View(moment.time); }

  // Objects of a moment, by its active edges alone.
  std::vector<std::vector<NodeId>> Objects(const Moment& moment) const {
    return ComponentsOf(supervoxels, std::vector<EdgeEnds>(moment.active.begin(), moment.active.end()));
  }
  // The supervoxels of each L2 node, in the same way.
  std::vector<std::vector<NodeId>> L2Objects(const Moment& moment) const {
    std::vector<EdgeEnds> inside;
    std::ranges::copy_if(moment.active, std::back_inserter(inside), [&](const EdgeEnds& edge) {
      return graph.layout().EdgeLayer(edge.node1, edge.node2) == kSupervoxelLayer;
    });
    return ComponentsOf(supervoxels, inside);
  }

  MemoryGraph graph;
  std::vector<NodeId> supervoxels;
  std::map<EdgeEnds, Edge> possible;  // by sorted ends
  EdgeFiles files{std::make_shared<store::MemoryStore>()};
  std::vector<Moment> moments;

 private:
  bool AreNear(NodeId a, NodeId b) const {
    const ChunkPoint d = graph.layout().ChunkOf(a).position - graph.layout().ChunkOf(b).position;
    return std::max({std::abs(d.x), std::abs(d.y), std::abs(d.z)}) <= 1;
  }

  void AddPossible(EdgeEnds ends, bool near) {
    ends = ends.Sorted();
    // What a user adds has neither affinity nor area.
    possible[ends] =
        near ? Edge{ends.node1, ends.node2, 0.01F * static_cast<float>(random_() % 100), 1 + random_() % 100}
             : Edge{ends.node1, ends.node2, kDefaultAffinity, 0};
  }

  void WriteEdges() {
    std::map<ChunkPoint, ChunkEdges> by_chunk;
    std::vector<Edge> far;
    for (const auto& [ends, edge] : possible) {
      const ChunkPoint chunk1 = graph.layout().ChunkOf(ends.node1).position;
      const ChunkPoint chunk2 = graph.layout().ChunkOf(ends.node2).position;
      if (!AreNear(ends.node1, ends.node2)) {
        far.push_back(edge);
      } else if (chunk1 == chunk2) {
        by_chunk[chunk1].in.push_back(edge);
      } else {
        by_chunk[chunk1].between.push_back(edge);
        by_chunk[chunk2].between.push_back({edge.node2, edge.node1, edge.affinity, edge.area});
      }
    }
    for (const auto& [chunk, edges] : by_chunk) {
      ASSERT_TRUE(files.Write(chunk, edges).ok());
    }
    std::vector<table::RowMutation> rows = FakeEdgeRows(graph.layout(), far);
    for (table::RowMutation& row : rows) {
      for (table::Change& change : row.changes) {
        std::get<table::SetCell>(change).time = absl::FromUnixSeconds(1000);
      }
    }
    ASSERT_TRUE(graph.table().Apply(rows).ok());
  }

  void WriteLineage(const Moment& moment) {
    std::vector<table::RowMutation> rows;
    const std::string operation = table::EncodeIdText(Value(moment.operation));
    for (const NodeId root : moment.new_roots) {
      rows.push_back({table::NodeRowKey(Value(root)),
                      {table::SetCell{table::columns::kFormerParent, moment.time, table::EncodeArray(moment.old_roots)},
                       table::SetCell{table::columns::kOperationId, moment.time, operation}}});
    }
    for (const NodeId root : moment.old_roots) {
      rows.push_back({table::NodeRowKey(Value(root)),
                      {table::SetCell{table::columns::kNewParent, moment.time, table::EncodeArray(moment.new_roots)},
                       table::SetCell{table::columns::kOperationId, moment.time, operation}}});
    }
    ASSERT_TRUE(graph.table().Apply(rows).ok());
  }

  std::mt19937_64 random_;
};

}  // namespace cleave::graph
