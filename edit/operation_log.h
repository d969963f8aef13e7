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
#include <span>
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

enum class OperationKind { kMerge, kSplit, kUndo, kRedo, kRepair };
// Numbers are the field's status codes.
enum class OperationStatus : int { kSuccess = 0, kCreated = 1, kException = 2, kWriteStarted = 3, kWriteFailed = 4 };

// Why an operation with status EXCEPTION came to nothing.
enum class OperationFailure {
  kNone,
  kRejected,   // the request or the present state does not allow it: the same again would be refused again
  kFailed,     // something stood in the way: locks of others, the machine, a defect
  kAbandoned,  // its process ended before the commit point
  kReverted,   // an operator took it back (stuck.h)
};

[[nodiscard]] absl::string_view Name(OperationKind kind);
[[nodiscard]] absl::string_view Name(OperationStatus status);
[[nodiscard]] absl::string_view Name(OperationFailure failure);

// A point of a split's third side or a further one, and the supervoxel at it.
struct SidePoint {
  int side = 3;
  VoxelPoint point;
  graph::NodeId supervoxel{};
  friend bool operator==(const SidePoint&, const SidePoint&) = default;
};

struct OperationRecord {
  graph::OperationId id{};
  OperationKind kind = OperationKind::kMerge;
  OperationStatus status = OperationStatus::kCreated;
  std::string user;
  absl::Time time;              // of the changes once they are committed; of the row before
  graph::OperationId target{};  // undo, redo: the merge or split that it takes back or does again
  // A merge or split that was undone, and how it stands now: the last undo, 0 after a redo, nothing if there was none.
  std::optional<graph::OperationId> undone_by;
  // A split that was undone with its voxels and done again: the redo, which cut anew, and stands in its place since.
  graph::OperationId cut_again_by{};
  std::vector<VoxelPoint> sources;
  std::vector<VoxelPoint> sinks;
  std::vector<graph::NodeId> source_supervoxels;
  std::vector<graph::NodeId> sink_supervoxels;
  std::vector<SidePoint> more_points;  // of a split into more than two, by side
  std::vector<graph::EdgeEnds> added_edges;
  std::vector<graph::EdgeEnds> removed_edges;
  std::vector<float> affinities;  // of a merge's edges, as the user gave them; empty if he did not
  // A split that was computed between points: how far around them edges were looked at, in voxels. Its presence tells
  // a multicut from a split of given edges, as the field's readers do.
  std::optional<VoxelPoint> bounding_box_offset;
  std::vector<graph::NodeId> old_roots;
  std::vector<graph::NodeId> new_roots;
  std::vector<graph::NodeId> new_l2_nodes;
  std::vector<graph::NodeId> fragments;
  std::vector<Fragment> fragment_origins;  // the same, with what they came from
  std::vector<Restored> restored;          // an undo with voxels: what got its old ids back
  std::vector<Box> changed_boxes;
  uint64_t changed_chunk_count = 0;
  std::vector<graph::NodeId> overridden;             // roots that were protected and are replaced all the same
  std::string request_key;                           // the client's, empty if it gave none
  graph::OperationId batch{};                        // the first operation of the batch that was committed as a whole
  std::vector<graph::OperationId> batch_operations;  // on that first one: all of the batch, itself included
  std::vector<graph::NodeId> chunk_scope;            // L2 chunk ids that are locked while the operation is in flight
  std::optional<uint64_t> read_generation;           // of the voxel store, when the plan was made
  std::optional<uint64_t> written_generation;        // the version that holds the operation's voxels
  std::string exception;                             // why it failed; empty otherwise
  OperationFailure failure = OperationFailure::kNone;
};

// How many sides a split between points had.
[[nodiscard]] int SideCountOf(const OperationRecord& record);
// Their points from the third on.
[[nodiscard]] std::vector<std::vector<VoxelPoint>> MoreSidesOf(const OperationRecord& record);

// What recovery must know of an operation that has not ended.
struct InFlight {
  graph::OperationId id{};
  std::vector<graph::NodeId> locked_roots;
  std::vector<graph::NodeId> chunk_scope;
  // Its commit time, which it may not have yet, is later than this: the newest time that had been given to anyone when
  // the row was written. WriteInFlight sets it.
  absl::Time later_than = absl::InfinitePast();
  std::vector<graph::OperationId> followers = {};  // that are committed together with it
  // It is about to be given its time, or has it: what was given before the row was written is earlier than its own.
  // Until then, its time will be later than any that another operation has.
  bool is_committing = false;
  // When its worker wrote the row, by the worker's clock: a sign of life beside its locks (recovery.h).
  absl::Time since = absl::InfinitePast();
  OperationKind kind = OperationKind::kMerge;  // for the log, if it never gets to write its row
};

// Thread-safe. The table must outlive the log.
class OperationLog {
 public:
  explicit OperationLog(table::Table& table) : table_(table) {}

  // Changes of the operation's row that hold `record`, for a batch of the caller's.
  [[nodiscard]] static table::RowMutation RowOf(const OperationRecord& record);
  // The change that says on the row of a merge or split that it was undone, or with `undo` 0, that it was redone.
  [[nodiscard]] static table::RowMutation UndoneMark(graph::OperationId target, graph::OperationId undo);
  // The change that says on the row of a split that `redo` cut anew what an undo had given back.
  [[nodiscard]] static table::RowMutation CutAgainMark(graph::OperationId target, graph::OperationId redo);
  // Those of both; their cells have the time of the operation that set them.
  [[nodiscard]] static std::vector<table::Column> ColumnsOfMarks();
  [[nodiscard]] absl::Status Write(const OperationRecord& record);
  // NOT_FOUND when there is no such operation.
  [[nodiscard]] absl::StatusOr<OperationRecord> Read(graph::OperationId id) const { return ReadFrom(table_, id); }
  // The same through another reader, such as an overlay of unwritten rows.
  [[nodiscard]] static absl::StatusOr<OperationRecord> ReadFrom(const table::TableReader& reader,
                                                                graph::OperationId id);
  // Whether a row was written by another program than ours: PyChunkedGraph, in a table that was loaded.
  [[nodiscard]] static absl::StatusOr<bool> IsForeign(const table::TableReader& reader, graph::OperationId id);
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
  // The rows of its followers, in one step with its row in flight where the table has such. Their times have been
  // given, so `later_than` stays what it was.
  [[nodiscard]] absl::Status WriteFollowers(const InFlight& operation, std::span<const OperationRecord> followers);
  [[nodiscard]] absl::Status RemoveInFlight(graph::OperationId id);
  [[nodiscard]] absl::StatusOr<std::vector<InFlight>> ListInFlight() const { return ListInFlight(table_); }
  [[nodiscard]] static absl::StatusOr<std::vector<InFlight>> ListInFlight(const table::TableReader& reader);
  // The in-flight row, for a batch of the caller's.
  [[nodiscard]] static table::RowMutation RowOfInFlight(const InFlight& operation);

  // A time later than every one given before, by anyone who uses this table, and not earlier than `now`. Whole ms.
  // With a `count`, the first of so many that follow each other.
  [[nodiscard]] absl::StatusOr<absl::Time> NextCommitTime(absl::Time now, int64_t count = 1);
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
