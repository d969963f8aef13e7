#include "edit/voxel_split.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <map>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/array.h"
#include "base/parallel.h"
#include "base/status.h"
#include "cut/components.h"
#include "cut/extend_sides.h"
#include "cut/graph_cut.h"
#include "cut/voxel_cut.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

using graph::NodeId;

constexpr int kSidesMax = cut::kTeamsMax;
static_assert(kSidesMax <= 64, "the sides of one piece are a 64-bit set");

// The work on one family: arrays that several steps share.
class Splitter {
 public:
  Splitter(PlannedVolume& planned, const graph::IdLayout& layout, graph::IdAllocator& ids,
           const VoxelSplitRequest& request)
      : planned_(planned), layout_(layout), ids_(ids), pieces_(request.pieces) {
    for (size_t i = 0; i < pieces_.size(); ++i) {
      index_of_[Value(pieces_[i])] = static_cast<uint32_t>(i);
      chunks_.push_back(layout_.ChunkOf(pieces_[i]).position);
      pieces_of_[chunks_.back()].push_back(static_cast<uint32_t>(i));
    }
    std::ranges::sort(chunks_);
    chunks_.erase(std::ranges::unique(chunks_).begin(), chunks_.end());
    box_ = ChunkBox(chunks_.front());
    for (const ChunkPoint chunk : chunks_) {
      box_ = Envelope(box_, ChunkBox(chunk));
    }
    sides_.resize(pieces_.size());
    renamed_.resize(pieces_.size());
  }

