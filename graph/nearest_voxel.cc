#include "graph/nearest_voxel.h"

#include <cmath>
#include <limits>
#include <vector>

#include "absl/container/flat_hash_set.h"

#include "base/array.h"
#include "base/status.h"
#include "volume/volume.h"

namespace cleave::graph {
namespace {

// Half the side of each box, in mean voxel sizes.
constexpr double kReachSteps[] = {0, 4, 8, 14, kSurfaceReachVoxels};

Box BoxAround(VoxelPoint point, double reach_nm, const VoxelSizeNm& size) {
  const auto voxels = [&](double size_nm) { return static_cast<int64_t>(reach_nm / size_nm); };
  return Grow(BoxAt(point, {1, 1, 1}), {voxels(size.x), voxels(size.y), voxels(size.z)});
}

// The labels of an array that lie below `node`.
absl::StatusOr<absl::flat_hash_set<uint64_t>> LabelsBelow(const GraphView& view, const Array3<uint64_t>& labels,
                                                          NodeId node) {
  absl::flat_hash_set<uint64_t> distinct;
  const int64_t count = Count(labels.extent());
  for (int64_t i = 0; i < count; ++i) {
    if (labels.data()[i] != 0) {
      distinct.insert(labels.data()[i]);
    }
  }
  const std::vector<NodeId> supervoxels = ToNodeIds({distinct.begin(), distinct.end()});
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> above, view.Ancestors(supervoxels, view.layout().LayerOf(node)));
  absl::flat_hash_set<uint64_t> below;
  for (size_t i = 0; i < supervoxels.size(); ++i) {
    if (above[i] == node) {
      below.insert(Value(supervoxels[i]));
    }
  }
  return below;
}

// Nothing when the nearest lies farther than `reach_nm`: a nearer one may then lie outside of the box.
std::optional<VoxelPoint> NearestIn(const Array3<uint64_t>& labels, const Box& box,
                                    const absl::flat_hash_set<uint64_t>& wanted, VoxelPoint point, double reach_nm,
                                    const VoxelSizeNm& size) {
  double least = std::numeric_limits<double>::infinity();
  VoxelPoint nearest;
  const uint64_t* label = labels.data();
  for (int64_t z = box.lo.z; z < box.hi.z; ++z) {
    for (int64_t y = box.lo.y; y < box.hi.y; ++y) {
      for (int64_t x = box.lo.x; x < box.hi.x; ++x, ++label) {
        const double distance =
            std::hypot(static_cast<double>(x - point.x) * size.x, static_cast<double>(y - point.y) * size.y,
                       static_cast<double>(z - point.z) * size.z);
        if (*label != 0 && distance < least && wanted.contains(*label)) {
          least = distance;
          nearest = {x, y, z};
        }
      }
    }
  }
  return least <= reach_nm ? std::optional(nearest) : std::nullopt;
}

}  // namespace

absl::StatusOr<std::optional<VoxelPoint>> NearestVoxel(const GraphView& view, const volume::Volume& segmentation,
                                                       const VoxelSizeNm& size, NodeId node, VoxelPoint point) {
  const double mean_nm = (size.x + size.y + size.z) / 3;
  for (const double step : kReachSteps) {
    const Box box = Intersect(BoxAround(point, step * mean_nm, size), view.layout().volume());
    if (box.empty()) {
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, segmentation.ReadBox(volume::kFinestScale, box));
    CLEAVE_ASSIGN_OR_RETURN(const absl::flat_hash_set<uint64_t> wanted, LabelsBelow(view, labels, node));
    const std::optional<VoxelPoint> nearest = NearestIn(labels, box, wanted, point, step * mean_nm, size);
    if (nearest.has_value()) {
      return nearest;
    }
  }
  return std::nullopt;
}

}  // namespace cleave::graph
