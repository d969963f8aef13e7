#include "edit/restore_plan.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/parallel.h"
#include "base/status.h"
#include "edit/edge_plan.h"
#include "edit/l2_rewrite.h"
#include "edit/lock_keys.h"
#include "edit/plan_rows.h"
#include "graph/hierarchy.h"
#include "graph/local_graph.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
using FormerMap = absl::flat_hash_map<NodeId, NodeId>;

FormerMap FormerMapOf(std::span<const Fragment> fragments) {
  FormerMap former_of;
  for (const Fragment& fragment : fragments) {
    former_of[fragment.id] = fragment.former;
  }
  return former_of;
}

// What is stored under the ids of supervoxels that stand no more.
struct StoredEdges {
  absl::flat_hash_set<EdgeEnds> all;  // ends sorted, each with a supervoxel that is restored
  std::vector<EdgeEnds> infinite;     // those of them that will hold: restored end first
};

absl::StatusOr<StoredEdges> ReadStoredEdges(const Draft& draft, std::span<const Fragment> fragments) {
  absl::flat_hash_set<NodeId> restored;
  std::set<ChunkPoint> chunk_set;
  for (const Fragment& fragment : fragments) {
    restored.insert(fragment.former);
    chunk_set.insert(draft.layout().ChunkOf(fragment.former).position);
  }
  const std::vector<ChunkPoint> chunks(chunk_set.begin(), chunk_set.end());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::ChunkEdges> files, draft.dataset().edges().ReadMany(chunks));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<graph::Edge>> edited,
                          graph::ReadEditedEdges(draft.Now(), draft.reader(), chunks));
  StoredEdges stored;
  std::vector<EdgeEnds> infinite;
  const auto add = [&](const std::vector<graph::Edge>& edges) {
    for (const graph::Edge& edge : edges) {
      EdgeEnds ends{edge.node1, edge.node2};
      if (!restored.contains(ends.node1)) {
        ends = ends.Reversed();
      }
      if (restored.contains(ends.node1) && stored.all.insert(ends.Sorted()).second &&
          edge.affinity == graph::kInfiniteAffinity) {
        infinite.push_back(ends);
      }
    }
  };
  for (size_t i = 0; i < chunks.size(); ++i) {
    for (const std::vector<graph::Edge>* edges : {&files[i].in, &files[i].between, &files[i].cross, &edited[i]}) {
      add(*edges);
    }
  }
  // An edge to what is no more has gone on to what took its place.
  const FormerMap former_of = FormerMapOf(fragments);
  std::vector<NodeId> partners;
  for (const EdgeEnds& edge : infinite) {
    partners.push_back(edge.node2);
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> replacements, draft.Now().Replacements(partners));
  for (size_t i = 0; i < infinite.size(); ++i) {
    if (restored.contains(partners[i]) || (replacements[i].empty() && !former_of.contains(partners[i]))) {
      stored.infinite.push_back(infinite[i]);
    }
  }
  return stored;
}

class Restorer {
 public:
  Restorer(const Draft& draft, const RestoreRequirements& requirements, Stages& stages)
      : draft_(draft),
        layout_(draft.layout()),
        view_(draft.Now()),
        requirements_(requirements),
        stages_(stages),
        former_of_(FormerMapOf(requirements.fragments)) {}

  absl::StatusOr<Plan> Run() {
    plan_.graph_first = true;
    plan_.changed_boxes = requirements_.boxes;
    for (const Fragment& fragment : requirements_.fragments) {
      plan_.restored.push_back({fragment.id, fragment.former});
    }
    CLEAVE_RETURN_IF_ERROR(LockChunksAround());
    CLEAVE_RETURN_IF_ERROR(RestoreVoxels());
    CLEAVE_RETURN_IF_ERROR(LoadEdges());
    CLEAVE_RETURN_IF_ERROR(PlanNodes());
    return std::move(plan_);
  }

 private:
  NodeId Renamed(NodeId id) const {
    const auto former = former_of_.find(id);
    return former == former_of_.end() ? id : former->second;
  }
  EdgeEnds Renamed(const EdgeEnds& edge) const { return {Renamed(edge.node1), Renamed(edge.node2)}; }
  std::vector<NodeId> FragmentIds() const {
    std::vector<NodeId> ids;
    std::ranges::transform(requirements_.fragments, std::back_inserter(ids), &Fragment::id);
    return ids;
  }
  std::set<ChunkPoint> Chunks() const {
    std::set<ChunkPoint> chunks;
    for (const Fragment& fragment : requirements_.fragments) {
      chunks.insert(layout_.ChunkOf(fragment.former).position);
    }
    return chunks;
  }

  absl::Status LockChunksAround() {
    plan_.chunk_scope = ChunksAround(layout_, FragmentIds());
    return requirements_.lock_chunks ? requirements_.lock_chunks(plan_.chunk_scope) : absl::OkStatus();
  }

