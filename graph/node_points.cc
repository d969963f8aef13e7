#include "graph/node_points.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "base/array.h"
#include "base/parallel.h"
#include "base/status.h"
#include "graph/descend.h"
#include "volume/volume.h"

namespace cleave::graph {
namespace {

// What is sought in one chunk.
struct Target {
  size_t place = 0;  // in the answer
  std::vector<NodeId> supervoxels;
};

PointNm MiddleOfBox(const Box& box, const VoxelSizeNm& size) {
  return {0.5 * static_cast<double>(box.lo.x + box.hi.x) * size.x,
          0.5 * static_cast<double>(box.lo.y + box.hi.y) * size.y,
          0.5 * static_cast<double>(box.lo.z + box.hi.z) * size.z};
}

// The targets that a supervoxel belongs to: itself, the L2 node above it, or both.
using Slots = absl::flat_hash_map<uint64_t, std::vector<size_t>>;

// Calls visit(slot, first, count) for each run of voxels along x and each target that they belong to.
template <typename Visit>
void ForEachRun(const Array3<uint64_t>& labels, const Slots& slots_of, Visit visit) {
  const Extent3 extent = labels.extent();
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      const uint64_t* row = labels.data() + extent.x * (y + extent.y * z);
      for (int64_t x = 0; x < extent.x;) {
        const int64_t begin = x;
        const uint64_t label = row[x];
        while (x < extent.x && row[x] == label) {
          ++x;
        }
        const auto slots = label == 0 ? slots_of.end() : slots_of.find(label);
        if (slots != slots_of.end()) {
          for (const size_t slot : slots->second) {
            visit(slot, VoxelPoint{begin, y, z}, x - begin);
          }
        }
      }
    }
  }
}

struct Mean {
  double x = 0;
  double y = 0;
  double z = 0;
  int64_t count = 0;
};

std::vector<Mean> MeansOf(const Array3<uint64_t>& labels, const Slots& slots_of, size_t targets) {
  std::vector<Mean> means(targets);
  ForEachRun(labels, slots_of, [&](size_t slot, VoxelPoint first, int64_t count) {
    const auto n = static_cast<double>(count);
    means[slot].x += n * (static_cast<double>(first.x) + 0.5 * (n - 1));
    means[slot].y += n * static_cast<double>(first.y);
    means[slot].z += n * static_cast<double>(first.z);
    means[slot].count += count;
  });
  for (Mean& mean : means) {
    const double n = static_cast<double>(std::max<int64_t>(1, mean.count));
    mean = {mean.x / n, mean.y / n, mean.z / n, mean.count};
  }
  return means;
}

// The voxel of each target nearest to its mean, as an index into the array.
std::vector<std::optional<VoxelPoint>> NearestVoxels(const Array3<uint64_t>& labels, const VoxelSizeNm& size,
                                                     const Slots& slots_of, size_t targets) {
  const std::vector<Mean> means = MeansOf(labels, slots_of, targets);
  std::vector<double> least(targets, std::numeric_limits<double>::infinity());
  std::vector<std::optional<VoxelPoint>> nearest(targets);
  const auto squared = [](double length) { return length * length; };
  ForEachRun(labels, slots_of, [&](size_t slot, VoxelPoint first, int64_t count) {
    // The nearest of a run is where the mean's x falls.
    const int64_t x = std::clamp(static_cast<int64_t>(std::ceil(means[slot].x - 0.5)), first.x, first.x + count - 1);
    const double distance = squared((static_cast<double>(x) - means[slot].x) * size.x) +
                            squared((static_cast<double>(first.y) - means[slot].y) * size.y) +
                            squared((static_cast<double>(first.z) - means[slot].z) * size.z);
    if (distance < least[slot]) {
      least[slot] = distance;
      nearest[slot] = VoxelPoint{x, first.y, first.z};
    }
  });
  return nearest;
}

absl::StatusOr<std::map<ChunkPoint, std::vector<Target>>> TargetsByChunk(const GraphView& view,
                                                                         std::span<const NodeId> nodes) {
  const IdLayout& layout = view.layout();
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> firsts, FirstSupervoxels(view, nodes));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> parents, view.Parents(firsts));
  std::vector<NodeId> l2_nodes;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (parents[i] == NodeId{}) {
      return absl::NotFoundError(absl::StrCat("there is no node ", Value(nodes[i]), " at this time"));
    }
    l2_nodes.push_back(layout.LayerOf(nodes[i]) == kL2Layer ? nodes[i] : parents[i]);
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::vector<NodeId>> children, view.Children(l2_nodes));
  std::map<ChunkPoint, std::vector<Target>> targets;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const bool is_supervoxel = layout.LayerOf(nodes[i]) == kSupervoxelLayer;
    targets[layout.ChunkOf(firsts[i]).position].push_back(
        {i, is_supervoxel ? std::vector<NodeId>{nodes[i]} : std::move(children[i])});
  }
  return targets;
}

}  // namespace

PointNm MiddleOf(VoxelPoint voxel, const VoxelSizeNm& size) {
  return MiddleOfBox({voxel, voxel + Extent3{1, 1, 1}}, size);
}

absl::StatusOr<std::vector<PointNm>> ChunkMiddles(const IdLayout& layout, const VoxelSizeNm& size,
                                                  std::span<const NodeId> nodes) {
  std::vector<PointNm> points;
  for (const NodeId node : nodes) {
    CLEAVE_RETURN_IF_ERROR(layout.Validate(node));
    points.push_back(MiddleOfBox(layout.ChunkBox(layout.ChunkOf(node)), size));
  }
  return points;
}

absl::StatusOr<std::vector<NodePoint>> NodePoints(const GraphView& view, const volume::Volume& segmentation,
                                                  const VoxelSizeNm& size, std::span<const NodeId> nodes) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<PointNm> middles, ChunkMiddles(view.layout(), size, nodes));
  CLEAVE_ASSIGN_OR_RETURN(const auto by_chunk, TargetsByChunk(view, nodes));
  const std::vector<std::pair<ChunkPoint, std::vector<Target>>> chunks(by_chunk.begin(), by_chunk.end());
  std::vector<NodePoint> points(nodes.size());
  CLEAVE_RETURN_IF_ERROR(
      ParallelFor(static_cast<int64_t>(chunks.size()), DefaultThreadCount(), [&](int64_t index) -> absl::Status {
        const auto& [chunk, targets] = chunks[static_cast<size_t>(index)];
        const Box box = view.layout().ChunkBox({kSupervoxelLayer, chunk});
        CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, segmentation.ReadBox(0, box));
        Slots slots_of;
        for (size_t slot = 0; slot < targets.size(); ++slot) {
          for (const NodeId supervoxel : targets[slot].supervoxels) {
            slots_of[Value(supervoxel)].push_back(slot);
          }
        }
        const std::vector<std::optional<VoxelPoint>> voxels = NearestVoxels(labels, size, slots_of, targets.size());
        for (size_t slot = 0; slot < targets.size(); ++slot) {
          const size_t place = targets[slot].place;
          points[place] = {middles[place], std::nullopt};
          if (voxels[slot].has_value()) {
            const VoxelPoint at{box.lo.x + voxels[slot]->x, box.lo.y + voxels[slot]->y, box.lo.z + voxels[slot]->z};
            points[place] = {MiddleOf(at, size), at};
          }
        }
        return absl::OkStatus();
      }));
  return points;
}

}  // namespace cleave::graph
