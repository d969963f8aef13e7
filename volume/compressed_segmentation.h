// Neuroglancer's compressed_segmentation: a chunk of labels as small blocks, each with a palette and few bits a voxel.
//
//   CLEAVE_ASSIGN_OR_RETURN(std::string bytes, EncodeCompressedSegmentation<uint64_t>(labels.view(), {8, 8, 8}));
//   CLEAVE_ASSIGN_OR_RETURN(auto chunk, CompressedSegmentation<uint64_t>::Open(bytes, labels.extent(), {8, 8, 8}));
//   CLEAVE_ASSIGN_OR_RETURN(uint64_t label, chunk.At({3, 1, 4}));
//
// Layout, all in little-endian 32-bit words (Neuroglancer, `sliceview/compressed_segmentation/README.md`):
//   word 0                 offset in words from here to the channel (we write and read one channel: 1)
//   channel:               offsets below are relative to its first word; at most 2^24 - 1
//     2 words a block      in order ix + gx * (iy + gy * iz):
//                            table offset (bits 0-23) | bits a voxel b (24-31), b one of 0 1 2 4 8 16 32
//                            offset of the packed indices (bits 0-23)
//     then for each block  ceil(b * bx * by * bz / 32) words of indices, voxel x + bx * (y + by * z), low bits first;
//                          the palette, labels ascending, 2 words each (1 for uint32), low word first. A palette that
//                          an earlier block wrote is referred to, not written again.
#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::volume {

// Encodes one channel, in blocks of `block` voxels. The bytes are those that TensorStore and Neuroglancer write for the
// same labels. `Label` is uint32_t or uint64_t. INVALID_ARGUMENT when the result is beyond the reach of the
// format's 24-bit offsets (64 MiB): the chunk is too large. REQUIRES: `block` positive, `labels` not empty.
template <typename Label>
[[nodiscard]] absl::StatusOr<std::string> EncodeCompressedSegmentation(ArrayView3<const Label> labels, Extent3 block);

// An encoded chunk, read where it lies. Does not own the bytes: they must outlive it. Cheap to copy; safe to use from
// several threads. Every offset and index is checked against the bytes before it is followed; DATA_LOSS says which
// block is damaged and how. Nothing is assumed of the writer beyond the layout: palettes need not be sorted.
template <typename Label>
class CompressedSegmentation {
 public:
  // Checks that `bytes` can hold the headers of a chunk of `extent` voxels in blocks of `block`.
  // REQUIRES: `extent` and `block` positive.
  [[nodiscard]] static absl::StatusOr<CompressedSegmentation> Open(absl::string_view bytes, Extent3 extent,
                                                                   Extent3 block);

  // The label of one voxel, without decoding any other. REQUIRES: `point` inside the extent.
  [[nodiscard]] absl::StatusOr<Label> At(VoxelPoint point) const;

  // Writes the labels of `box` to `out`, whose extent is that of the box. Touches only the blocks that the box touches.
  // `Out` is uint64_t (or Label). REQUIRES: `box` inside the extent.
  template <typename Out>
  [[nodiscard]] absl::Status Decode(const Box& box, ArrayView3<Out> out) const;

  // Decode through a function: voxel -> lookup(label). `lookup` runs once for each palette entry of a block that the
  // box touches, never once for each voxel, so it may be slow; it sees only labels that stand in palettes.
  // `Out` is uint8_t, uint32_t or uint64_t.
  template <typename Out>
  [[nodiscard]] absl::Status DecodeMapped(const Box& box, absl::FunctionRef<Out(Label)> lookup,
                                          ArrayView3<Out> out) const;

  // Calls `visit` once for each distinct label of the chunk, in no particular order, from palettes and the largest
  // index of each block. (A writer that lists labels in a palette which no voxel has, as none known does, has them
  // visited too.)
  [[nodiscard]] absl::Status ForEachLabel(absl::FunctionRef<void(Label)> visit) const;

 private:
  struct Block;  // one block's header, checked

  CompressedSegmentation(absl::string_view channel, Extent3 extent, Extent3 block);
  [[nodiscard]] absl::StatusOr<Block> ReadBlock(VoxelPoint block_index) const;
  template <typename Body>
  [[nodiscard]] absl::Status ForEachBlock(const Box& box, Body body) const;

  absl::string_view channel_;  // from the channel's first word to the end of the chunk
  Extent3 extent_;
  Extent3 block_;
  Extent3 grid_;  // blocks along each axis
};

extern template class CompressedSegmentation<uint32_t>;
extern template class CompressedSegmentation<uint64_t>;

}  // namespace cleave::volume
