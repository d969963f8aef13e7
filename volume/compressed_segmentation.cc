// How a block is read: its header gives where its indices and its palette lie. That the indices lie inside the chunk is
// checked when the header is read. That every index meets a palette entry inside the chunk is certain, with no look at
// the indices, when as many entries as the bits can name fit between the palette and the chunk's end; only for the
// few blocks where they do not, the largest index is found first.
#include "volume/compressed_segmentation.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <type_traits>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::volume {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie in memory");

constexpr int64_t kWordBytes = 4;
constexpr int64_t kHeaderBytes = 2 * kWordBytes;
constexpr uint32_t kOffsetMask = (uint32_t{1} << 24) - 1;
constexpr uint32_t kBitsShift = 24;

template <typename T>
T Load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

template <int kBits>
constexpr uint32_t kIndexMask = static_cast<uint32_t>((uint64_t{1} << kBits) - 1);

// The packed index of voxel `i` of a block.
template <int kBits>
uint32_t IndexAt(const char* values, int64_t i) {
  const auto word = Load<uint32_t>(values + i * kBits / 32 * kWordBytes);
  return (word >> (i * kBits % 32)) & kIndexMask<kBits>;
}

// Calls use(k, index) for the eight voxels from `first`, a multiple of 8: their indices are kBits whole bytes.
template <int kBits, typename Use>
inline void ForEight(const char* values, int64_t first, Use use) {
  const char* bytes = values + first / 8 * kBits;
  if constexpr (kBits <= 8) {
    uint64_t packed = 0;
    std::memcpy(&packed, bytes, kBits);
    for (int k = 0; k < 8; ++k) {
      use(k, static_cast<uint32_t>(packed >> (k * kBits)) & kIndexMask<kBits>);
    }
  } else {
    using Index = std::conditional_t<kBits == 16, uint16_t, uint32_t>;
    for (int k = 0; k < 8; ++k) {
      use(k, uint32_t{Load<Index>(bytes + k * sizeof(Index))});
    }
  }
}

// Calls use(x, index) for x in [0, count), voxel first + x of a block.
template <int kBits, typename Use>
inline void ForRow(const char* values, int64_t first, int64_t count, Use use) {
  int64_t x = 0;
  if (first % 8 == 0) {
    for (; x + 8 <= count; x += 8) {
      ForEight<kBits>(values, first + x, [&use, x](int k, uint32_t index) { use(x + k, index); });
    }
  }
  for (; x < count; ++x) {
    use(x, IndexAt<kBits>(values, first + x));
  }
}

// Calls body(std::integral_constant<int, bits>). REQUIRES: bits is one of the format's, but not 0.
template <typename Body>
void WithBits(uint32_t bits, Body body) {
  switch (bits) {
    case 1:
      return body(std::integral_constant<int, 1>());
    case 2:
      return body(std::integral_constant<int, 2>());
    case 4:
      return body(std::integral_constant<int, 4>());
    case 8:
      return body(std::integral_constant<int, 8>());
    case 16:
      return body(std::integral_constant<int, 16>());
    default:
      assert(bits == 32);
      return body(std::integral_constant<int, 32>());
  }
}

bool IsBitCount(uint32_t bits) { return bits == 0 || (bits <= 32 && std::has_single_bit(bits)); }

template <typename Out>
void Fill(ArrayView3<Out> out, Out value) {
  for (int64_t z = 0; z < out.extent().z; ++z) {
    for (int64_t y = 0; y < out.extent().y; ++y) {
      std::fill_n(out.Row(y, z), out.extent().x, value);
    }
  }
}

}  // namespace

template <typename Label>
struct CompressedSegmentation<Label>::Block {
  uint32_t bits = 0;
  const char* values = nullptr;   // packed indices, whole words for the full block
  const char* palette = nullptr;  // unaligned labels
  int64_t palette_room = 0;       // entries from `palette` to the end of the chunk, at least 1
  Extent3 shape;                  // of a full block
  Box voxels;                     // the block's part inside the chunk, in the chunk's coordinates
  VoxelPoint lo;                  // the block's first voxel in the chunk's coordinates

