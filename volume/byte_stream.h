// Bytes read from front to back, whatever they come from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::volume {

// Not thread-safe.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Reads up to `size` bytes to `out` and returns their count, less than `size` only at the end of the stream.
  [[nodiscard]] virtual absl::StatusOr<int64_t> Read(char* out, int64_t size) = 0;
};

// The bytes of a file. NOT_FOUND when there is none. Decompressed when the file starts with a zstd frame.
[[nodiscard]] absl::StatusOr<std::unique_ptr<ByteStream>> OpenFileStream(const std::string& path);

// Bytes in memory, which must outlive the stream; decompressed in the same way.
[[nodiscard]] absl::StatusOr<std::unique_ptr<ByteStream>> MakeMemoryStream(absl::string_view bytes);

}  // namespace cleave::volume
