#include "edit/split_plan.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/edge_routing.h"
#include "edit/fragment_contacts.h"
#include "edit/l2_rewrite.h"
#include "edit/lock_keys.h"
#include "edit/plan_rows.h"
#include "edit/voxel_split.h"
#include "edit/working_graph.h"
#include "graph/hierarchy.h"
#include "graph/local_graph.h"
#include "table/table.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;

// A family is cut in voxels once as a rule; fragments that still meet elsewhere in it ask for another round.
constexpr int kVoxelRoundsMax = 4;

// One attempt at a split, with the edges and voxels of one region.
class Attempt {
 public:
  Attempt(const Draft& draft, const SplitRequirements& requirements, Stages& stages)
      : draft_(draft),
        dataset_(draft.dataset()),
        layout_(draft.layout()),
        view_(draft.Now()),
        requirements_(requirements),
        stages_(stages) {
    for (const std::vector<MarkedPoint>& side : requirements.sides) {
      supervoxels_.emplace_back();
      for (const MarkedPoint& point : side) {
        supervoxels_.back().push_back(point.supervoxel);
      }
    }
  }

  // True when the sides end in different roots; the plan is then whole.
  absl::StatusOr<bool> Run(const std::optional<Box>& region) {
    CLEAVE_RETURN_IF_ERROR(Load(region));
    CLEAVE_ASSIGN_OR_RETURN(planned_, PlannedVolume::Create(draft_.segmentation()));
    CLEAVE_ASSIGN_OR_RETURN(const RegionCut cut, CutRegion());
    if (cut.removed.empty() && plan_.plan.fragments.empty()) {
      return false;  // what joins the points lies outside the region
    }
    plan_.removed_edges = cut.removed;
    plan_.plan.supervoxel_components = cut.components;
    CLEAVE_RETURN_IF_ERROR(PlanNodes());
    CLEAVE_ASSIGN_OR_RETURN(const bool parted, Parted());
    if (!parted) {
      return false;
    }
    CLEAVE_RETURN_IF_ERROR(FillRows());
    return true;
  }

  SplitPlan Take() { return std::move(plan_); }

