// Row keys of a chunked graph's table, as PyChunkedGraph and KVDbClient write them.
//
//   node                    20 decimal digits of the id, zero-padded: byte order is the order of ids
//   operation log           20 decimal digits of the operation id (below all nodes, whose layer is at least 1)
//   chunk counter           "i" + 20 digits of the chunk id
//   root counter            "i" + 20 digits of the root chunk id + "_" + counter 0..255
//   edited edges            "f" + 20 digits of the L2 chunk id
//   operation id counter    "ioperations"
//   chunk lock              "l" + 4 hexadecimal digits + 20 digits of the L2 chunk id
//   downsampling lock       "d" + 4 hexadecimal digits + 2 digits of the scale + "_" + position X_Y_Z; ours alone
//   "meta", "version", "params" (the last in v1 tables only)
//
// The chunk lock's digits are the first two bytes of the BLAKE2b-512 digest of the chunk id's eight big-endian bytes;
// they spread neighbouring chunks over a distributed table. PyChunkedGraph writes such keys as ten raw bytes, which can
// fall between two nodes; a printable key that begins with a letter cannot.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/geometry.h"
#include "table/table.h"

namespace cleave::table {

inline constexpr char kOperationCounterRowKey[] = "ioperations";
inline constexpr char kMetaRowKey[] = "meta";
inline constexpr char kVersionRowKey[] = "version";

inline constexpr int kRootCountersPerChunk = 256;

// One of the counters that hand out root ids of one chunk; `counter` is in [0, kRootCountersPerChunk).
struct RootCounter {
  uint64_t root_chunk_id = 0;
  int counter = 0;
};

// Ids from `first` to `last`, both included.
struct IdInterval {
  uint64_t first = 0;
  uint64_t last = 0;
};

[[nodiscard]] std::string NodeRowKey(uint64_t node_id);
[[nodiscard]] std::string OperationRowKey(uint64_t operation_id);
[[nodiscard]] std::string ChunkCounterRowKey(uint64_t chunk_id);
[[nodiscard]] std::string RootCounterRowKey(const RootCounter& counter);
[[nodiscard]] std::string EditedEdgesRowKey(uint64_t l2_chunk_id);
[[nodiscard]] std::string ChunkLockRowKey(uint64_t l2_chunk_id);

// The lock of a block of coarser scales: `scale` is the first that the block makes, `position` its place among them.
// The digits are the first two bytes of the BLAKE2b-512 digest of what follows them.
[[nodiscard]] std::string DownsampleLockRowKey(int scale, ChunkPoint position);
[[nodiscard]] RowRange DownsampleLockRowRange();

// The rows of all ids in `ids`; also for operation ids.
[[nodiscard]] RowRange NodeRowRange(const IdInterval& ids);
// The rows of all chunk locks.
[[nodiscard]] RowRange ChunkLockRowRange();

// The id in a row key of the named kind; INVALID_ARGUMENT, naming the key, when it is not one.
[[nodiscard]] absl::StatusOr<uint64_t> ParseNodeRowKey(absl::string_view key);
[[nodiscard]] absl::StatusOr<uint64_t> ParseOperationRowKey(absl::string_view key);
[[nodiscard]] absl::StatusOr<uint64_t> ParseEditedEdgesRowKey(absl::string_view key);
[[nodiscard]] absl::StatusOr<uint64_t> ParseChunkLockRowKey(absl::string_view key);

}  // namespace cleave::table