  // The stored chunks that may hold a voxel of a fragment.
  std::vector<ChunkPoint> StoredChunks() const {
    const volume::Volume& volume = draft_.segmentation();
    std::set<ChunkPoint> stored;
    for (const ChunkPoint chunk : Chunks()) {
      const Box whole = layout_.ChunkBox({graph::kSupervoxelLayer, chunk});
      const std::vector<Box> boxes = requirements_.boxes.empty() ? std::vector{whole} : requirements_.boxes;
      for (const Box& box : boxes) {
        if (const Box common = Intersect(box, whole); !common.empty()) {
          for (const ChunkPoint point : volume.grid(volume::kFinestScale).ChunksOver(common)) {
            stored.insert(point);
          }
        }
      }
    }
    return {stored.begin(), stored.end()};
  }

  absl::Status RestoreVoxels() {
    const Stages::Scope scope(stages_, "rename voxels");
    const std::vector<ChunkPoint> stored = StoredChunks();
    std::vector<std::optional<store::KeyedWrite>> writes(stored.size());
    CLEAVE_RETURN_IF_ERROR(
        ParallelFor(static_cast<int64_t>(stored.size()), DefaultThreadCount(), [&](int64_t i) -> absl::Status {
          CLEAVE_ASSIGN_OR_RETURN(writes[static_cast<size_t>(i)], RestoreChunk(stored[static_cast<size_t>(i)]));
          return absl::OkStatus();
        }));
    for (std::optional<store::KeyedWrite>& write : writes) {
      if (write.has_value()) {
        plan_.voxels.push_back(*std::move(write));
      }
    }
    for (const Fragment& fragment : requirements_.fragments) {
      if (const int64_t found = voxel_counts_[fragment.id]; found != fragment.voxel_count) {
        return absl::FailedPreconditionError(absl::StrCat(
            "supervoxel ", Value(fragment.id), " has ", found, " voxels, it was cut with ", fragment.voxel_count,
            ": others have written there; look with `cleave fsck`, or undo without the voxels"));
      }
    }
    return absl::OkStatus();
  }

