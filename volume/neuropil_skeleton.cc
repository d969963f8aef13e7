#include "volume/neuropil_skeleton.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "absl/container/flat_hash_map.h"

#include "base/array.h"

namespace cleave::volume {
namespace {

constexpr double kStepNm = 60;
constexpr int kBendsMax = 6;          // tries to get round a line in the way
constexpr int kBranchDepthMax = 4;    // a branch of a branch of a branch
constexpr double kSwellingNm = 350;   // length of a bouton along its axon
constexpr double kSpineNeckNm = 700;  // mean length
constexpr double kSpineHeadNm = 250;
constexpr double kCellNm = 80;            // of the lattice that keeps lines apart
constexpr double kRoomPerCalibreNm = 85;  // a line of calibre 1 keeps others this far away
constexpr uint32_t kFree = ~uint32_t{0};

struct Vector {
  double x = 0;
  double y = 0;
  double z = 0;
  friend Vector operator+(Vector a, Vector b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend Vector operator*(double s, Vector v) { return {s * v.x, s * v.y, s * v.z}; }
  [[nodiscard]] double Length() const { return std::sqrt(x * x + y * y + z * z); }
};

Vector Normalized(Vector v) { return 1 / v.Length() * v; }

// How one kind of process behaves; rates are events in a micrometre of path.
struct Kind {
  double share;  // of all neurites
  double calibre_min;
  double calibre_max;
  double wander;  // change of direction in a step
  double branches_per_um;
  double swellings_per_um;
  double swelling_factor;
  double spines_per_um;
};
constexpr Kind kAxon{0.88, 0.9, 1.5, 0.14, 0.04, 0.40, 1.9, 0};
constexpr Kind kDendrite{0.05, 2.5, 4.5, 0.07, 0.05, 0, 1, 0.9};
constexpr Kind kGlia{0.07, 1.0, 2.0, 0.40, 0.7, 0, 1, 0};
constexpr Kind kSpine{0, 0.7, 0.7, 0.25, 0, 0, 1, 0};

// The growing tip of a process. Its voxel `at` is already on the neurite's line.
struct Tip {
  const Kind* kind = nullptr;
  uint32_t neurite = 0;
  VoxelPoint at;
  Vector position_nm;
  Vector direction;
  double calibre = 1;
  double length_left_nm = 0;
  double swelling_left_nm = 0;
  int depth = 0;
};

class Drawing {
 public:
  explicit Drawing(const NeuropilOptions& options)
      : options_(options), random_(options.seed), cells_(CellCount(options), kFree) {}

  std::vector<SkeletonVoxel> Run() {
    const Extent3 e = options_.extent;
    const VoxelSizeNm nm = options_.voxel_size_nm;
    const double um3 = static_cast<double>(Count(e)) * nm.x * nm.y * nm.z * 1e-9;
    const auto count = std::max<int64_t>(2, std::llround(um3 * options_.neurites_per_um3));
    // Thick ones first: thin ones find their way between them.
    for (const Kind* kind : {&kDendrite, &kGlia, &kAxon}) {
      const auto share = static_cast<int64_t>(std::ceil(kind->share * static_cast<double>(count)));
      for (int64_t i = 0; i < share; ++i) {
        Begin(*kind);
      }
    }
    return std::move(voxels_);
  }

 private:
  double Uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  bool Happens(double rate_per_um) { return Uniform() < rate_per_um * kStepNm * 1e-3; }

  Vector RandomDirection() {
    for (;;) {
      const Vector v{Uniform(-1, 1), Uniform(-1, 1), Uniform(-1, 1)};
      if (const double length = v.Length(); length > 0.1 && length < 1) {
        return Normalized(v);
      }
    }
  }

  [[nodiscard]] VoxelPoint VoxelAt(Vector nm) const {
    const VoxelSizeNm size = options_.voxel_size_nm;
    return {static_cast<int64_t>(std::floor(nm.x / size.x)), static_cast<int64_t>(std::floor(nm.y / size.y)),
            static_cast<int64_t>(std::floor(nm.z / size.z))};
  }

  static Extent3 CellCount(const NeuropilOptions& options) {
    const auto count = [](int64_t voxels, double nm) {
      return static_cast<int64_t>(static_cast<double>(voxels) * nm / kCellNm) + 1;
    };
    const VoxelSizeNm nm = options.voxel_size_nm;
    return {count(options.extent.x, nm.x), count(options.extent.y, nm.y), count(options.extent.z, nm.z)};
  }
  [[nodiscard]] static VoxelPoint CellAt(Vector nm) {
    return {static_cast<int64_t>(nm.x / kCellNm), static_cast<int64_t>(nm.y / kCellNm),
            static_cast<int64_t>(nm.z / kCellNm)};
  }

  // Keeps other lines out of the free cells within `radius_nm`.
  void KeepRoom(Vector center_nm, double radius_nm, uint32_t neurite) {
    const auto reach = static_cast<int64_t>(radius_nm / kCellNm);
    const VoxelPoint center = CellAt(center_nm);
    const Box all = BoxAt({}, cells_.extent());
    for (int64_t z = -reach; z <= reach; ++z) {
      for (int64_t y = -reach; y <= reach; ++y) {
        for (int64_t x = -reach; x <= reach; ++x) {
          const VoxelPoint cell = center + VoxelPoint{x, y, z};
          if (x * x + y * y + z * z <= reach * reach && all.Contains(cell) && cells_[cell] == kFree) {
            cells_[cell] = neurite;
          }
        }
      }
    }
  }
  [[nodiscard]] bool IsRoom(Vector nm, uint32_t neurite) const {
    const uint32_t owner = cells_[CellAt(nm)];
    return owner == kFree || owner == neurite;
  }