  absl::Status Cut(VoxelSizeNm voxel_size_nm, const VoxelSplitRequest& request, Stages& stages) {
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint8_t> mask, stages.Run("read mask", [this] { return ReadMask(); }));
    std::vector<std::vector<VoxelPoint>> local = request.groups;
    for (std::vector<VoxelPoint>& group : local) {
      for (VoxelPoint& point : group) {
        point = point - box_.lo;
      }
    }
    if (request.earlier != nullptr) {
      const Stages::Scope scope(stages, "earlier cut");
      return CutAgain(voxel_size_nm, mask, *request.earlier, local);
    }
    CLEAVE_ASSIGN_OR_RETURN(cut::VoxelCut cut, stages.Run("voxel cut", [&] {
      return cut::CutVoxels({.mask = mask.view(), .voxel_size_nm = voxel_size_nm, .groups = local});
    }));
    side_ = std::move(cut.side);
    return absl::OkStatus();
  }

  // Steps 3 and 4, first half: which pieces fall apart.
  absl::Status FindRenamed(std::span<const graph::EdgeEnds> must_part) {
    std::mutex mutex;
    CLEAVE_RETURN_IF_ERROR(ForEachChunk(chunks_, [&](ChunkPoint chunk) -> absl::Status {
      const Box whole = ChunkBox(chunk);
      CLEAVE_ASSIGN_OR_RETURN(const Array3<uint32_t> piece, ReadPieces(chunk, whole));
      absl::flat_hash_map<uint32_t, uint64_t> found;
      int64_t voxels = 0;
      Box box{whole.hi, whole.lo};
      const ArrayView3<const uint8_t> side = SideOf(whole);
      for (int64_t z = 0; z < piece.extent().z; ++z) {
        for (int64_t y = 0; y < piece.extent().y; ++y) {
          const uint32_t* pieces = piece.view().Row(y, z);
          const uint8_t* sides = side.Row(y, z);
          uint32_t last_piece = 0;
          uint8_t last_side = 0;
          int64_t first_x = piece.extent().x;
          int64_t last_x = -1;
          for (int64_t x = 0; x < piece.extent().x; ++x) {
            if (pieces[x] != 0) {
              ++voxels;
              first_x = std::min(first_x, x);
              last_x = x;
            }
            if (pieces[x] != 0 && (pieces[x] != last_piece || sides[x] != last_side)) {
              last_piece = pieces[x];
              last_side = sides[x];
              assert(last_side != 0);  // the cut gives every voxel of the mask a side
              found[last_piece - 1] |= uint64_t{1} << (last_side - 1);
            }
          }
          if (last_x >= 0) {
            box = Envelope(box, BoxAt(whole.lo + VoxelPoint{first_x, y, z}, {last_x + 1 - first_x, 1, 1}));
          }
        }
      }
      const std::lock_guard lock(mutex);
      mask_voxel_count_ += voxels;
      mask_box_[chunk] = box;
      for (const auto& [index, sides] : found) {
        sides_[index] |= sides;
      }
      return absl::OkStatus();
    }));
    for (size_t i = 0; i < pieces_.size(); ++i) {
      renamed_[i] = std::popcount(sides_[i]) > 1;
    }
    for (const graph::EdgeEnds& pair : must_part) {
      const auto a = index_of_.find(Value(pair.node1));
      const auto b = index_of_.find(Value(pair.node2));
      if (a != index_of_.end() && b != index_of_.end() && !renamed_[a->second] && !renamed_[b->second] &&
          sides_[a->second] != sides_[b->second] && sides_[a->second] != 0 && sides_[b->second] != 0) {
        renamed_[std::min(a->second, b->second)] = true;
      }
    }
    return absl::OkStatus();
  }

  // Steps 4, second half, and 5.
  absl::Status Rename(VoxelSplit& split) {
    std::vector<ChunkPoint> changed;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (renamed_[i]) {
        changed.push_back(layout_.ChunkOf(pieces_[i]).position);
      } else if (sides_[i] != 0) {
        split.side_of[pieces_[i]] = std::countr_zero(sides_[i]) + 1;
      }
    }
    std::ranges::sort(changed);
    changed.erase(std::ranges::unique(changed).begin(), changed.end());
    split.mask_voxel_count = mask_voxel_count_;
    std::mutex mutex;
    std::map<ChunkPoint, ChunkChange> changes;
    CLEAVE_RETURN_IF_ERROR(ForEachChunk(changed, [&](ChunkPoint chunk) -> absl::Status {
      CLEAVE_ASSIGN_OR_RETURN(ChunkChange change, RenameChunk(chunk));
      const std::lock_guard lock(mutex);
      changes[chunk] = std::move(change);
      return absl::OkStatus();
    }));
    for (auto& [chunk, change] : changes) {
      for (const Fragment& fragment : change.fragments) {
        split.fragments.push_back(fragment);
        split.side_of[fragment.id] = fragment.side;
      }
      split.changed_chunks.push_back({chunk, change.box});
      split.changed_box = split.changed_box.empty() ? change.box : Envelope(split.changed_box, change.box);
      for (store::KeyedWrite& write : change.writes) {
        planned_.writes().Plan(std::move(write));
      }
    }
    return absl::OkStatus();
  }

 private:
  struct ChunkChange {
    std::vector<Fragment> fragments;
    std::vector<store::KeyedWrite> writes;
    Box box;
  };

  Box ChunkBox(ChunkPoint chunk) const { return layout_.ChunkBox({graph::kL2Layer, chunk}); }
  Box Local(const Box& box) const { return BoxAt(box.lo - box_.lo, box.extent()); }
  ArrayView3<const uint8_t> SideOf(const Box& box) const { return side_.view().Crop(Local(box)); }

  static absl::Status ForEachChunk(const std::vector<ChunkPoint>& chunks,
                                   const std::function<absl::Status(ChunkPoint)>& body) {
    return ParallelFor(static_cast<int64_t>(chunks.size()), DefaultThreadCount(),
                       [&](int64_t i) { return body(chunks[static_cast<size_t>(i)]); });
  }

  // Step 2, where the cut was made before. Points whose voxels had no side then have one now.
  absl::Status CutAgain(VoxelSizeNm voxel_size_nm, const Array3<uint8_t>& mask, const EarlierCut& earlier,
                        const std::vector<std::vector<VoxelPoint>>& groups) {
    Array3<uint8_t> known(box_.extent());
    CLEAVE_RETURN_IF_ERROR(ForEachChunk(chunks_, [&](ChunkPoint chunk) {
      const Box part = ChunkBox(chunk);
      return earlier.voxels->ReadBoxMapped(
          volume::kFinestScale, part,
          [&](uint64_t id) -> uint8_t {
            const auto found = earlier.side_of.find(id);
            return found == earlier.side_of.end() ? 0 : found->second;
          },
          known.view().Crop(Local(part)));
    }));
    Array3<uint8_t> seeded = known;
    for (size_t group = 0; group < groups.size(); ++group) {
      for (const VoxelPoint point : groups[group]) {
        seeded[point] = known[point] != 0 ? known[point] : static_cast<uint8_t>(group + 1);
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(side_, cut::ExtendSides(mask.view(), voxel_size_nm, seeded.view()));
    return ForEachChunk(chunks_, [&](ChunkPoint chunk) { return KeepUncut(chunk, known, seeded); });
  }

  // Pieces of the chunk that the earlier cut did not touch were on one side as a whole: that of their points, or else
  // that of most of their voxels.
  absl::Status KeepUncut(ChunkPoint chunk, const Array3<uint8_t>& known, const Array3<uint8_t>& seeded) {
    const Box whole = ChunkBox(chunk);
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint32_t> piece, ReadPieces(chunk, whole));
    const ArrayView3<uint8_t> side = side_.view().Crop(Local(whole));
    const ArrayView3<const uint8_t> was = known.view().Crop(Local(whole));
    const ArrayView3<const uint8_t> seed = seeded.view().Crop(Local(whole));
    const auto for_each_voxel = [&](auto function) {
      for (int64_t z = 0; z < whole.extent().z; ++z) {
        for (int64_t y = 0; y < whole.extent().y; ++y) {
          for (int64_t x = 0; x < whole.extent().x; ++x) {
            if (const VoxelPoint at{x, y, z}; piece[at] != 0) {
              function(at, piece[at]);
            }
          }
        }
      }
    };
    absl::flat_hash_set<uint32_t> cut_before;
    absl::flat_hash_map<uint32_t, std::array<int64_t, kSidesMax + 1>> votes;
    for_each_voxel([&](VoxelPoint at, uint32_t number) {
      if (was[at] != 0) {
        cut_before.insert(number);
      } else {
        const bool is_point = seed[at] != 0;
        votes.try_emplace(number).first->second[side[at]] += is_point ? Count(whole.extent()) : 1;
      }
    });
    for_each_voxel([&](VoxelPoint at, uint32_t number) {
      if (!cut_before.contains(number)) {
        const auto& of_piece = votes.at(number);
        side[at] = static_cast<uint8_t>(std::ranges::max_element(of_piece) - of_piece.begin());
      }
    });
    return absl::OkStatus();
  }

  absl::StatusOr<Array3<uint8_t>> ReadMask() const {
    Array3<uint8_t> mask(box_.extent());
    CLEAVE_RETURN_IF_ERROR(ForEachChunk(chunks_, [&](ChunkPoint chunk) {
      const Box part = ChunkBox(chunk);
      return planned_.volume().ReadBoxMapped(
          volume::kFinestScale, part, [this](uint64_t id) -> uint8_t { return index_of_.contains(id) ? 1 : 0; },
          mask.view().Crop(Local(part)));
    }));
    return mask;
  }

  // 1 + index of the piece at each voxel of a box in a chunk, 0 elsewhere. Where a chunk has one piece, the voxels with
  // a side are its voxels, and nothing is read.
  absl::StatusOr<Array3<uint32_t>> ReadPieces(ChunkPoint chunk, const Box& box) const {
    Array3<uint32_t> piece(box.extent());
    if (const std::vector<uint32_t>& here = pieces_of_.at(chunk); here.size() == 1) {
      const ArrayView3<const uint8_t> side = SideOf(box);
      for (int64_t z = 0; z < piece.extent().z; ++z) {
        for (int64_t y = 0; y < piece.extent().y; ++y) {
          std::ranges::transform(std::span(side.Row(y, z), static_cast<size_t>(piece.extent().x)),
                                 piece.view().Row(y, z),
                                 [&](uint8_t s) { return s == 0 ? uint32_t{0} : here.front() + 1; });
        }
      }
      return piece;
    }
    CLEAVE_RETURN_IF_ERROR(planned_.volume().ReadBoxMapped(
        volume::kFinestScale, box,
        [this](uint64_t id) -> uint32_t {
          const auto found = index_of_.find(id);
          return found == index_of_.end() ? 0 : found->second + 1;
        },
        piece.view()));
    return piece;
  }

  // Turns piece numbers into component numbers, voxel by voxel in place: components of one piece on one side.
  absl::StatusOr<ChunkChange> RenameChunk(ChunkPoint chunk) {
    const Box box = mask_box_.at(chunk);
    CLEAVE_ASSIGN_OR_RETURN(Array3<uint32_t> key, ReadPieces(chunk, box));
    const ArrayView3<const uint8_t> side = SideOf(box);
    for (int64_t z = 0; z < key.extent().z; ++z) {
      for (int64_t y = 0; y < key.extent().y; ++y) {
        uint32_t* keys = key.view().Row(y, z);
        const uint8_t* sides = side.Row(y, z);
        for (int64_t x = 0; x < key.extent().x; ++x) {
          keys[x] = keys[x] != 0 && renamed_[keys[x] - 1] ? (keys[x] - 1) * kSidesMax + sides[x] : 0;
        }
      }
    }
    Array3<uint32_t> component(key.extent());
    const uint32_t count = cut::LabelComponents(std::as_const(key).view(), component.view());
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids,
                            ids_.NewNodes({graph::kSupervoxelLayer, chunk}, int64_t{count}));
    ChunkChange change;
    change.fragments.resize(count);
    VoxelPoint lo = VoxelPoint{} + key.extent();
    VoxelPoint hi;
    for (int64_t z = 0; z < key.extent().z; ++z) {
      for (int64_t y = 0; y < key.extent().y; ++y) {
        const uint32_t* keys = key.view().Row(y, z);
        const uint32_t* components = component.view().Row(y, z);
        for (int64_t x = 0; x < key.extent().x; ++x) {
          if (components[x] == 0) {
            continue;
          }
          Fragment& fragment = change.fragments[components[x] - 1];
          if (fragment.voxel_count++ == 0) {
            const uint32_t packed = keys[x] - 1;  // sides count from 1
            fragment = {ids[components[x] - 1], pieces_[packed / kSidesMax], static_cast<int>(packed % kSidesMax) + 1,
                        1};
          }
          lo = {std::min(lo.x, x), std::min(lo.y, y), std::min(lo.z, z)};
          hi = {std::max(hi.x, x + 1), std::max(hi.y, y + 1), std::max(hi.z, z + 1)};
        }
      }
    }
    change.box = {lo + box.lo, hi + box.lo};
    CLEAVE_ASSIGN_OR_RETURN(change.writes, EncodeChunk(chunk, component, box, ids, change.box));
    return change;
  }

  // The storage chunks of one graph chunk that hold a changed voxel. `component` covers `box`.
  absl::StatusOr<std::vector<store::KeyedWrite>> EncodeChunk(ChunkPoint chunk, const Array3<uint32_t>& component,
                                                             const Box& box, const std::vector<NodeId>& ids,
                                                             const Box& changed) const {
    const Box whole = ChunkBox(chunk);
    const volume::Volume& volume = planned_.volume();
    std::vector<store::KeyedWrite> writes;
    for (const ChunkPoint storage_chunk : volume.grid(volume::kFinestScale).ChunksOver(changed)) {
      const Box part = volume.grid(volume::kFinestScale).BoxOf(storage_chunk);
      if (!whole.Contains(part)) {
        return absl::UnimplementedError(
            absl::StrCat("the storage chunk ", volume.ChunkKey(volume::kFinestScale, storage_chunk),
                         " reaches over a border of the graph's chunks; store the segmentation in chunks that divide ",
                         cleave::ToString(layout_.chunk_size())));
      }
      const Box common = Intersect(part, changed);
      const ArrayView3<const uint32_t> components = component.view().Crop(BoxAt(common.lo - box.lo, common.extent()));
      if (!HasAny(components)) {
        continue;
      }
      CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, volume.ReadChunk(volume::kFinestScale, storage_chunk));
      CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> labels, volume.DecodeChunk(volume::kFinestScale, storage_chunk, read));
      Overwrite(components, ids, labels.view().Crop(BoxAt(common.lo - part.lo, common.extent())));
      CLEAVE_ASSIGN_OR_RETURN(
          store::KeyedWrite write,
          volume.EncodeChunkWrite(volume::kFinestScale, storage_chunk, std::as_const(labels).view(), read.generation));
      writes.push_back(std::move(write));
    }
    return writes;
  }

  static bool HasAny(ArrayView3<const uint32_t> component) {
    for (int64_t z = 0; z < component.extent().z; ++z) {
      for (int64_t y = 0; y < component.extent().y; ++y) {
        const uint32_t* row = component.Row(y, z);
        if (std::any_of(row, row + component.extent().x, [](uint32_t c) { return c != 0; })) {
          return true;
        }
      }
    }
    return false;
  }

  static void Overwrite(ArrayView3<const uint32_t> component, const std::vector<NodeId>& ids,
                        ArrayView3<uint64_t> labels) {
    for (int64_t z = 0; z < labels.extent().z; ++z) {
      for (int64_t y = 0; y < labels.extent().y; ++y) {
        const uint32_t* components = component.Row(y, z);
        uint64_t* row = labels.Row(y, z);
        for (int64_t x = 0; x < labels.extent().x; ++x) {
          if (components[x] != 0) {
            row[x] = Value(ids[components[x] - 1]);
          }
        }
      }
    }
  }

  PlannedVolume& planned_;
  const graph::IdLayout& layout_;
  graph::IdAllocator& ids_;
  const std::vector<NodeId>& pieces_;
  absl::flat_hash_map<uint64_t, uint32_t> index_of_;
  std::vector<ChunkPoint> chunks_;  // those that hold a piece
  absl::flat_hash_map<ChunkPoint, std::vector<uint32_t>> pieces_of_;
  absl::flat_hash_map<ChunkPoint, Box> mask_box_;  // the smallest box of each chunk that holds its part of the mask
  Box box_;                                        // of all of them
  Array3<uint8_t> side_;
  std::vector<uint64_t> sides_;  // bit s - 1: the piece has voxels on side s
  std::vector<uint8_t> renamed_;
  int64_t mask_voxel_count_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PlannedVolume>> PlannedVolume::Create(const volume::Volume& stored) {
  auto planned = std::make_unique<PlannedVolume>();
  planned->overlay_ = std::make_shared<OverlayStore>(stored.store());
  CLEAVE_ASSIGN_OR_RETURN(planned->volume_,
                          volume::Volume::Over(planned->overlay_, stored.prefix(), stored.info(), stored.background()));
  return planned;
}

absl::StatusOr<VoxelSplit> PlanVoxelSplit(PlannedVolume& planned, const graph::IdLayout& layout,
                                          graph::IdAllocator& ids, VoxelSizeNm voxel_size_nm,
                                          const VoxelSplitRequest& request, std::span<const graph::EdgeEnds> must_part,
                                          Stages& stages) {
  if (request.pieces.empty() || request.groups.size() > kSidesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a voxel cut takes at least one supervoxel and at most ", kSidesMax, " sides"));
  }
  Splitter splitter(planned, layout, ids, request);
  VoxelSplit split;
  CLEAVE_RETURN_IF_ERROR(splitter.Cut(voxel_size_nm, request, stages));
  const Stages::Scope scope(stages, "rename voxels");
  CLEAVE_RETURN_IF_ERROR(splitter.FindRenamed(must_part));
  CLEAVE_RETURN_IF_ERROR(splitter.Rename(split));
  return split;
}

}  // namespace cleave::edit
