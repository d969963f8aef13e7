// The log of operations: one row each, with what was asked, what came of it, and how far it got.
//
// Columns are the field's (table/columns.h), with a few of our own in family 2 (operation_log.cc). Status EXCEPTION is
// an operation that was refused or failed before its commit point: nothing of it is visible, and the row says why.
//
// Beside the log stands a small index of operations in flight: a row "o" + 20 digits of the id exists from before the
// first lock until after the last one is released. Recovery and the safe timestamp read it, and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/geometry.h"
#include "edit/plan.h"
#include "graph/edges.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::edit {

enum class OperationKind { kMerge, kSplit, kRepair };
// Numbers are the field's status codes.
enum class OperationStatus : int { kSuccess = 0, kCreated = 1, kException = 2, kWriteStarted = 3, kWriteFailed = 4 };

[[nodiscard]] absl::string_view Name(OperationKind kind);
[[nodiscard]] absl::string_view Name(OperationStatus status);

struct OperationRecord {
  graph::OperationId id{};
  OperationKind kind = OperationKind::kMerge;
  OperationStatus status = OperationStatus::kCreated;
  std::string user;
  absl::Time time;  // of the changes once they are committed; of the row before
  std::vector<VoxelPoint> sources;
  std::vector<VoxelPoint> sinks;
  std::vector<graph::NodeId> source_supervoxels;
  std::vector<graph::NodeId> sink_supervoxels;
  std::vector<graph::EdgeEnds> added_edges;
  std::vector<graph::EdgeEnds> removed_edges;
  std::vector<graph::NodeId> old_roots;
  std::vector<graph::NodeId> new_roots;
  std::vector<graph::NodeId> fragments;
  std::vector<graph::NodeId> chunk_scope;      // L2 chunk ids that are locked while the operation is in flight
  std::optional<uint64_t> read_generation;     // of the voxel store, when the plan was made
  std::optional<uint64_t> written_generation;  // the version that holds the operation's voxels
  std::string exception;                       // why it failed; empty otherwise
};

// What recovery must know of an operation that has not ended.
struct InFlight {
  graph::OperationId id{};
  std::vector<graph::NodeId> locked_roots;
  std::vector<graph::NodeId> chunk_scope;
  // Its commit time, which it may not have yet, is later than this: the newest time that had been given to anyone when
  // the row was written. WriteInFlight sets it.
  absl::Time later_than = absl::InfinitePast();
};

// Thread-safe. The table must outlive the log.
class OperationLog {
 public:
  explicit OperationLog(table::Table& table) : table_(table) {}

  // Changes of the operation's row that hold `record`, for a batch of the caller's.
  [[nodiscard]] static table::RowMutation RowOf(const OperationRecord& record);
  [[nodiscard]] absl::Status Write(const OperationRecord& record);
  // NOT_FOUND when there is no such operation.
  [[nodiscard]] absl::StatusOr<OperationRecord> Read(graph::OperationId id) const { return ReadFrom(table_, id); }
  // The same through another reader, such as an overlay of unwritten rows.
  [[nodiscard]] static absl::StatusOr<OperationRecord> ReadFrom(const table::TableReader& reader,
                                                                graph::OperationId id);
  // All operations, oldest first.
  [[nodiscard]] absl::StatusOr<std::vector<OperationRecord>> ReadAll() const;
  // The same, but a row that cannot be decoded ends nothing: it is told beside the others. For whoever looks for
  // damage.
  struct Rows {
    std::vector<OperationRecord> records;
    std::vector<std::pair<graph::OperationId, absl::Status>> unreadable;
  };
  [[nodiscard]] static absl::StatusOr<Rows> ReadEach(const table::TableReader& reader);

  [[nodiscard]] absl::Status WriteInFlight(const InFlight& operation);
  [[nodiscard]] absl::Status RemoveInFlight(graph::OperationId id);
  [[nodiscard]] absl::StatusOr<std::vector<InFlight>> ListInFlight() const { return ListInFlight(table_); }
  [[nodiscard]] static absl::StatusOr<std::vector<InFlight>> ListInFlight(const table::TableReader& reader);
  // The in-flight row, for a batch of the caller's.
  [[nodiscard]] static table::RowMutation RowOfInFlight(const InFlight& operation);

  // A time later than every one given before, by anyone who uses this table, and not earlier than `now`. Whole ms.
  [[nodiscard]] absl::StatusOr<absl::Time> NextCommitTime(absl::Time now);
  // Makes all times that are given from here on later than `now`, and returns the newest time that nobody can be given
  // any more: `now`, cut to milliseconds, or a later one that was given before. On disk when it returns.
  [[nodiscard]] absl::StatusOr<absl::Time> CloseTimesUpTo(absl::Time now);

 private:
  [[nodiscard]] absl::StatusOr<std::optional<int64_t>> LastCommitTimeMs() const;
  // Moves the newest time from `last_ms` to `time_ms`; false when somebody else moved it meanwhile.
  [[nodiscard]] absl::StatusOr<bool> MoveCommitTime(std::optional<int64_t> last_ms, int64_t time_ms);

  table::Table& table_;
};

}  // namespace cleave::edit