  // Nothing for a chunk without a voxel of a fragment.
  absl::StatusOr<std::optional<store::KeyedWrite>> RestoreChunk(ChunkPoint chunk) {
    const volume::Volume& volume = draft_.segmentation();
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, volume.ReadChunk(volume::kFinestScale, chunk));
    CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> labels, volume.DecodeChunk(volume::kFinestScale, chunk, read));
    absl::flat_hash_map<NodeId, int64_t> counts;
    // In runs of one label.
    for (int64_t i = 0; i < labels.size();) {
      const uint64_t label = labels.data()[i];
      int64_t end = i + 1;
      while (end < labels.size() && labels.data()[end] == label) {
        ++end;
      }
      if (const auto former = former_of_.find(NodeId{label}); former != former_of_.end()) {
        std::fill(labels.data() + i, labels.data() + end, Value(former->second));
        counts[NodeId{label}] += end - i;
      }
      i = end;
    }
    if (counts.empty()) {
      return std::nullopt;
    }
    const std::lock_guard lock(mutex_);
    for (const auto& [id, count] : counts) {
      voxel_counts_[id] += count;
    }
    return volume.EncodeChunkWrite(volume::kFinestScale, chunk, std::as_const(labels).view(), read.generation);
  }

  absl::Status LoadEdges() {
    const Stages::Scope scope(stages_, "read graph");
    CLEAVE_ASSIGN_OR_RETURN(fragment_l2_nodes_, view_.Parents(FragmentIds()));
    std::ranges::sort(fragment_l2_nodes_);
    fragment_l2_nodes_.erase(std::ranges::unique(fragment_l2_nodes_).begin(), fragment_l2_nodes_.end());
    CLEAVE_ASSIGN_OR_RETURN(const graph::LocalGraph local,
                            draft_.LoadLocalGraph(fragment_l2_nodes_, graph::OuterEdges::kLoad));
    for (const graph::Edge& edge : local.active) {
      AddEdge(edge);
    }
    for (const graph::OuterEdge& outer : local.outer) {
      AddEdge(outer.edge);
    }
    CLEAVE_ASSIGN_OR_RETURN(stored_, ReadStoredEdges(draft_, requirements_.fragments));
    return RequireKnownRoots();
  }

  // Of an edge of a fragment, what it is of its supervoxel; parallel ones add up.
  void AddEdge(const graph::Edge& edge) {
    const EdgeEnds ends = Renamed(EdgeEnds{edge.node1, edge.node2}).Sorted();
    const bool is_of_fragment = former_of_.contains(edge.node1) || former_of_.contains(edge.node2);
    if (!is_of_fragment || ends.node1 == ends.node2) {
      return;
    }
    graph::Edge& sum = edges_.try_emplace(ends, graph::Edge{ends.node1, ends.node2, edge.affinity, 0}).first->second;
    sum.affinity = std::max(sum.affinity, edge.affinity);
    sum.area += edge.area;
  }

  absl::Status RequireKnownRoots() const {
    if (requirements_.roots.empty()) {
      return absl::OkStatus();
    }
    std::vector<NodeId> partners;
    for (const EdgeEnds& edge : stored_.infinite) {
      if (!IsRestored(edge.node2)) {
        partners.push_back(edge.node2);
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, view_.Roots(partners));
    const bool known =
        std::ranges::all_of(roots, [&](NodeId root) { return std::ranges::count(requirements_.roots, root) > 0; });
    return known ? absl::OkStatus() : absl::AbortedError("a neighbour changed before the chunks were locked");
  }

  bool IsRestored(NodeId supervoxel) const {
    return std::ranges::any_of(requirements_.fragments,
                               [&](const Fragment& fragment) { return fragment.former == supervoxel; });
  }

  absl::StatusOr<std::vector<NodeId>> ChangedL2Nodes() const {
    std::vector<NodeId> supervoxels = EndsOf(requirements_.joined_edges);
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::CrossEdges> cross_edges, view_.CrossEdgesOf(fragment_l2_nodes_));
    for (const graph::CrossEdges& of_node : cross_edges) {
      for (const auto& [layer, edges] : of_node) {
        for (const EdgeEnds& edge : edges) {
          if (former_of_.contains(edge.node1)) {
            supervoxels.push_back(edge.node2);
          }
        }
      }
    }
    for (const EdgeEnds& edge : stored_.infinite) {
      if (!IsRestored(edge.node2)) {
        supervoxels.push_back(edge.node2);
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> l2_nodes, view_.Parents(supervoxels));
    l2_nodes.insert(l2_nodes.end(), fragment_l2_nodes_.begin(), fragment_l2_nodes_.end());
    return l2_nodes;
  }

  absl::Status PlanNodes() {
    const Stages::Scope scope(stages_, "plan nodes");
    L2Rewrite rewrite(view_);
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> changed, ChangedL2Nodes());
    CLEAVE_RETURN_IF_ERROR(rewrite.Retire(changed));
    rewrite.Rename(former_of_);
    for (const NodeId l2_node : rewrite.retired()) {
      rewrite.LinkAllOf(l2_node);
    }
    std::vector<EdgeEnds> active = stored_.infinite;
    for (const EdgeEnds& edge : requirements_.joined_edges) {
      active.push_back(Renamed(edge));
    }
    for (const EdgeEnds& edge : active) {
      if (layout_.EdgeLayer(edge.node1, edge.node2) > graph::kSupervoxelLayer) {
        rewrite.AddCrossEdge(edge);
      } else if (edge.node1 != edge.node2) {
        rewrite.Link(edge);
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const graph::HierarchyPlan hierarchy,
                            graph::PlanHierarchy(view_, draft_.dataset().ids(), rewrite.retired(), rewrite.Pieces()));
    CLEAVE_RETURN_IF_ERROR(AddHierarchyRows(view_, hierarchy, requirements_.operation, plan_));
    AddRestoredRows(hierarchy, requirements_.operation, plan_);
    std::vector<graph::Edge> fresh;
    for (const auto& [ends, edge] : edges_) {
      if (!stored_.all.contains(ends)) {
        fresh.push_back(edge);
      }
    }
    std::ranges::move(graph::SplitEdgeRows(layout_, fresh), std::back_inserter(plan_.flip));
    return absl::OkStatus();
  }

  const Draft& draft_;
  const graph::IdLayout& layout_;
  const graph::GraphView view_;
  const RestoreRequirements& requirements_;
  Stages& stages_;
  const FormerMap former_of_;
  std::mutex mutex_;
  absl::flat_hash_map<NodeId, int64_t> voxel_counts_;  // of the fragments; guarded by mutex_ while chunks are read
  std::vector<NodeId> fragment_l2_nodes_;
  std::map<EdgeEnds, graph::Edge> edges_;  // of the restored supervoxels, ends sorted
  StoredEdges stored_;
  Plan plan_;
};

}  // namespace

absl::StatusOr<std::vector<NodeId>> FindStalePartners(const Draft& draft, std::span<const Fragment> fragments) {
  CLEAVE_ASSIGN_OR_RETURN(const StoredEdges stored, ReadStoredEdges(draft, fragments));
  absl::flat_hash_set<NodeId> restored;
  for (const Fragment& fragment : fragments) {
    restored.insert(fragment.former);
  }
  std::vector<NodeId> partners;
  for (const EdgeEnds& edge : stored.infinite) {
    if (!restored.contains(edge.node2)) {
      partners.push_back(edge.node2);
    }
  }
  return partners;
}

absl::StatusOr<Plan> PlanRestore(const Draft& draft, const RestoreRequirements& requirements, Stages& stages) {
  return Restorer(draft, requirements, stages).Run();
}

}  // namespace cleave::edit