  // Starts a neurite at a random free voxel, and lets it grow both ways.
  void Begin(const Kind& kind) {
    const VoxelSizeNm size = options_.voxel_size_nm;
    const Extent3 e = options_.extent;
    const Vector start{Uniform() * static_cast<double>(e.x) * size.x, Uniform() * static_cast<double>(e.y) * size.y,
                       Uniform() * static_cast<double>(e.z) * size.z};
    const VoxelPoint at = VoxelAt(start);
    if (!BoxAt({}, e).Contains(at) || neurite_at_.contains(at) || cells_[CellAt(start)] != kFree) {
      return;
    }
    Tip tip{.kind = &kind, .neurite = neurite_count_++, .at = at, .position_nm = start, .direction = RandomDirection()};
    tip.calibre = Uniform(kind.calibre_min, kind.calibre_max);
    tip.length_left_nm = Uniform(2000, 40000);
    Put(tip, at);
    std::vector<Tip> tips{tip, tip};
    tips[1].direction = -1.0 * tip.direction;
    while (!tips.empty()) {
      const Tip next = tips.back();
      tips.pop_back();
      Grow(next, tips);
    }
  }

  // Follows one tip to its end; branches are added to `tips`.
  void Grow(Tip tip, std::vector<Tip>& tips) {
    while (tip.length_left_nm > 0 && Step(tip)) {
      tip.length_left_nm -= kStepNm;
      tip.swelling_left_nm -= kStepNm;
      if (Happens(tip.kind->swellings_per_um)) {
        tip.swelling_left_nm = kSwellingNm;
      }
      tip.calibre = std::clamp(tip.calibre * Uniform(0.93, 1.07), 0.8 * tip.kind->calibre_min, tip.kind->calibre_max);
      if (Happens(tip.kind->spines_per_um)) {
        tips.push_back(SpineOf(tip));
      }
      if (tip.depth < kBranchDepthMax && Happens(tip.kind->branches_per_um)) {
        tips.push_back(BranchOf(tip));
      }
    }
  }

  Tip BranchOf(const Tip& parent) {
    Tip branch = parent;
    branch.depth = parent.depth + 1;
    branch.direction = Normalized(parent.direction + 1.2 * RandomDirection());
    branch.calibre = parent.calibre * Uniform(0.6, 1);
    branch.length_left_nm = parent.length_left_nm * Uniform(0.2, 0.8);
    return branch;
  }

  Tip SpineOf(const Tip& parent) {
    Tip spine = parent;
    spine.kind = &kSpine;
    spine.direction = RandomDirection();
    spine.calibre = kSpine.calibre_max;
    spine.swelling_left_nm = 0;
    spine.length_left_nm = kSpineNeckNm * Uniform(0.5, 1.5) + kSpineHeadNm;
    return spine;
  }

  // One step ahead, bending away from lines in the way; false when there is no way on or the wall is reached.
  bool Step(Tip& tip) {
    tip.direction = Normalized(tip.direction + tip.kind->wander * RandomDirection());
    for (int bend = 0; bend < kBendsMax; ++bend) {
      const Vector target = tip.position_nm + kStepNm * tip.direction;
      if (!BoxAt({}, options_.extent).Contains(VoxelAt(target))) {
        (void)DrawLine(tip, target);  // up to the wall
        return false;
      }
      if (IsRoom(target, tip.neurite) && DrawLine(tip, target)) {
        tip.position_nm = target;
        KeepRoom(target, kRoomPerCalibreNm * tip.calibre, tip.neurite);
        return true;
      }
      tip.direction = Normalized(tip.direction + 0.8 * RandomDirection());
    }
    return false;
  }

  // Puts the voxels from tip.at towards `target`, each a 26-neighbour of the one before, as far as they are free or the
  // neurite's own. False when something was in the way; tip.at is then the last voxel reached.
  bool DrawLine(Tip& tip, Vector target) {
    const VoxelPoint from = tip.at;
    const VoxelPoint delta = VoxelAt(target) - from;
    const int64_t count = std::max({std::abs(delta.x), std::abs(delta.y), std::abs(delta.z)});
    for (int64_t i = 1; i <= count; ++i) {
      const auto part = [i, count](int64_t d) { return FloorDivide(2 * d * i + count, 2 * count); };
      const VoxelPoint p = from + VoxelPoint{part(delta.x), part(delta.y), part(delta.z)};
      if (!BoxAt({}, options_.extent).Contains(p) || !Put(tip, p)) {
        return false;
      }
      tip.at = p;
    }
    return true;
  }

  bool Put(const Tip& tip, VoxelPoint p) {
    const auto [owner, is_new] = neurite_at_.emplace(p, tip.neurite);
    if (is_new) {
      const bool is_head = tip.kind == &kSpine && tip.length_left_nm < kSpineHeadNm;
      const double factor = is_head ? 3 : tip.swelling_left_nm > 0 ? tip.kind->swelling_factor : 1;
      voxels_.push_back({p, tip.neurite, tip.calibre * factor});
    }
    return owner->second == tip.neurite;
  }

  const NeuropilOptions& options_;
  std::mt19937_64 random_;
  uint32_t neurite_count_ = 0;
  absl::flat_hash_map<VoxelPoint, uint32_t> neurite_at_;
  Array3<uint32_t> cells_;  // the neurite that keeps others out, or kFree
  std::vector<SkeletonVoxel> voxels_;
};

}  // namespace

std::vector<SkeletonVoxel> DrawNeurites(const NeuropilOptions& options) { return Drawing(options).Run(); }

}  // namespace cleave::volume
