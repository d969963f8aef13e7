// The coarser scales of a volume, made in blocks: which voxels one worker makes at once, so that several can work side
// by side and none needs more memory than it may use.
//
//   CLEAVE_ASSIGN_OR_RETURN(const PyramidBlocks blocks, PyramidBlocks::Create(volume.info(), memory_bytes));
//   for (int tier = 0; tier < blocks.tier_count(); ++tier) {
//     for (const ChunkPoint block : blocks.BlocksOver(tier, changed)) {
//       CLEAVE_ASSIGN_OR_RETURN(const auto parts, blocks.Downsample(volume, {tier, block}, changed));
//       ... CompareWithStored(volume, parts[i]), write what differs ...
//     }
//   }
//
// Scales are made in tiers: a tier reads its base scale and makes the next few from it in one pass, as many as memory
// allows; the next tier begins where it ends. A block of a tier owns, in each of the tier's scales, a box of whole
// chunks, as many as lie over one another: the least common multiple of chunk sizes and factors. So no two blocks of a
// tier share a chunk of any scale. The chunks of two scales need not begin at one voxel (a volume may begin at an odd
// one), so a block is told by the numbers of its chunks, and reads what voxels it needs, also beyond its border.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "base/array.h"
#include "base/geometry.h"
#include "store/store.h"
#include "volume/info.h"
#include "volume/volume.h"

namespace cleave::volume {

// Makes scales base + 1 to `top` of scale `base`.
struct PyramidTier {
  int base = 0;
  int top = 0;
  Extent3 block_size;  // voxels of the base scale that a block covers
};

struct PyramidBlock {
  int tier = 0;
  ChunkPoint position;  // in the lattice of the tier's blocks
};

// Labels of a box of one scale.
struct ScalePart {
  int scale = 0;
  Box box;
  Array3<uint64_t> labels;
};

// A plain value. Thread-safe. Boxes called `changed` are in voxels of scale 0; nullopt means the whole volume.
class PyramidBlocks {
 public:
  // FAILED_PRECONDITION when a scale is not made of the one below by halving axes, as ScalePyramid declares them.
  // `memory_bytes`: for the labels of one block. A tier makes one scale at least, whatever that needs.
  [[nodiscard]] static absl::StatusOr<PyramidBlocks> Create(const Info& info, int64_t memory_bytes);

  // 0 when there are no coarser scales.
  [[nodiscard]] int tier_count() const { return static_cast<int>(tiers_.size()); }
  [[nodiscard]] const PyramidTier& tier(int tier) const { return tiers_[static_cast<size_t>(tier)]; }
  // The blocks of a tier that have voxels over those of scale 0 in `changed`, x fastest.
  [[nodiscard]] std::vector<ChunkPoint> BlocksOver(int tier, const std::optional<Box>& changed) const;
  // The voxels of a scale, base < scale <= top, that a block owns; empty where it has none.
  [[nodiscard]] Box OwnedBox(const PyramidBlock& block, int scale) const;
  // The voxels of a scale that have a voxel of `changed` below them.
  [[nodiscard]] Box AtScale(const std::optional<Box>& changed, int scale) const;
  // The voxels of the tier's base scale that Downsample reads; empty when it makes none.
  [[nodiscard]] Box BoxToRead(const PyramidBlock& block, const std::optional<Box>& changed) const;

  // Makes the block's voxels over `changed` from those that the base scale of `volume` has now: one part for each scale
  // in which there are any, finest first. Errors as Volume::ReadBox.
  [[nodiscard]] absl::StatusOr<std::vector<ScalePart>> Downsample(const Volume& volume, const PyramidBlock& block,
                                                                  const std::optional<Box>& changed) const;

 private:
  explicit PyramidBlocks(std::vector<Scale> scales) : scales_(std::move(scales)) {}
  // How many voxels of scale `from` make one of scale `to`, along each axis.
  [[nodiscard]] Extent3 Factor(int from, int to) const;
  [[nodiscard]] Extent3 BlockSize(int base, int top) const;
  // The voxels of each scale of the tier that are needed to make the block's; [0] of the base scale.
  [[nodiscard]] std::vector<Box> NeededBoxes(const PyramidBlock& block, const std::optional<Box>& changed) const;
  [[nodiscard]] Box Target(const PyramidBlock& block, const std::optional<Box>& changed, int scale) const;

  std::vector<Scale> scales_;
  std::vector<PyramidTier> tiers_;
};

// One write for each chunk in which the stored labels of the part's box are others than the part's: the chunk as it
// should be, on the condition that it still is what was read.
[[nodiscard]] absl::StatusOr<std::vector<store::KeyedWrite>> CompareWithStored(const Volume& volume,
                                                                               const ScalePart& part);

}  // namespace cleave::volume