  [[nodiscard]] Label PaletteEntry(uint32_t index) const {
    return Load<Label>(palette + static_cast<int64_t>(index) * static_cast<int64_t>(sizeof(Label)));
  }
  // The first index of the row at (lo.x + x, y, z), all in the block's coordinates.
  [[nodiscard]] int64_t RowIndex(VoxelPoint p) const { return p.x + shape.x * (p.y + shape.y * p.z); }

  // Calls row(first index, y, z) for each row of `part` (chunk's coordinates), y and z counted from the part's start.
  template <typename Row>
  void ForRows(const Box& part, Row row) const {
    const Extent3 size = part.extent();
    for (int64_t z = 0; z < size.z; ++z) {
      for (int64_t y = 0; y < size.y; ++y) {
        row(RowIndex(part.lo - lo + VoxelPoint{0, y, z}), y, z);
      }
    }
  }

  [[nodiscard]] uint32_t LargestIndex() const {
    uint32_t largest = 0;
    if (bits != 0) {
      WithBits(bits, [&](auto b) {
        ForRows(voxels, [&](int64_t first, int64_t, int64_t) {
          ForRow<b()>(values, first, voxels.extent().x,
                      [&largest](int64_t, uint32_t index) { largest = std::max(largest, index); });
        });
      });
    }
    return largest;
  }

  [[nodiscard]] absl::Status CheckIndex(uint32_t largest) const {
    if (int64_t{largest} < palette_room) {
      return absl::OkStatus();
    }
    return absl::DataLossError(absl::StrCat("compressed_segmentation: block at voxel ", ToString(lo),
                                            " uses palette entry ", largest, " but only ", palette_room,
                                            " fit before the chunk's end"));
  }

  // OK when no index of the block leads beyond the chunk's end.
  [[nodiscard]] absl::Status CheckIndices() const {
    const bool all_fit = int64_t{1} << bits <= palette_room;
    return all_fit ? absl::OkStatus() : CheckIndex(LargestIndex());
  }

  // Writes value(index) for the voxels of `part` to `out`.
  template <typename Out, typename Value>
  void WriteValues(const Box& part, ArrayView3<Out> out, Value value) const {
    WithBits(bits, [&](auto b) {
      ForRows(part, [&](int64_t first, int64_t y, int64_t z) {
        Out* target = out.Row(y, z);
        ForRow<b()>(values, first, out.extent().x, [&](int64_t x, uint32_t index) { target[x] = value(index); });
      });
    });
  }
};

template <typename Label>
CompressedSegmentation<Label>::CompressedSegmentation(absl::string_view channel, Extent3 extent, Extent3 block)
    : channel_(channel),
      extent_(extent),
      block_(block),
      grid_{CeilDivide(extent.x, block.x), CeilDivide(extent.y, block.y), CeilDivide(extent.z, block.z)} {}

template <typename Label>
absl::StatusOr<CompressedSegmentation<Label>> CompressedSegmentation<Label>::Open(absl::string_view bytes,
                                                                                  Extent3 extent, Extent3 block) {
  assert(extent.x > 0 && extent.y > 0 && extent.z > 0 && block.x > 0 && block.y > 0 && block.z > 0);
  if (bytes.size() < kWordBytes || bytes.size() % kWordBytes != 0) {
    return absl::DataLossError(
        absl::StrCat("compressed_segmentation: ", bytes.size(), " bytes are not a positive number of 32-bit words"));
  }
  const uint64_t start = uint64_t{Load<uint32_t>(bytes.data())} * kWordBytes;
  const absl::string_view channel = bytes.substr(std::min<size_t>(start, bytes.size()));
  CompressedSegmentation chunk(channel, extent, block);
  const int64_t header_bytes = Count(chunk.grid_) * kHeaderBytes;
  if (start == 0 || static_cast<int64_t>(channel.size()) < header_bytes) {
    return absl::DataLossError(absl::StrCat("compressed_segmentation: channel at byte ", start, " of ", bytes.size(),
                                            " has no room for the ", header_bytes, " bytes of headers of ",
                                            Count(chunk.grid_), " blocks"));
  }
  return chunk;
}