 private:
  absl::Status Load(const std::optional<Box>& region) {
    const auto read = [&]() -> absl::StatusOr<graph::LocalGraph> {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> l2_nodes, view_.L2Nodes(requirements_.root, region));
      return draft_.LoadLocalGraph(l2_nodes, graph::OuterEdges::kLoad);
    };
    CLEAVE_ASSIGN_OR_RETURN(graph::LocalGraph local, stages_.Run("read graph", read));
    working_.emplace(std::move(local));
    return absl::OkStatus();
  }

  absl::StatusOr<RegionCut> CutRegion() {
    for (int round = 0; round < kVoxelRoundsMax; ++round) {
      absl::StatusOr<RegionCut> cut = Cut();
      if (!cut.ok() || cut->shared_families.empty()) {
        return cut;
      }
      for (const std::vector<NodeId>& family : cut->shared_families) {
        CLEAVE_RETURN_IF_ERROR(SplitFamily(family));
      }
      CLEAVE_RETURN_IF_ERROR(LookUpPoints());
    }
    return absl::FailedPreconditionError(
        "two sides still meet inside one supervoxel after it was cut; place more points on both sides");
  }

  absl::StatusOr<RegionCut> Cut() {
    return stages_.Run("graph cut", [&] {
      return working_->Cut(DistinctSupervoxels(), {requirements_.augment_paths, requirements_.refuse_isolating_cut});
    });
  }

  std::vector<std::vector<NodeId>> DistinctSupervoxels() const {
    std::vector<std::vector<NodeId>> distinct = supervoxels_;
    for (std::vector<NodeId>& ids : distinct) {
      std::ranges::sort(ids);
      ids.erase(std::ranges::unique(ids).begin(), ids.end());
    }
    return distinct;
  }

  // The sides that have points in the family, by their numbers, and these points.
  struct FamilySides {
    std::vector<int> numbers;
    std::vector<std::vector<VoxelPoint>> groups;
  };
  FamilySides SidesIn(const std::vector<NodeId>& family) const {
    FamilySides sides;
    for (size_t side = 0; side < supervoxels_.size(); ++side) {
      if (std::vector<VoxelPoint> points = PointsIn(requirements_.sides[side], supervoxels_[side], family);
          !points.empty()) {
        sides.numbers.push_back(static_cast<int>(side) + 1);
        sides.groups.push_back(std::move(points));
      }
    }
    return sides;
  }

  // What the earlier split made of the family, if it cut any of it. `numbers` are the sides of the groups of points.
  std::optional<EarlierCut> EarlierCutOf(const std::vector<NodeId>& family, const std::vector<int>& numbers) const {
    std::optional<EarlierCut> earlier;
    const auto is_of_family = [&](const Fragment& fragment) {
      return std::ranges::binary_search(family, fragment.former);
    };
    if (requirements_.earlier.has_value() && std::ranges::any_of(requirements_.earlier->fragments, is_of_family)) {
      earlier.emplace();
      earlier->voxels = requirements_.earlier->voxels;
      for (const Fragment& fragment : requirements_.earlier->fragments) {
        if (const auto group = std::ranges::find(numbers, fragment.side); group != numbers.end()) {
          earlier->side_of[Value(fragment.id)] = static_cast<uint8_t>(group - numbers.begin() + 1);
        }
      }
    }
    return earlier;
  }

  absl::StatusOr<VoxelSplit> CutVoxelsOf(const std::vector<NodeId>& family) {
    FamilySides sides = SidesIn(family);
    const std::optional<EarlierCut> earlier = EarlierCutOf(family, sides.numbers);
    const VoxelSplitRequest request{family, std::move(sides.groups), earlier.has_value() ? &*earlier : nullptr};
    CLEAVE_ASSIGN_OR_RETURN(VoxelSplit split,
                            PlanVoxelSplit(*planned_, layout_, dataset_.ids(), dataset_.meta().voxel_size_nm, request,
                                           working_->InfiniteEdges(family), stages_));
    const auto number = [&](int group) { return sides.numbers[static_cast<size_t>(group) - 1]; };
    for (Fragment& fragment : split.fragments) {
      fragment.side = number(fragment.side);
    }
    for (auto& [supervoxel, side] : split.side_of) {
      side = number(side);
    }
    return split;
  }

  absl::Status SplitFamily(const std::vector<NodeId>& family) {
    CLEAVE_RETURN_IF_ERROR(LockChunksOf(family));
    CLEAVE_ASSIGN_OR_RETURN(const VoxelSplit split, CutVoxelsOf(family));
    const std::vector<RoutedEdge> old_edges = working_->EdgesOfReplaced(split);
    const auto route = [&]() -> absl::StatusOr<std::vector<RoutedEdge>> {
      CLEAVE_ASSIGN_OR_RETURN(const FragmentContacts contacts, FindContacts(*planned_, layout_, split));
      return RouteEdges(*planned_, layout_, dataset_.meta().voxel_size_nm, split, contacts, old_edges);
    };
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<RoutedEdge> routed, stages_.Run("route edges", route));
    for (const RoutedEdge& old : old_edges) {
      if (old.active) {
        touched_.insert(old.edge.node1);
        touched_.insert(old.edge.node2);
      }
    }
    working_->Replace(split, routed);
    AddFragments(split);
    return absl::OkStatus();
  }

  // A fragment of an earlier round that was cut again never was: it is replaced by its own fragments.
  void AddFragments(const VoxelSplit& split) {
    absl::flat_hash_map<NodeId, NodeId> former_of;
    for (const Fragment& fragment : plan_.plan.fragments) {
      former_of[fragment.id] = fragment.former;
    }
    absl::flat_hash_set<NodeId> cut_again;
    std::vector<Fragment> fragments;
    for (Fragment fragment : split.fragments) {
      if (const auto former = former_of.find(fragment.former); former != former_of.end()) {
        cut_again.insert(fragment.former);
        fragment.former = former->second;
      }
      fragments.push_back(fragment);
    }
    std::erase_if(plan_.plan.fragments, [&](const Fragment& fragment) { return cut_again.contains(fragment.id); });
    plan_.plan.fragments.insert(plan_.plan.fragments.end(), fragments.begin(), fragments.end());
    if (!split.changed_box.empty()) {
      plan_.plan.changed_boxes.push_back(split.changed_box);
    }
  }

  static std::vector<VoxelPoint> PointsIn(const std::vector<MarkedPoint>& points, const std::vector<NodeId>& now,
                                          const std::vector<NodeId>& family) {
    std::vector<VoxelPoint> found;
    for (size_t i = 0; i < points.size(); ++i) {
      if (std::ranges::binary_search(family, now[i])) {
        found.push_back(points[i].point);
      }
    }
    return found;
  }

  absl::Status LockChunksOf(const std::vector<NodeId>& family) {
    std::vector<ChunkPoint>& scope = plan_.plan.chunk_scope;
    const std::vector<ChunkPoint> around = ChunksAround(layout_, family);
    scope.insert(scope.end(), around.begin(), around.end());
    std::ranges::sort(scope);
    scope.erase(std::ranges::unique(scope).begin(), scope.end());
    return requirements_.lock_chunks ? requirements_.lock_chunks(scope) : absl::OkStatus();
  }

  absl::Status LookUpPoints() {
    for (size_t side = 0; side < supervoxels_.size(); ++side) {
      std::vector<VoxelPoint> voxels;
      voxels.reserve(requirements_.sides[side].size());
      for (const MarkedPoint& point : requirements_.sides[side]) {
        voxels.push_back(point.point);
      }
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> labels,
                              planned_->volume().ReadVoxels(volume::kFinestScale, voxels));
      supervoxels_[side] = graph::ToNodeIds(labels);
    }
    return absl::OkStatus();
  }

  absl::Status PlanNodes() {
    const Stages::Scope scope(stages_, "plan nodes");
    L2Rewrite rewrite(view_);
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> changed, ChangedL2Nodes());
    CLEAVE_RETURN_IF_ERROR(rewrite.Retire(changed));
    absl::flat_hash_map<NodeId, std::vector<NodeId>> fragments_of;
    for (const Fragment& fragment : plan_.plan.fragments) {
      fragments_of[fragment.former].push_back(fragment.id);
    }
    for (const auto& [former, fragments] : fragments_of) {
      rewrite.ReplaceSupervoxel(former, fragments);
    }
    AddEdges(rewrite);
    CLEAVE_ASSIGN_OR_RETURN(hierarchy_, graph::PlanHierarchy(view_, dataset_.ids(), changed, rewrite.Pieces()));
    return absl::OkStatus();
  }

  // The L2 nodes of every supervoxel that was cut, lost an edge, or had one to a supervoxel that was cut.
  absl::StatusOr<std::vector<NodeId>> ChangedL2Nodes() const {
    absl::flat_hash_set<NodeId> changed;
    std::vector<NodeId> outside;
    const auto add = [&](NodeId supervoxel) {
      if (const NodeId l2_node = working_->L2Of(supervoxel); l2_node != NodeId{}) {
        changed.insert(l2_node);
      } else {
        outside.push_back(supervoxel);
      }
    };
    for (const EdgeEnds& edge : plan_.removed_edges) {
      add(edge.node1);
      add(edge.node2);
    }
    for (const RoutedEdge& routed : working_->routed()) {
      if (routed.active) {
        add(routed.edge.node1);
        add(routed.edge.node2);
      }
    }
    for (const Fragment& fragment : plan_.plan.fragments) {
      add(fragment.id);
    }
    for (const NodeId supervoxel : touched_) {
      add(supervoxel);
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> parents, view_.Parents(outside));
    for (const NodeId parent : parents) {
      if (parent != NodeId{}) {
        changed.insert(parent);
      }
    }
    std::vector<NodeId> list(changed.begin(), changed.end());
    std::ranges::sort(list);
    return list;
  }

  void AddEdges(L2Rewrite& rewrite) const {
    const absl::flat_hash_set<EdgeEnds> removed(plan_.removed_edges.begin(), plan_.removed_edges.end());
    for (const graph::Edge& edge : working_->active()) {
      const EdgeEnds ends{edge.node1, edge.node2};
      if (layout_.EdgeLayer(ends.node1, ends.node2) == graph::kSupervoxelLayer && !removed.contains(ends.Sorted())) {
        rewrite.Link(ends);
      }
    }
    for (const NodeId l2_node : rewrite.retired()) {
      if (!working_->l2_nodes().contains(l2_node)) {
        rewrite.LinkAllOf(l2_node);
      }
    }
    for (const RoutedEdge& routed : working_->routed()) {
      const EdgeEnds ends{routed.edge.node1, routed.edge.node2};
      if (routed.active && layout_.EdgeLayer(ends.node1, ends.node2) > graph::kSupervoxelLayer) {
        rewrite.AddCrossEdge(ends);
      }
    }
    for (const EdgeEnds& edge : plan_.removed_edges) {
      rewrite.RemoveCrossEdge(edge);
    }
  }

  // Whether no root holds points of two sides.
  absl::StatusOr<bool> Parted() const {
    absl::flat_hash_map<NodeId, size_t> side_of;
    const std::vector<std::vector<NodeId>> sides = DistinctSupervoxels();
    for (size_t side = 0; side < sides.size(); ++side) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, PlannedRoots(sides[side]));
      for (const NodeId root : roots) {
        if (side_of.try_emplace(root, side).first->second != side) {
          return false;
        }
      }
    }
    return true;
  }

  // The root of each supervoxel in the new state. A node that the plan leaves as it is keeps its stored parent, which
  // may have got a planned one.
  absl::StatusOr<std::vector<NodeId>> PlannedRoots(const std::vector<NodeId>& supervoxels) const {
    absl::flat_hash_map<NodeId, NodeId> parent_of;
    for (const graph::PlannedNode& node : hierarchy_.nodes) {
      for (const NodeId child : node.children) {
        parent_of[child] = node.id;
      }
    }
    std::vector<NodeId> roots = supervoxels;
    for (NodeId& root : roots) {
      for (NodeId up = root; up != NodeId{};) {
        root = up;
        if (const auto planned = parent_of.find(root); planned != parent_of.end()) {
          up = planned->second;
        } else {
          const NodeId one[] = {root};
          CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> stored, view_.Parents(one));
          up = stored.front();
        }
      }
    }
    return roots;
  }

  absl::Status FillRows() {
    const Stages::Scope scope(stages_, "plan rows");
    CLEAVE_RETURN_IF_ERROR(AddHierarchyRows(view_, hierarchy_, requirements_.operation, plan_.plan));
    CLEAVE_RETURN_IF_ERROR(AddFragmentRows(draft_.reader(), requirements_.operation, plan_.plan));
    std::vector<graph::Edge> edges;
    for (const RoutedEdge& routed : working_->routed()) {
      edges.push_back(routed.edge);
    }
    for (table::RowMutation& row : graph::SplitEdgeRows(layout_, edges)) {
      plan_.plan.flip.push_back(std::move(row));
    }
    plan_.plan.voxels = planned_->writes().Take();
    plan_.side_supervoxels = supervoxels_;
    return absl::OkStatus();
  }

  const Draft& draft_;
  graph::Dataset& dataset_;
  const graph::IdLayout& layout_;
  const graph::GraphView view_;
  const SplitRequirements& requirements_;
  Stages& stages_;
  std::vector<std::vector<NodeId>> supervoxels_;  // at the points of each side, as the attempt goes on
  std::optional<WorkingGraph> working_;
  std::unique_ptr<PlannedVolume> planned_;
  absl::flat_hash_set<NodeId> touched_;  // ends of active edges that routing took away
  graph::HierarchyPlan hierarchy_;
  SplitPlan plan_;
};

