// How the space is filled:
//   1. The centre lines of all neurites are drawn (neuropil_skeleton.h).
//   2. Every voxel gets a resistance: smooth noise on a coarse lattice, so that boundaries wander, and a little noise
//   of
//      its own, so that they are rough.
//   3. All lines grow thick at once. A front reaches a neighbour after distance / calibre * resistance; the first to
//      arrive keeps the voxel. Time goes in short windows. In each, one tile of the space after the other is brought
//      up to date, so that the work stays in the processor's caches: its arrivals pass through a ring of buckets, one a
//      unit of time (Dial's shortest paths). A front that enters a tile whose turn is over waits for the next window.
//   4. Growth stops when the wanted share is filled. What is left lies farthest from all lines.
// A voxel is always taken from a neighbour that has its label already, so a label stays one piece.
#include "volume/neuropil.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

#include "volume/neuropil_skeleton.h"

namespace cleave::volume {
namespace {

constexpr uint32_t kWall = std::numeric_limits<uint32_t>::max();
constexpr uint32_t kFirstOwner = 256;  // a smaller value is the resistance of a voxel not yet taken
constexpr uint32_t kWindow = 128;      // units of time
constexpr uint32_t kWindowCount = 33;  // in the ring: a delay may be up to 32 windows long
constexpr uint32_t kDelayMax = kWindow * (kWindowCount - 1);
constexpr int kTileShift = 6;  // a tile is 64 voxels wide in x and y, 16 in z
constexpr int kTileShiftZ = 4;
constexpr int64_t kSideMax = 65000;  // coordinates take 16 bits
constexpr double kTimeUnits = 32;    // for a step of the smallest voxel side at calibre 1 and resistance 1
constexpr int kNoiseShift = 4;       // the noise lattice has a point every 16 voxels in x and y, every 4 in z
constexpr int kNoiseShiftZ = 2;

// A well-mixed number of 64 bits from another.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

struct Arrival {
  std::array<uint16_t, 3> at{};  // x, y, z in the padded space
  uint16_t time = 0;             // since the start of its window
  uint32_t owner = 0;
};

// Delays to the three kinds of neighbour, in units of time times 256 at resistance 1.
struct Delays {
  uint32_t side_x = 0;
  uint32_t side_y = 0;
  uint32_t diagonal = 0;
  uint32_t section = 0;
};

class Growth {
 public:
  explicit Growth(const NeuropilOptions& options)
      : options_(options),
        padded_(options.extent + Extent3{2, 2, 2}),
        voxels_(static_cast<size_t>(Count(padded_)), kWall),
        tiles_{(padded_.x >> kTileShift) + 1, (padded_.y >> kTileShift) + 1, (padded_.z >> kTileShiftZ) + 1},
        waiting_(static_cast<size_t>(Count(tiles_)) * kWindowCount),
        now_(kWindow),
        skeleton_(DrawNeurites(options)) {
    for (size_t noise = 0; noise < resistance_.size(); ++noise) {  // from 1/2 to 2, 1 in the middle
      const double t = static_cast<double>(noise) / 127.5 - 1;
      resistance_[noise] = static_cast<uint32_t>(256 * (t < 0 ? 1 / (1 - t) : 1 + t));
    }
    FillNoise();
    PlaceSkeleton();
  }

  Array3<uint64_t> Run() {
    const auto target = static_cast<int64_t>(options_.fill_fraction * static_cast<double>(Count(options_.extent)));
    for (uint32_t window = 0; waiting_count_ > 0 && filled_ < target; ++window) {
      for (size_t tile = 0; tile < static_cast<size_t>(Count(tiles_)); ++tile) {
        RunTile(tile, window);
      }
    }
    return Labels();
  }

 private:
  [[nodiscard]] int64_t Index(VoxelPoint p) const {
    return (p.x + 1) + padded_.x * ((p.y + 1) + padded_.y * (p.z + 1));
  }

  // The lattice value at a point of the noise lattice, 0 to 255.
  [[nodiscard]] int64_t LatticeNoise(int64_t x, int64_t y, int64_t z) const {
    return static_cast<int64_t>(
        Mix(Mix(Mix(options_.seed + static_cast<uint64_t>(x)) + static_cast<uint64_t>(y)) + static_cast<uint64_t>(z)) >>
        56);
  }

