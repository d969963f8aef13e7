// The header of a .npy file: a magic string, a length, and a Python dictionary in text.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/geometry.h"

namespace cleave::volume {

struct NpyType {
  bool is_signed = false;
  int64_t byte_count = 8;  // 1, 2, 4 or 8
  friend bool operator==(const NpyType&, const NpyType&) = default;
};

struct NpyHeader {
  NpyType type;
  Extent3 extent;
  bool fortran_order = true;  // x fastest in the file; else z fastest
  friend bool operator==(const NpyHeader&, const NpyHeader&) = default;
};

// Bytes before the dictionary's length: magic and version.
inline constexpr int64_t kNpyPreambleBytes = 8;

// How many bytes the length field takes that follows `preamble`: 2 (version 1) or 4 (versions 2 and 3).
// INVALID_ARGUMENT when this is no .npy file or an unknown version. REQUIRES: kNpyPreambleBytes bytes.
[[nodiscard]] absl::StatusOr<int64_t> NpyLengthBytes(absl::string_view preamble);

// Reads "{'descr': '<u4', 'fortran_order': True, 'shape': (512, 512, 512), }". INVALID_ARGUMENT names the entry that is
// missing or not supported.
[[nodiscard]] absl::StatusOr<NpyHeader> ParseNpyDictionary(absl::string_view text);

// A whole header, version 1, padded so that the elements start at a multiple of 64 bytes.
[[nodiscard]] std::string FormatNpyHeader(const NpyHeader& header);

}  // namespace cleave::volume
