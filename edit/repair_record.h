// What a repair changes, mend by mend, and the durable record of it: what stood there before can be looked at later.
//
// The record is one cell on the row "r" + 20 digits of the repair's operation id, column 2:cleave_repair: a zstd frame
// of the protobuf message RepairRecord (repair.proto). It is written in the batch that carries the repair out. Old
// voxels are not in it: the version of the voxel store that held them stays readable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/geometry.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::edit {

// One cell; nullopt: it is not there.
struct CellChange {
  std::string row;
  table::Column column;
  std::optional<absl::Time> time;  // nullopt: the repair's own
  std::optional<std::string> before;
  std::optional<std::string> after;
  friend bool operator==(const CellChange&, const CellChange&) = default;
};

// One stored chunk of the finest scale.
struct VoxelChange {
  std::string key;
  uint64_t restored_from = 0;
  uint64_t replaced = 0;
  friend bool operator==(const VoxelChange&, const VoxelChange&) = default;
};

struct Mend {
  int invariant = 0;
  std::string what;      // what is wrong
  std::string evidence;  // what says how it should be
  std::vector<uint64_t> ids;
  std::optional<Box> where;
  std::vector<CellChange> cells;
  std::vector<VoxelChange> voxels;
  friend bool operator==(const Mend&, const Mend&) = default;
};

// For people: "node 17, parent since 2025-...: 4 -> 5". Values that cannot be decoded are told by their length.
[[nodiscard]] std::string DescribeChange(const CellChange& change);
[[nodiscard]] std::string DescribeChange(const VoxelChange& change);

[[nodiscard]] std::string EncodeMends(const std::vector<Mend>& mends);
// DATA_LOSS when the bytes are not an intact record.
[[nodiscard]] absl::StatusOr<std::vector<Mend>> DecodeMends(absl::string_view bytes);

// The row that holds the record, for the repair's own batch.
[[nodiscard]] table::RowMutation RepairRow(graph::OperationId operation, const std::vector<Mend>& mends);
// NOT_FOUND when the operation was no repair.
[[nodiscard]] absl::StatusOr<std::vector<Mend>> ReadRepair(const table::TableReader& table,
                                                           graph::OperationId operation);

}  // namespace cleave::edit