  // Step 2. Interpolates along z and y once for each row, and along x voxel by voxel.
  void FillNoise() {
    const Extent3 e = options_.extent;
    std::vector<int64_t> row(static_cast<size_t>((e.x >> kNoiseShift) + 2));
    for (int64_t z = 0; z < e.z; ++z) {
      for (int64_t y = 0; y < e.y; ++y) {
        for (size_t i = 0; i < row.size(); ++i) {
          row[i] = NoiseBetweenLatticeRows(static_cast<int64_t>(i), y, z);
        }
        uint32_t* voxels = voxels_.data() + Index({0, y, z});
        for (int64_t x = 0; x < e.x; ++x) {
          const int64_t low = row[static_cast<size_t>(x >> kNoiseShift)];
          const int64_t high = row[static_cast<size_t>((x >> kNoiseShift) + 1)];
          const int64_t smooth = low + (((high - low) * (x & ((1 << kNoiseShift) - 1))) >> kNoiseShift);
          const auto own = static_cast<int64_t>((static_cast<uint32_t>(Index({x, y, z})) * 2654435761U) >> 24);
          voxels[x] = static_cast<uint32_t>((smooth * 7 + own) >> 3);
        }
      }
    }
  }

  [[nodiscard]] int64_t NoiseBetweenLatticeRows(int64_t lattice_x, int64_t y, int64_t z) const {
    const int64_t part_y = y & ((1 << kNoiseShift) - 1);
    const int64_t part_z = z & ((1 << kNoiseShiftZ) - 1);
    const auto along_y = [&](int64_t lattice_z) {
      const int64_t low = LatticeNoise(lattice_x, y >> kNoiseShift, lattice_z);
      const int64_t high = LatticeNoise(lattice_x, (y >> kNoiseShift) + 1, lattice_z);
      return low + (((high - low) * part_y) >> kNoiseShift);
    };
    const int64_t low = along_y(z >> kNoiseShiftZ);
    const int64_t high = along_y((z >> kNoiseShiftZ) + 1);
    return low + (((high - low) * part_z) >> kNoiseShiftZ);
  }

  // All centre lines arrive at time 0. Their voxels are nobody else's.
  void PlaceSkeleton() {
    const VoxelSizeNm nm = options_.voxel_size_nm;
    const double unit = 256 * kTimeUnits / std::min({nm.x, nm.y, nm.z});
    delays_.reserve(skeleton_.size());
    for (size_t i = 0; i < skeleton_.size(); ++i) {
      const double scale = unit / skeleton_[i].calibre;
      const auto delay = [scale](double distance_nm) {
        return static_cast<uint32_t>(std::min(scale * distance_nm, 1e9));
      };
      delays_.push_back({delay(nm.x), delay(nm.y), delay(std::sqrt(nm.x * nm.x + nm.y * nm.y)), delay(nm.z)});
      const VoxelPoint p = skeleton_[i].point + VoxelPoint{1, 1, 1};
      const std::array<uint16_t, 3> at = {static_cast<uint16_t>(p.x), static_cast<uint16_t>(p.y),
                                          static_cast<uint16_t>(p.z)};
      Waiting(TileOf(at), 0).push_back({at, 0, static_cast<uint32_t>(kFirstOwner + i)});
      ++waiting_count_;
    }
  }

  [[nodiscard]] size_t TileOf(const std::array<uint16_t, 3>& at) const {
    return static_cast<size_t>((at[0] >> kTileShift) +
                               tiles_.x * ((at[1] >> kTileShift) + tiles_.y * (at[2] >> kTileShiftZ)));
  }
  std::vector<Arrival>& Waiting(size_t tile, uint32_t window) {
    return waiting_[tile * kWindowCount + window % kWindowCount];
  }

  // Step 3 for one tile and window.
  void RunTile(size_t tile, uint32_t window) {
    std::vector<Arrival>& due = Waiting(tile, window);
    if (due.empty()) {
      return;
    }
    for (const Arrival& arrival : due) {
      now_[arrival.time].push_back(arrival);
    }
    due.clear();
    for (uint32_t time = 0; time < kWindow; ++time) {
      std::vector<Arrival>& bucket = now_[time];
      waiting_count_ -= static_cast<int64_t>(bucket.size());
      for (const Arrival& arrival : bucket) {
        uint32_t& voxel = voxels_[PaddedIndex(arrival.at)];
        if (voxel < kFirstOwner) {
          voxel = arrival.owner;
          ++filled_;
          Spread(arrival, tile, window);
        }
      }
      bucket.clear();
    }
  }

