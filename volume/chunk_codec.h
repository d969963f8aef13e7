// One interface for the encodings of a chunk, so that the rest of the volume does not ask how voxels are stored.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/array.h"
#include "volume/info.h"

namespace cleave::volume {

// Turns the voxels of one scale's chunks into bytes and back. Voxels are uint64 labels here whatever the stored type
// is. A chunk's extent is not in its bytes: the caller gives it (clipped at the volume's end). Boxes and points
// count from the chunk's first voxel. DATA_LOSS: the bytes are not a chunk of that extent. Immutable, thread-safe.
class ChunkCodec {
 public:
  virtual ~ChunkCodec() = default;

  // INVALID_ARGUMENT when a label does not fit the stored type, or when the chunk is too large for its encoding.
  [[nodiscard]] virtual absl::StatusOr<std::string> Encode(ArrayView3<const uint64_t> labels) const = 0;

  // Writes the labels of `box` to `out`. REQUIRES: `box` inside `extent`; `out` has the extent of the box.
  [[nodiscard]] virtual absl::Status Decode(absl::string_view bytes, Extent3 extent, const Box& box,
                                            ArrayView3<uint64_t> out) const = 0;

  // The label of one voxel, at the cost of one voxel. REQUIRES: `point` inside `extent`.
  [[nodiscard]] virtual absl::StatusOr<uint64_t> At(absl::string_view bytes, Extent3 extent,
                                                    VoxelPoint point) const = 0;

  // Decode with every label replaced by lookup(label). `lookup` runs once for a run or a palette entry, not for
  // each voxel.
  [[nodiscard]] virtual absl::Status DecodeMapped(absl::string_view bytes, Extent3 extent, const Box& box,
                                                  absl::FunctionRef<uint8_t(uint64_t)> lookup,
                                                  ArrayView3<uint8_t> out) const = 0;
  [[nodiscard]] virtual absl::Status DecodeMapped(absl::string_view bytes, Extent3 extent, const Box& box,
                                                  absl::FunctionRef<uint32_t(uint64_t)> lookup,
                                                  ArrayView3<uint32_t> out) const = 0;

  // Calls `visit` once for each distinct label of the chunk, in no particular order.
  [[nodiscard]] virtual absl::Status ForEachLabel(absl::string_view bytes, Extent3 extent,
                                                  absl::FunctionRef<void(uint64_t)> visit) const = 0;
};

// The codec of `scale`'s chunks in a volume of `type`. INVALID_ARGUMENT where labels cannot be held (float32), or
// where the encoding does not take the type.
[[nodiscard]] absl::StatusOr<std::unique_ptr<const ChunkCodec>> MakeChunkCodec(DataType type, const Scale& scale);

}  // namespace cleave::volume
