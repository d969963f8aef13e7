#include "ingest/contact_seeds.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"

#include "cut/depth.h"
#include "cut/mask_grid.h"

namespace cleave::ingest {
namespace {

constexpr double kWindowNm = 600;  // on each side of the middle
// A voxel that is this much nearer to the middle may be less deep by one.
constexpr double kDistanceForDepth = 4;

// A face between two labels: the voxel of the smaller label, and that of the other.
struct Face {
  VoxelPoint low;
  VoxelPoint high;
};

double DistanceNm(VoxelPoint a, VoxelPoint b, const VoxelSizeNm& size) {
  return std::hypot(static_cast<double>(a.x - b.x) * size.x, static_cast<double>(a.y - b.y) * size.y,
                    static_cast<double>(a.z - b.z) * size.z);
}

// The faces along x and y of the wanted pairs, by section. Those along z lie between sections and are not seen.
class FaceFinder {
 public:
  explicit FaceFinder(const std::vector<FusePair>& pairs) : faces_(pairs.size()) {
    for (size_t i = 0; i < pairs.size(); ++i) {
      index_of_[std::minmax(pairs[i].a, pairs[i].b)] = i;
    }
  }

  void Scan(ArrayView3<const uint64_t> labels) {
    const Extent3 extent = labels.extent();
    for (int64_t z = 0; z < extent.z; ++z) {
      for (int64_t y = 0; y < extent.y; ++y) {
        const uint64_t* row = labels.Row(y, z);
        const uint64_t* next = y + 1 < extent.y ? labels.Row(y + 1, z) : row;
        for (int64_t x = 0; x < extent.x; ++x) {
          if (x + 1 < extent.x && row[x] != row[x + 1]) {
            Add({row[x], row[x + 1]}, {{x, y, z}, {x + 1, y, z}});
          }
          if (row[x] != next[x]) {
            Add({row[x], next[x]}, {{x, y, z}, {x, y + 1, z}});
          }
        }
      }
    }
  }

  [[nodiscard]] const std::map<int64_t, std::vector<Face>>& Of(size_t pair) const { return faces_[pair]; }

 private:
  using Pair = std::pair<uint64_t, uint64_t>;

  void Add(Pair pair, Face face) {
    if (pair.first > pair.second) {
      std::swap(pair.first, pair.second);
      std::swap(face.low, face.high);
    }
    if (pair != last_) {
      last_ = pair;
      const auto found = index_of_.find(pair);
      last_faces_ = found == index_of_.end() ? nullptr : &faces_[found->second];
    }
    if (last_faces_ != nullptr) {
      (*last_faces_)[face.low.z].push_back(face);
    }
  }

  absl::flat_hash_map<Pair, size_t> index_of_;
  std::vector<std::map<int64_t, std::vector<Face>>> faces_;
  Pair last_;
  std::map<int64_t, std::vector<Face>>* last_faces_ = nullptr;
};

Face MiddleOf(const std::vector<Face>& faces, const VoxelSizeNm& size) {
  VoxelPoint sum;
  for (const Face& face : faces) {
    sum = sum + face.low;
  }
  const int64_t count = static_cast<int64_t>(faces.size());
  const VoxelPoint mean{sum.x / count, sum.y / count, sum.z / count};
  return *std::ranges::min_element(faces, {}, [&](const Face& face) { return DistanceNm(face.low, mean, size); });
}

// The voxels of the label at `start` that are joined to it through faces inside `labels`.
Array3<uint8_t> PieceAt(ArrayView3<const uint64_t> labels, VoxelPoint start) {
  const Box all{{}, VoxelPoint{} + labels.extent()};
  const uint64_t label = labels[start];
  Array3<uint8_t> piece(labels.extent());
  std::vector<VoxelPoint> border = {start};
  piece[start] = 1;
  while (!border.empty()) {
    const VoxelPoint point = border.back();
    border.pop_back();
    for (int axis = 0; axis < 3; ++axis) {
      for (const int64_t step : {-1, 1}) {
        VoxelPoint next = point;
        next[axis] += step;
        if (all.Contains(next) && labels[next] == label && piece[next] == 0) {
          piece[next] = 1;
          border.push_back(next);
        }
      }
    }
  }
  return piece;
}

struct DeepPoint {
  VoxelPoint point;
  double depth_nm = 0;
};

// The best seed in the section of `start`.
DeepPoint DeepestIn(ArrayView3<const uint64_t> window, VoxelPoint start, const VoxelSizeNm& size) {
  const Array3<uint8_t> piece = PieceAt(window, start);
  const auto grid = cut::MaskGrid::Make(piece.view(), size);
  DeepPoint best{start, 0};
  if (!grid.ok()) {
    return best;
  }
  const cut::LazyArray<float> depth = cut::DepthNm(*grid);
  double best_score = -1e30;
  for (int64_t y = grid->box().lo.y; y < grid->box().hi.y; ++y) {
    for (int64_t x = grid->box().lo.x; x < grid->box().hi.x; ++x) {
      const VoxelPoint point{x, y, start.z};
      if (piece[point] == 0) {
        continue;
      }
      const double depth_nm = depth[grid->Index(point)];
      const double score = depth_nm - DistanceNm(point, start, size) / kDistanceForDepth;
      if (score > best_score) {
        best_score = score;
        best = {point, depth_nm};
      }
    }
  }
  return best;
}

ContactSeeds SeedsAt(ArrayView3<const uint64_t> labels, const Face& middle, const VoxelSizeNm& size) {
  const auto voxels = [](double size_nm) { return static_cast<int64_t>(std::ceil(kWindowNm / size_nm)); };
  const Extent3 margin{voxels(size.x), voxels(size.y), voxels(size.z)};
  const Box box = Intersect(Grow(BoxAt(middle.low, {1, 1, 1}), margin), {{}, VoxelPoint{} + labels.extent()});
  const ArrayView3<const uint64_t> window = labels.Crop(box);
  const DeepPoint low = DeepestIn(window, middle.low - box.lo, size);
  const DeepPoint high = DeepestIn(window, middle.high - box.lo, size);
  return {.source = box.lo + low.point,
          .sink = box.lo + high.point,
          .middle = middle.low,
          .source_depth_nm = low.depth_nm,
          .sink_depth_nm = high.depth_nm};
}

}  // namespace

std::vector<std::optional<ContactSeeds>> SuggestSeeds(ArrayView3<const uint64_t> labels,
                                                      const std::vector<FusePair>& pairs,
                                                      const VoxelSizeNm& voxel_size_nm) {
  FaceFinder finder(pairs);
  finder.Scan(labels);
  std::vector<std::optional<ContactSeeds>> seeds(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto& sections = finder.Of(i);
    if (sections.empty()) {
      continue;
    }
    const auto& [z, faces] =
        *std::ranges::max_element(sections, {}, [](const auto& section) { return section.second.size(); });
    seeds[i] = SeedsAt(labels, MiddleOf(faces, voxel_size_nm), voxel_size_nm);
    if (pairs[i].a > pairs[i].b) {
      std::swap(seeds[i]->source, seeds[i]->sink);
      std::swap(seeds[i]->source_depth_nm, seeds[i]->sink_depth_nm);
    }
  }
  return seeds;
}

}  // namespace cleave::ingest
