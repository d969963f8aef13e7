#include "volume/pyramid_blocks.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "volume/downsample.h"

namespace cleave::volume {
namespace {

// Labels of a block and of the scales made of it: a quarter at most for the next one, and so on.
constexpr double kBytesPerVoxel = 8.0 * 1.5;

// Nothing when the coarser scale is not made by halving.
std::optional<Extent3> FactorOf(const Scale& finer, const Scale& coarser) {
  const auto ratio = [](double coarse_nm, double fine_nm) {
    return static_cast<int64_t>(std::llround(coarse_nm / fine_nm));
  };
  const Extent3 factor{ratio(coarser.resolution.x, finer.resolution.x), ratio(coarser.resolution.y, finer.resolution.y),
                       ratio(coarser.resolution.z, finer.resolution.z)};
  for (int axis = 0; axis < 3; ++axis) {
    if (factor[axis] != 1 && factor[axis] != 2) {
      return std::nullopt;
    }
  }
  return CoarserBox(finer.bounds(), factor) == coarser.bounds() ? std::optional(factor) : std::nullopt;
}

Extent3 Times(Extent3 a, Extent3 b) { return {a.x * b.x, a.y * b.y, a.z * b.z}; }
Extent3 Over(Extent3 a, Extent3 b) { return {a.x / b.x, a.y / b.y, a.z / b.z}; }

bool Equal(ArrayView3<const uint64_t> a, ArrayView3<const uint64_t> b) {
  for (int64_t z = 0; z < a.extent().z; ++z) {
    for (int64_t y = 0; y < a.extent().y; ++y) {
      if (!std::equal(a.Row(y, z), a.Row(y, z) + a.extent().x, b.Row(y, z))) {
        return false;
      }
    }
  }
  return true;
}

Box RelativeTo(const Box& box, VoxelPoint origin) { return {box.lo - origin, box.hi - origin}; }

}  // namespace

absl::StatusOr<PyramidBlocks> PyramidBlocks::Create(const Info& info, int64_t memory_bytes) {
  PyramidBlocks blocks(info.scales);
  const int scales = static_cast<int>(info.scales.size());
  for (int scale = 1; scale < scales; ++scale) {
    if (!FactorOf(blocks.scales_[static_cast<size_t>(scale - 1)], blocks.scales_[static_cast<size_t>(scale)])) {
      return absl::FailedPreconditionError(
          absl::StrCat("scale ", scale, " of the volume is not made of scale ", scale - 1, " by halving its axes"));
    }
  }
  for (int base = 0; base + 1 < scales;) {
    const Extent3 bounds = info.scales[static_cast<size_t>(base)].size;
    const auto fits = [&](int top) {
      const Extent3 size = blocks.BlockSize(base, top);
      double voxels = 1;
      for (int axis = 0; axis < 3; ++axis) {
        voxels *= static_cast<double>(std::min(size[axis], bounds[axis]));
      }
      return voxels * kBytesPerVoxel <= static_cast<double>(memory_bytes);
    };
    int top = base + 1;
    while (top + 1 < scales && fits(top + 1)) {
      ++top;
    }
    blocks.tiers_.push_back({base, top, blocks.BlockSize(base, top)});
    base = top;
  }
  return blocks;
}

Extent3 PyramidBlocks::Factor(int from, int to) const {
  Extent3 factor{1, 1, 1};
  for (int scale = from + 1; scale <= to; ++scale) {
    factor = Times(factor, *FactorOf(scales_[static_cast<size_t>(scale - 1)], scales_[static_cast<size_t>(scale)]));
  }
  return factor;
}

Extent3 PyramidBlocks::BlockSize(int base, int top) const {
  Extent3 size{1, 1, 1};
  for (int scale = base + 1; scale <= top; ++scale) {
    const Extent3 covered = Times(scales_[static_cast<size_t>(scale)].chunk_size, Factor(base, scale));
    size = {std::lcm(size.x, covered.x), std::lcm(size.y, covered.y), std::lcm(size.z, covered.z)};
  }
  return size;
}

Box PyramidBlocks::OwnedBox(const PyramidBlock& block, int scale) const {
  const PyramidTier& tier = tiers_[static_cast<size_t>(block.tier)];
  const Scale& in = scales_[static_cast<size_t>(scale)];
  const Extent3 size = Over(tier.block_size, Factor(tier.base, scale));  // voxels of this scale, whole chunks
  const VoxelPoint lo =
      in.voxel_offset + Extent3{block.position.x * size.x, block.position.y * size.y, block.position.z * size.z};
  return Intersect(BoxAt(lo, size), in.bounds());
}

Box PyramidBlocks::AtScale(const std::optional<Box>& changed, int scale) const {
  if (!changed.has_value()) {
    return scales_[static_cast<size_t>(scale)].bounds();
  }
  Box box = Intersect(*changed, scales_.front().bounds());
  return box.empty() ? Box{} : CoarserBox(box, Factor(0, scale));
}

Box PyramidBlocks::Target(const PyramidBlock& block, const std::optional<Box>& changed, int scale) const {
  const Box box = Intersect(OwnedBox(block, scale), AtScale(changed, scale));
  return box.empty() ? Box{} : box;
}

std::vector<ChunkPoint> PyramidBlocks::BlocksOver(int tier, const std::optional<Box>& changed) const {
  const PyramidTier& of = tiers_[static_cast<size_t>(tier)];
  std::vector<ChunkPoint> blocks;
  for (int scale = of.base + 1; scale <= of.top; ++scale) {
    const Box box = AtScale(changed, scale);
    if (box.empty()) {
      continue;
    }
    const Scale& in = scales_[static_cast<size_t>(scale)];
    const ChunkGrid lattice{in.bounds(), Over(of.block_size, Factor(of.base, scale))};
    const std::vector<ChunkPoint> over = lattice.ChunksOver(box);
    blocks.insert(blocks.end(), over.begin(), over.end());
  }
  std::ranges::sort(blocks, {}, [](ChunkPoint p) { return std::tuple(p.z, p.y, p.x); });
  blocks.erase(std::ranges::unique(blocks).begin(), blocks.end());
  return blocks;
}

std::vector<Box> PyramidBlocks::NeededBoxes(const PyramidBlock& block, const std::optional<Box>& changed) const {
  const PyramidTier& tier = tiers_[static_cast<size_t>(block.tier)];
  std::vector<Box> needed(static_cast<size_t>(tier.top - tier.base + 1));
  for (int scale = tier.top; scale >= tier.base; --scale) {
    Box& box = needed[static_cast<size_t>(scale - tier.base)];
    box = scale == tier.base ? Box{} : Target(block, changed, scale);
    if (scale == tier.top || needed[static_cast<size_t>(scale - tier.base + 1)].empty()) {
      continue;
    }
    const Box below = Intersect(FinerBox(needed[static_cast<size_t>(scale - tier.base + 1)], Factor(scale, scale + 1)),
                                scales_[static_cast<size_t>(scale)].bounds());
    box = box.empty() ? below : Envelope(box, below);
  }
  return needed;
}

Box PyramidBlocks::BoxToRead(const PyramidBlock& block, const std::optional<Box>& changed) const {
  return NeededBoxes(block, changed).front();
}

absl::StatusOr<std::vector<ScalePart>> PyramidBlocks::Downsample(const Volume& volume, const PyramidBlock& block,
                                                                 const std::optional<Box>& changed) const {
  const PyramidTier& tier = tiers_[static_cast<size_t>(block.tier)];
  const std::vector<Box> needed = NeededBoxes(block, changed);
  std::vector<ScalePart> parts;
  if (needed.front().empty()) {
    return parts;
  }
  CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> fine, volume.ReadBox(tier.base, needed.front()));
  for (int scale = tier.base + 1; scale <= tier.top; ++scale) {
    const Box& box = needed[static_cast<size_t>(scale - tier.base)];
    if (box.empty()) {
      break;
    }
    const Box& fine_box = needed[static_cast<size_t>(scale - tier.base - 1)];
    const Extent3 factor = Factor(scale - 1, scale);
    const Box below = Intersect(FinerBox(box, factor), scales_[static_cast<size_t>(scale - 1)].bounds());
    Array3<uint64_t> coarse(box.extent());
    DownsampleLabels(std::as_const(fine).view().Crop(RelativeTo(below, fine_box.lo)), below.lo, factor, coarse.view());
    if (const Box target = Target(block, changed, scale); !target.empty()) {
      ScalePart& part = parts.emplace_back(ScalePart{scale, target, Array3<uint64_t>(target.extent())});
      CopyArray(std::as_const(coarse).view().Crop(RelativeTo(target, box.lo)), part.labels.view());
    }
    fine = std::move(coarse);
  }
  return parts;
}

absl::StatusOr<std::vector<store::KeyedWrite>> CompareWithStored(const Volume& volume, const ScalePart& part) {
  const ChunkGrid& grid = volume.grid(part.scale);
  std::vector<store::KeyedWrite> writes;
  for (const ChunkPoint chunk : grid.ChunksOver(part.box)) {
    const Box chunk_box = grid.BoxOf(chunk);
    const Box shared = Intersect(chunk_box, part.box);
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, volume.ReadChunk(part.scale, chunk));
    CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> labels, volume.DecodeChunk(part.scale, chunk, read));
    const ArrayView3<const uint64_t> fresh = part.labels.view().Crop(RelativeTo(shared, part.box.lo));
    const ArrayView3<uint64_t> stored = labels.view().Crop(RelativeTo(shared, chunk_box.lo));
    if (Equal(fresh, stored)) {
      continue;
    }
    CopyArray(fresh, stored);
    CLEAVE_ASSIGN_OR_RETURN(store::KeyedWrite write,
                            volume.EncodeChunkWrite(part.scale, chunk, std::as_const(labels).view(), read.generation));
    writes.push_back(std::move(write));
  }
  return writes;
}

}  // namespace cleave::volume
