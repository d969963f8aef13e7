// Where one value lies in a set of shard files: "neuroglancer_uint64_sharded_v1", the format in which meshes that were
// made beforehand are stored. (Source: Neuroglancer's datasource/precomputed/sharded.md; for meshes of chunked graphs,
// CloudVolume's graphene source.)
//
//   FILE.shard     shard index: 2^minishard_bits times [begin, end), two u64 little-endian, of that minishard's index
//                  then values and minishard indices; all offsets are counted from the end of the shard index
//   minishard index, perhaps gzip: u64[3][n] little-endian: keys, offsets, sizes; keys are differences to the key
//                  before, offsets differences to the end of the value before
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

#include "graph/ids.h"
#include "store/store.h"

namespace cleave::mesh {

struct ShardingSpec {
  enum class Hash { kIdentity, kMurmurHash3 };
  Hash hash = Hash::kMurmurHash3;  // "murmurhash3_x86_128"
  int preshift_bits = 0;           // 0 to 63
  int minishard_bits = 3;          // 0 to 20: a shard index is read whole
  int shard_bits = 0;              // 0 to 64, together with minishard_bits
  bool gzip_index = true;          // minishard_index_encoding
  bool gzip_data = false;          // data_encoding

  friend bool operator==(const ShardingSpec&, const ShardingSpec&) = default;
};

[[nodiscard]] nlohmann::ordered_json FormatShardingSpec(const ShardingSpec& spec);
// Members that are missing keep their defaults, but for "@type". INVALID_ARGUMENT names the member that is wrong.
[[nodiscard]] absl::StatusOr<ShardingSpec> ParseShardingSpec(const nlohmann::json& json);

struct ShardPlace {
  uint64_t shard = 0;
  uint64_t minishard = 0;
  friend bool operator==(const ShardPlace&, const ShardPlace&) = default;
};
[[nodiscard]] ShardPlace PlaceOf(const ShardingSpec& spec, graph::NodeId node);

// The file of a node's mesh within the folder of its layer, "344239114-0.shard": each chunk has shards of its own,
// named by its position's bits in the id, then the shard in hexadecimal digits.
[[nodiscard]] std::string ShardFileName(const graph::IdLayout& layout, const ShardingSpec& spec, graph::NodeId node);

[[nodiscard]] inline uint64_t ShardIndexBytes(const ShardingSpec& spec) { return uint64_t{16} << spec.minishard_bits; }

// Where the index of a minishard lies in its file; nullopt for one without values. DATA_LOSS when `shard_index` has not
// ShardIndexBytes(spec), or the place makes no sense.
[[nodiscard]] absl::StatusOr<std::optional<store::Extent>> DecodeShardIndex(absl::string_view shard_index,
                                                                            const ShardingSpec& spec,
                                                                            uint64_t minishard);

struct ShardedValue {
  uint64_t key = 0;
  store::Extent place;  // in the file
};
// In the order of the file. DATA_LOSS for a damaged index, or one of more than 2^22 values.
[[nodiscard]] absl::StatusOr<std::vector<ShardedValue>> DecodeMinishardIndex(absl::string_view bytes,
                                                                             const ShardingSpec& spec);

}  // namespace cleave::mesh