  [[nodiscard]] size_t PaddedIndex(const std::array<uint16_t, 3>& at) const {
    return static_cast<size_t>(at[0] + padded_.x * (at[1] + padded_.y * at[2]));
  }

  // Schedules the arrivals of `from` at its free neighbours.
  void Spread(const Arrival& from, size_t tile, uint32_t window) {
    const Delays& delay = delays_[from.owner - kFirstOwner];
    const uint32_t* voxel = &voxels_[PaddedIndex(from.at)];
    const int64_t y_step = padded_.x;
    const int64_t z_step = padded_.x * padded_.y;
    const auto reach = [&](int dx, int dy, int dz, uint32_t base) {
      const uint32_t noise = voxel[dx + dy * y_step + dz * z_step];
      if (noise < kFirstOwner) {
        const uint64_t units = (uint64_t{base} * resistance_[noise]) >> 16;
        const auto time = from.time + static_cast<uint32_t>(std::clamp<uint64_t>(units, 1, kDelayMax - kWindow));
        Schedule({{static_cast<uint16_t>(from.at[0] + dx), static_cast<uint16_t>(from.at[1] + dy),
                   static_cast<uint16_t>(from.at[2] + dz)},
                  static_cast<uint16_t>(time % kWindow),
                  from.owner},
                 tile, window, time / kWindow);
      }
    };
    reach(-1, 0, 0, delay.side_x);
    reach(1, 0, 0, delay.side_x);
    reach(0, -1, 0, delay.side_y);
    reach(0, 1, 0, delay.side_y);
    reach(-1, -1, 0, delay.diagonal);
    reach(1, -1, 0, delay.diagonal);
    reach(-1, 1, 0, delay.diagonal);
    reach(1, 1, 0, delay.diagonal);
    reach(0, 0, -1, delay.section);
    reach(0, 0, 1, delay.section);
  }

  void Schedule(const Arrival& arrival, size_t tile, uint32_t window, uint32_t windows_later) {
    ++waiting_count_;
    const size_t to = TileOf(arrival.at);
    if (windows_later == 0 && to == tile) {
      now_[arrival.time].push_back(arrival);
    } else if (windows_later == 0 && to < tile) {
      Waiting(to, window + 1).push_back({arrival.at, 0, arrival.owner});
    } else {
      Waiting(to, window + windows_later).push_back(arrival);
    }
  }

  [[nodiscard]] Array3<uint64_t> Labels() const {
    Array3<uint64_t> labels(options_.extent);
    const ArrayView3<uint64_t> view = labels.view();
    for (int64_t z = 0; z < options_.extent.z; ++z) {
      for (int64_t y = 0; y < options_.extent.y; ++y) {
        const uint32_t* voxels = voxels_.data() + Index({0, y, z});
        uint64_t* row = view.Row(y, z);
        for (int64_t x = 0; x < options_.extent.x; ++x) {
          row[x] = voxels[x] < kFirstOwner ? 0 : options_.first_label + skeleton_[voxels[x] - kFirstOwner].neurite;
        }
      }
    }
    return labels;
  }

  const NeuropilOptions& options_;
  const Extent3 padded_;  // a wall of one voxel on every side
  std::vector<uint32_t> voxels_;
  const Extent3 tiles_;                        // along each axis
  std::vector<std::vector<Arrival>> waiting_;  // of each tile, for each window of the ring
  std::vector<std::vector<Arrival>> now_;      // of the present tile, for each unit of the present window
  int64_t waiting_count_ = 0;
  int64_t filled_ = 0;
  const std::vector<SkeletonVoxel> skeleton_;
  std::vector<Delays> delays_;  // of each skeleton voxel
  std::array<uint32_t, 256> resistance_{};
};

}  // namespace

Array3<uint64_t> MakeNeuropil(const NeuropilOptions& options) {
  assert(std::max({options.extent.x, options.extent.y, options.extent.z}) <= kSideMax);
  assert(Count(options.extent) > 0 && options.fill_fraction > 0 && options.fill_fraction <= 1);
  return Growth(options).Run();
}

}  // namespace cleave::volume