template <typename Label>
absl::StatusOr<typename CompressedSegmentation<Label>::Block> CompressedSegmentation<Label>::ReadBlock(
    VoxelPoint block_index) const {
  const auto size = static_cast<int64_t>(channel_.size());
  const char* header =
      channel_.data() + kHeaderBytes * (block_index.x + grid_.x * (block_index.y + grid_.y * block_index.z));
  const auto word = Load<uint32_t>(header);
  const int64_t palette = (word & kOffsetMask) * kWordBytes;
  const int64_t values = (Load<uint32_t>(header + kWordBytes) & kOffsetMask) * kWordBytes;
  Block block;
  block.bits = word >> kBitsShift;
  block.lo = {block_index.x * block_.x, block_index.y * block_.y, block_index.z * block_.z};
  const auto damaged = [&](auto... what) {
    return absl::DataLossError(
        absl::StrCat("compressed_segmentation: block at voxel ", ToString(block.lo), ": ", what...));
  };
  if (!IsBitCount(block.bits)) {
    return damaged(block.bits, " bits a voxel, not one of 0 1 2 4 8 16 32");
  }
  const int64_t values_bytes = CeilDivide(block.bits * Count(block_), 32) * kWordBytes;
  if (block.bits != 0 && values + values_bytes > size) {
    return damaged("indices at byte ", values, " need ", values_bytes, " bytes of a channel of ", size);
  }
  if (palette + static_cast<int64_t>(sizeof(Label)) > size) {
    return damaged("palette at byte ", palette, " lies beyond a channel of ", size, " bytes");
  }
  block.values = channel_.data() + (block.bits == 0 ? 0 : values);
  block.palette = channel_.data() + palette;
  block.palette_room = (size - palette) / static_cast<int64_t>(sizeof(Label));
  block.shape = block_;
  block.voxels = Intersect(BoxAt(block.lo, block_), BoxAt({}, extent_));
  return block;
}

// Calls body(block, part of the box inside the block) for each block that `box` touches.
template <typename Label>
template <typename Body>
absl::Status CompressedSegmentation<Label>::ForEachBlock(const Box& box, Body body) const {
  assert(BoxAt({}, extent_).Contains(box));
  const auto block_of = [this](VoxelPoint p) { return VoxelPoint{p.x / block_.x, p.y / block_.y, p.z / block_.z}; };
  if (box.empty()) {
    return absl::OkStatus();
  }
  const VoxelPoint first = block_of(box.lo);
  const VoxelPoint last = block_of(box.hi - VoxelPoint{1, 1, 1});
  for (int64_t z = first.z; z <= last.z; ++z) {
    for (int64_t y = first.y; y <= last.y; ++y) {
      for (int64_t x = first.x; x <= last.x; ++x) {
        CLEAVE_ASSIGN_OR_RETURN(const Block block, ReadBlock({x, y, z}));
        CLEAVE_RETURN_IF_ERROR(body(block, Intersect(block.voxels, box)));
      }
    }
  }
  return absl::OkStatus();
}

template <typename Label>
absl::StatusOr<Label> CompressedSegmentation<Label>::At(VoxelPoint point) const {
  assert(BoxAt({}, extent_).Contains(point));
  CLEAVE_ASSIGN_OR_RETURN(const Block block, ReadBlock({point.x / block_.x, point.y / block_.y, point.z / block_.z}));
  uint32_t index = 0;
  if (block.bits != 0) {
    WithBits(block.bits, [&](auto b) { index = IndexAt<b()>(block.values, block.RowIndex(point - block.lo)); });
  }
  CLEAVE_RETURN_IF_ERROR(block.CheckIndex(index));
  return block.PaletteEntry(index);
}

