// Small texts that are kept beside a database: lines of words, with a checksum.
//
//   cleave KIND 1
//   WORD WORD ...          other than printable bytes, and '\', quotes and spaces, are escaped as in C, with three
//   octal
//                          digits; "" is an empty word
//   ...
//   end CRC32C             8 hex digits, of everything before this line
//
// People can read them, and a torn or damaged one is never believed.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::ocdbt {

using RecordLines = std::vector<std::vector<std::string>>;

// `kind` is one plain word.
[[nodiscard]] std::string EncodeRecord(absl::string_view kind, const RecordLines& lines);
// DATA_LOSS when a byte of it is wrong, or it is of another kind.
[[nodiscard]] absl::StatusOr<RecordLines> DecodeRecord(absl::string_view kind, absl::string_view text);

}  // namespace cleave::ocdbt
