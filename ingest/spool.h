// What the workers of an ingest hand on to each other and to the process that owns the table, chunk by chunk:
//
//   surfaces/X_Y_Z    the supervoxels of a chunk and its outermost planes, for it and its neighbours to be connected
//   rows/X_Y_Z        the rows of layers 1 and 2 of a chunk, as they go into the table
//
// A file is the CRC-32C of what follows, little-endian, and a message of spool.proto. It is durable before its job is
// done, and written anew with the same content when its job is done again. The spool goes when the ingest ends.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ingest/node_rows.h"
#include "ingest/supervoxels.h"
#include "store/store.h"
#include "table/table.h"

namespace cleave::ingest {

struct ChunkRows {
  std::vector<table::RowMutation> rows;  // SetCells with times only
  AtomicLayerCounts counts;
};

enum class SpoolKind { kSurfaces, kRows };

// Thread-safe.
class Spool {
 public:
  explicit Spool(std::shared_ptr<store::Store> store) : store_(std::move(store)) {}

  [[nodiscard]] absl::Status WriteSurfaces(const ChunkSupervoxels& chunk);
  // NOT_FOUND when they were never written, DATA_LOSS when they are damaged.
  [[nodiscard]] absl::StatusOr<ChunkSupervoxels> ReadSurfaces(ChunkPoint chunk) const;
  [[nodiscard]] absl::Status WriteRows(ChunkPoint chunk, const ChunkRows& rows);
  [[nodiscard]] absl::StatusOr<ChunkRows> ReadRows(ChunkPoint chunk) const;
  // Which chunks have a file of this kind, damaged or not: for each of `chunks`.
  [[nodiscard]] absl::StatusOr<std::vector<bool>> Have(SpoolKind kind, std::span<const ChunkPoint> chunks) const;
  // Nothing when there is none.
  [[nodiscard]] absl::Status Remove(SpoolKind kind, ChunkPoint chunk);

 private:
  [[nodiscard]] absl::StatusOr<std::string> Read(const std::string& key) const;
  std::shared_ptr<store::Store> store_;
};

// The bytes of the files and back. DATA_LOSS for what no encoder wrote.
[[nodiscard]] std::string EncodeSurfaces(const ChunkSupervoxels& chunk);
[[nodiscard]] absl::StatusOr<ChunkSupervoxels> DecodeSurfaces(ChunkPoint position, absl::string_view bytes);
[[nodiscard]] std::string EncodeRows(const ChunkRows& rows);
[[nodiscard]] absl::StatusOr<ChunkRows> DecodeRows(absl::string_view bytes);

}  // namespace cleave::ingest