template <typename Label>
template <typename Out>
absl::Status CompressedSegmentation<Label>::Decode(const Box& box, ArrayView3<Out> out) const {
  assert(out.extent() == box.extent());
  return ForEachBlock(box, [&](const Block& block, const Box& part) -> absl::Status {
    const ArrayView3<Out> target = out.Crop({part.lo - box.lo, part.hi - box.lo});
    if (block.bits == 0) {
      Fill(target, static_cast<Out>(block.PaletteEntry(0)));
      return absl::OkStatus();
    }
    CLEAVE_RETURN_IF_ERROR(block.CheckIndices());
    block.WriteValues(part, target, [&block](uint32_t index) { return static_cast<Out>(block.PaletteEntry(index)); });
    return absl::OkStatus();
  });
}

template <typename Label>
template <typename Out>
absl::Status CompressedSegmentation<Label>::DecodeMapped(const Box& box, absl::FunctionRef<Out(Label)> lookup,
                                                         ArrayView3<Out> out) const {
  assert(out.extent() == box.extent());
  std::vector<Out> mapped;  // of the present block's palette
  return ForEachBlock(box, [&](const Block& block, const Box& part) -> absl::Status {
    const uint32_t largest = block.LargestIndex();
    CLEAVE_RETURN_IF_ERROR(block.CheckIndex(largest));
    mapped.clear();
    bool is_uniform = true;
    for (uint32_t index = 0; index <= largest; ++index) {
      mapped.push_back(lookup(block.PaletteEntry(index)));
      is_uniform &= mapped.back() == mapped.front();
    }
    const ArrayView3<Out> target = out.Crop({part.lo - box.lo, part.hi - box.lo});
    if (is_uniform) {
      Fill(target, mapped.front());
    } else {
      block.WriteValues(part, target, [entries = mapped.data()](uint32_t index) { return entries[index]; });
    }
    return absl::OkStatus();
  });
}

template <typename Label>
absl::Status CompressedSegmentation<Label>::ForEachLabel(absl::FunctionRef<void(Label)> visit) const {
  absl::flat_hash_set<Label> seen;
  absl::flat_hash_map<const char*, int64_t> entries_done;  // of each palette, which several blocks may share
  return ForEachBlock(BoxAt({}, extent_), [&](const Block& block, const Box&) -> absl::Status {
    const uint32_t largest = block.LargestIndex();
    CLEAVE_RETURN_IF_ERROR(block.CheckIndex(largest));
    int64_t& done = entries_done[block.palette];
    for (; done <= int64_t{largest}; ++done) {
      const Label label = block.PaletteEntry(static_cast<uint32_t>(done));
      if (seen.insert(label).second) {
        visit(label);
      }
    }
    return absl::OkStatus();
  });
}

template class CompressedSegmentation<uint32_t>;
template class CompressedSegmentation<uint64_t>;
template absl::Status CompressedSegmentation<uint32_t>::Decode(const Box&, ArrayView3<uint32_t>) const;
template absl::Status CompressedSegmentation<uint32_t>::Decode(const Box&, ArrayView3<uint64_t>) const;
template absl::Status CompressedSegmentation<uint64_t>::Decode(const Box&, ArrayView3<uint64_t>) const;
template absl::Status CompressedSegmentation<uint32_t>::DecodeMapped(const Box&, absl::FunctionRef<uint8_t(uint32_t)>,
                                                                     ArrayView3<uint8_t>) const;
template absl::Status CompressedSegmentation<uint32_t>::DecodeMapped(const Box&, absl::FunctionRef<uint32_t(uint32_t)>,
                                                                     ArrayView3<uint32_t>) const;
template absl::Status CompressedSegmentation<uint64_t>::DecodeMapped(const Box&, absl::FunctionRef<uint8_t(uint64_t)>,
                                                                     ArrayView3<uint8_t>) const;
template absl::Status CompressedSegmentation<uint64_t>::DecodeMapped(const Box&, absl::FunctionRef<uint32_t(uint64_t)>,
                                                                     ArrayView3<uint32_t>) const;
template absl::Status CompressedSegmentation<uint64_t>::DecodeMapped(const Box&, absl::FunctionRef<uint64_t(uint64_t)>,
                                                                     ArrayView3<uint64_t>) const;

}  // namespace cleave::volume
