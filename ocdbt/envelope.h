// The wrapper of every OCDBT object: magic number, length, compression, checksum.
//
//   magic               u32 big-endian
//   length              u64le, of the whole object, header and checksum included
//   version             varint32, 0
//   compression_format  varint32: 0 the body as it is, 1 one Zstandard frame
//   body
//   crc32c              u32le, of everything before it
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/config.h"

namespace cleave::ocdbt {

enum class ObjectKind : uint32_t {
  kManifest = 0x0cdb3a2a,
  kBtreeNode = 0x0cdb20de,
  kVersionTreeNode = 0x0cdb1234,
};

// "manifest", "b-tree node" or "version tree node".
[[nodiscard]] absl::string_view NameOf(ObjectKind kind);

[[nodiscard]] std::string EncodeEnvelope(ObjectKind kind, absl::string_view body, const Compression& compression);

// The body of an object. DATA_LOSS when a single bit of it is wrong; the message says what, the caller adds where.
// The checksum is verified before anything else is believed.
[[nodiscard]] absl::StatusOr<std::string> DecodeEnvelope(ObjectKind kind, absl::string_view object);

}  // namespace cleave::ocdbt
