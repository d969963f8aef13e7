// Feeds arbitrary bytes to the readers of shard files: one byte chooses the sharding, the rest is taken as the index of
// a shard and as that of a minishard. What they say must lie where a file can have bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "mesh/sharded_index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::mesh;
  if (size == 0) {
    return 0;
  }
  const ShardingSpec spec{.minishard_bits = data[0] % 4, .gzip_index = data[0] >= 128};
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (uint64_t minishard = 0; minishard < uint64_t{1} << spec.minishard_bits; ++minishard) {
    const auto place = DecodeShardIndex(bytes, spec, minishard);
    if (place.ok() && place->has_value() && ((*place)->offset < ShardIndexBytes(spec) || (*place)->length == 0)) {
      std::abort();
    }
  }
  const auto values = DecodeMinishardIndex(bytes, spec);
  if (values.ok()) {
    for (const ShardedValue& value : *values) {
      if (value.place.offset < ShardIndexBytes(spec) || value.place.offset + value.place.length < value.place.offset) {
        std::abort();
      }
    }
  }
  return 0;
}
