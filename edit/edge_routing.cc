#include "edit/edge_routing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "base/array.h"
#include "base/status.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

using graph::Edge;
using graph::EdgeEnds;
using graph::NodeId;

// The distance between two boxes in nm; 0 where they overlap.
double DistanceNm(const Box& a, const Box& b, VoxelSizeNm voxel_size_nm) {
  const double size[] = {voxel_size_nm.x, voxel_size_nm.y, voxel_size_nm.z};
  double squared = 0;
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t gap = std::max({int64_t{0}, b.lo[axis] - a.hi[axis] + 1, a.lo[axis] - b.hi[axis] + 1});
    squared += std::pow(static_cast<double>(gap) * size[axis], 2);
  }
  return std::sqrt(squared);
}

class Router {
 public:
  Router(const PlannedVolume& planned, const graph::IdLayout& layout, VoxelSizeNm voxel_size_nm,
         const VoxelSplit& split, const FragmentContacts& contacts)
      : planned_(planned), layout_(layout), voxel_size_nm_(voxel_size_nm), split_(split), contacts_(contacts) {
    for (const Fragment& fragment : split.fragments) {
      parts_[fragment.former].push_back(fragment.id);
    }
  }

  absl::Status Route(const RoutedEdge& old) {
    const std::vector<NodeId> parts1 = PartsOf(old.edge.node1);
    const std::vector<NodeId> parts2 = PartsOf(old.edge.node2);
    const bool infinite = std::isinf(old.edge.affinity);
    uint64_t total_faces = 0;
    bool touches = false;
    for (const NodeId a : parts1) {
      for (const NodeId b : parts2) {
        total_faces += contacts_.FaceCount({a, b});
        touches = touches || contacts_.across.contains(EdgeEnds{a, b}.Sorted());
      }
    }
    if (!(infinite ? touches : total_faces > 0)) {
      return RouteToNearest(old, parts1, parts2);
    }
    for (const NodeId a : parts1) {
      for (const NodeId b : parts2) {
        if (infinite) {
          RouteInfinite(old, a, b);
        } else if (const uint64_t faces = contacts_.FaceCount({a, b}); faces > 0) {
          const double share = static_cast<double>(faces) / static_cast<double>(total_faces);
          Add({a, b, static_cast<float>(old.edge.affinity * share),
               static_cast<uint64_t>(std::llround(static_cast<double>(old.edge.area) * share))},
              old.active);
        }
      }
    }
    return absl::OkStatus();
  }

  // Rule 3.
  void JoinSides() {
    for (const auto& [ends, faces] : contacts_.faces) {
      const auto side1 = split_.side_of.find(ends.node1);
      const auto side2 = split_.side_of.find(ends.node2);
      if (side1 != split_.side_of.end() && side2 != split_.side_of.end() && side1->second != side2->second) {
        AddParted(ends.node1, ends.node2, true);
      }
    }
  }

  std::vector<RoutedEdge> Take() {
    std::vector<RoutedEdge> edges;
    for (auto& [ends, routed] : edges_) {
      edges.push_back(routed);
    }
    return edges;
  }

 private:
  std::vector<NodeId> PartsOf(NodeId id) const {
    const auto found = parts_.find(id);
    return found == parts_.end() ? std::vector<NodeId>{id} : found->second;
  }

  // 0 where the side is not known.
  int SideOf(NodeId id) const {
    const auto found = split_.side_of.find(id);
    return found == split_.side_of.end() ? 0 : found->second;
  }

  void RouteInfinite(const RoutedEdge& old, NodeId a, NodeId b) {
    if (!contacts_.across.contains(EdgeEnds{a, b}.Sorted())) {
      return;
    }
    if (SideOf(a) != 0 && SideOf(b) != 0 && SideOf(a) != SideOf(b)) {
      AddParted(a, b, old.active);
    } else {
      Add({a, b, old.edge.affinity, old.edge.area}, old.active);
    }
  }

  void AddParted(NodeId a, NodeId b, bool active) {
    if (const uint64_t faces = contacts_.FaceCount({a, b}); faces > 0) {
      Add({a, b, kPartedAffinity, faces}, active);
    }
  }

  // The first edge given for a pair counts: an old edge before the one that merely says that two sides touch.
  void Add(const Edge& edge, bool active) {
    edges_.try_emplace(EdgeEnds{edge.node1, edge.node2}.Sorted(), RoutedEdge{edge, active});
  }

  absl::Status RouteToNearest(const RoutedEdge& old, const std::vector<NodeId>& parts1,
                              const std::vector<NodeId>& parts2) {
    double best = std::numeric_limits<double>::infinity();
    std::pair<NodeId, NodeId> nearest;
    for (const NodeId a : parts1) {
      for (const NodeId b : parts2) {
        if (std::isinf(old.edge.affinity) && SideOf(a) != 0 && SideOf(b) != 0 && SideOf(a) != SideOf(b)) {
          continue;  // an infinite edge never joins two sides
        }
        CLEAVE_ASSIGN_OR_RETURN(const Box box_a, BoxOf(a));
        CLEAVE_ASSIGN_OR_RETURN(const Box box_b, BoxOf(b));
        if (const double distance = DistanceNm(box_a, box_b, voxel_size_nm_); distance < best) {
          best = distance;
          nearest = {a, b};
        }
      }
    }
    if (nearest.first != NodeId{}) {
      Add({nearest.first, nearest.second, old.edge.affinity, old.edge.area}, old.active);
    }
    return absl::OkStatus();
  }

  // The smallest box of a supervoxel's voxels; its chunk's where it has none.
  absl::StatusOr<Box> BoxOf(NodeId id) {
    if (const auto known = boxes_.find(id); known != boxes_.end()) {
      return known->second;
    }
    const Box chunk = layout_.ChunkBox(layout_.ChunkOf(id));
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, planned_.volume().ReadBox(volume::kFinestScale, chunk));
    Box box{chunk.hi, chunk.lo};
    for (int64_t z = 0; z < labels.extent().z; ++z) {
      for (int64_t y = 0; y < labels.extent().y; ++y) {
        for (int64_t x = 0; x < labels.extent().x; ++x) {
          if (labels.view().Row(y, z)[x] == Value(id)) {
            box = Envelope(box, BoxAt(chunk.lo + VoxelPoint{x, y, z}, {1, 1, 1}));
          }
        }
      }
    }
    return boxes_[id] = box.empty() ? chunk : box;
  }

  const PlannedVolume& planned_;
  const graph::IdLayout& layout_;
  VoxelSizeNm voxel_size_nm_;
  const VoxelSplit& split_;
  const FragmentContacts& contacts_;
  absl::flat_hash_map<NodeId, std::vector<NodeId>> parts_;
  absl::flat_hash_map<NodeId, Box> boxes_;
  std::map<EdgeEnds, RoutedEdge> edges_;
};

}  // namespace

absl::StatusOr<std::vector<RoutedEdge>> RouteEdges(const PlannedVolume& planned, const graph::IdLayout& layout,
                                                   VoxelSizeNm voxel_size_nm, const VoxelSplit& split,
                                                   const FragmentContacts& contacts,
                                                   std::span<const RoutedEdge> old_edges) {
  Router router(planned, layout, voxel_size_nm, split, contacts);
  for (const RoutedEdge& old : old_edges) {
    CLEAVE_RETURN_IF_ERROR(router.Route(old));
  }
  router.JoinSides();
  return router.Take();
}

}  // namespace cleave::edit