Box EnvelopeOf(const SplitRequirements& requirements) {
  Box box = BoxAt(requirements.sides.front().front().point, {1, 1, 1});
  for (const std::vector<MarkedPoint>& side : requirements.sides) {
    for (const MarkedPoint& point : side) {
      box = Envelope(box, BoxAt(point.point, {1, 1, 1}));
    }
  }
  return box;
}

}  // namespace

absl::StatusOr<SplitPlan> PlanSplit(const Draft& draft, const SplitRequirements& requirements, Stages& stages) {
  const graph::IdLayout& layout = draft.layout();
  struct Region {
    VoxelPoint margin;
    std::optional<Box> box;
  };
  // One and four chunks around the points, then the whole object.
  std::vector<Region> regions;
  for (const int64_t margin_chunks : {1, 4}) {
    const Extent3 size = layout.chunk_size();
    const VoxelPoint margin{margin_chunks * size.x, margin_chunks * size.y, margin_chunks * size.z};
    const Box box = layout.AlignToChunks(Grow(EnvelopeOf(requirements), {margin.x, margin.y, margin.z}));
    if (box != layout.volume() && (regions.empty() || *regions.back().box != box)) {
      regions.push_back({margin, box});
    }
  }
  const Extent3 whole = layout.volume().extent();
  regions.push_back({{whole.x, whole.y, whole.z}, std::nullopt});
  for (const Region& region : regions) {
    Attempt attempt(draft, requirements, stages);
    CLEAVE_ASSIGN_OR_RETURN(const bool parted, attempt.Run(region.box));
    if (parted) {
      SplitPlan plan = attempt.Take();
      plan.margin = region.margin;
      return plan;
    }
  }
  return absl::FailedPreconditionError(
      absl::StrCat("object ", graph::ToString(requirements.root),
                   " stays in one piece whatever is cut between these points; place more points on both sides"));
}

}  // namespace cleave::edit
