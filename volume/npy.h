// NumPy .npy files of three-dimensional integers, plain or compressed with zstd (.npy.zst; told by content, not name).
//
// Shape is (x, y, z), optionally with a trailing axis of one channel. Read: versions 1 to 3, little-endian u1 u2 u4 u8
// i1 i2 i4 i8, both orders. Written: version 1, Fortran order, so that x is fastest in the file.
// Source of the layout: NumPy's `numpy.lib.format`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/array.h"
#include "base/geometry.h"
#include "volume/byte_stream.h"
#include "volume/npy_header.h"

namespace cleave::volume {

// Reads a file from front to back, a few planes at a time. Not thread-safe.
class NpyReader {
 public:
  // NOT_FOUND: no such file. INVALID_ARGUMENT: not such an array; says what was found and what is expected.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<NpyReader>> Open(const std::string& path);
  // The same from a stream of a file's bytes; `name` stands in error messages.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<NpyReader>> FromStream(std::unique_ptr<ByteStream> stream,
                                                                             absl::string_view name);

  [[nodiscard]] const NpyHeader& header() const { return header_; }

  // Visits the array in slabs of at most `slab_voxels_max` voxels (but at least one plane) in file order: planes of z
  // in Fortran order, planes of x in C order. `slab` says where the elements belong; they are valid during the call.
  // Ends at the visitor's first error and returns it. DATA_LOSS: the file ends early, holds too much, or is damaged;
  // INVALID_ARGUMENT: a negative label, or one that `Label` (uint8_t to uint64_t) cannot hold. May be called once.
  template <typename Label>
  [[nodiscard]] absl::Status ForEachSlab(
      int64_t slab_voxels_max, absl::FunctionRef<absl::Status(const Box& slab, ArrayView3<const Label>)> visit);

 private:
  NpyReader(std::unique_ptr<ByteStream> stream, std::string name)
      : stream_(std::move(stream)), name_(std::move(name)) {}
  [[nodiscard]] absl::Status ReadHeader();
  [[nodiscard]] absl::Status ReadExactly(char* out, int64_t size);

  std::unique_ptr<ByteStream> stream_;
  std::string name_;
  NpyHeader header_;
};

// Reads a whole file; peak memory is the array and one slab. RESOURCE_EXHAUSTED when the array does not fit in memory.
// Other errors as above. `Label` is uint8_t, uint16_t, uint32_t or uint64_t and may be wider than the file's.
template <typename Label>
[[nodiscard]] absl::StatusOr<Array3<Label>> ReadNpy(const std::string& path);

// Writes `labels` (uint8_t, uint32_t or uint64_t) as an uncompressed .npy file, replacing what was there.
template <typename Label>
[[nodiscard]] absl::Status WriteNpy(const std::string& path, ArrayView3<const Label> labels);

}  // namespace cleave::volume
