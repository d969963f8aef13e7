// The configuration of an OCDBT database: chosen at creation, stored in its manifest, never changed.
//
//   uuid                     16 bytes
//   manifest_kind            u8: 0 single, 1 numbered
//   max_inline_value_bytes   varint32
//   max_decoded_node_bytes   varint32
//   version_tree_arity_log2  u8, 1 to 16
//   compression_method       varint32: 0 none, 1 zstd
//   zstd_level               i32le, only for zstd; 0 means the library's default
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"

#include "ocdbt/byte_coding.h"

namespace cleave::ocdbt {

using Uuid = std::array<uint8_t, 16>;

enum class ManifestKind : uint8_t {
  kSingle = 0,    // one object, replaced by conditional writes
  kNumbered = 1,  // one object per generation, for stores that can create but not compare and swap
};

struct Compression {
  bool zstd = true;
  int32_t level = 0;  // 0: the library's default
  friend bool operator==(const Compression&, const Compression&) = default;
};

inline constexpr uint32_t kMaxInlineValueBytes = 1 << 20;

// The defaults suit segmentation chunks: small ones lie in the tree, where zstd shrinks them, and nodes are small
// enough that an edit of a few chunks rewrites little.
struct Config {
  Uuid uuid{};  // all zero: Database::Create chooses a random one
  ManifestKind manifest_kind = ManifestKind::kSingle;
  uint32_t max_inline_value_bytes = 4096;    // up to kMaxInlineValueBytes; longer values lie outside of the tree
  uint32_t max_decoded_node_bytes = 131072;  // a soft limit; 0 means none
  uint8_t version_tree_arity_log2 = 4;       // 1 to 16
  Compression compression;                   // of manifest and nodes; values outside of the tree are never compressed
  friend bool operator==(const Config&, const Config&) = default;
};

// INVALID_ARGUMENT, naming the member, when a value is outside of its bounds.
[[nodiscard]] absl::Status ValidateConfig(const Config& config);

// What a caller demands of an existing database. Members not given are not compared.
struct ConfigConstraints {
  std::optional<Uuid> uuid;
  std::optional<ManifestKind> manifest_kind;
  std::optional<uint32_t> max_inline_value_bytes;
  std::optional<uint32_t> max_decoded_node_bytes;
  std::optional<uint8_t> version_tree_arity_log2;
  std::optional<Compression> compression;
};

// FAILED_PRECONDITION "Configuration mismatch on MEMBER: expected A but received B" for the first member that differs.
[[nodiscard]] absl::Status CheckConstraints(const ConfigConstraints& constraints, const Config& config);

void EncodeConfig(const Config& config, std::string& out);
// Reads what EncodeConfig wrote; the reader fails where a member is not valid.
[[nodiscard]] Config DecodeConfig(ByteReader& reader);

// {"compression":{"id":"zstd","level":0},"max_decoded_node_bytes":131072,...}: the `config` member of a TensorStore
// spec.
[[nodiscard]] std::string ConfigJson(const Config& config);

}  // namespace cleave::ocdbt
