// The order of events: a row for each successful operation, under the time of its commit, written in one step with the
// row that says that it succeeded. So what is new since a time is found without reading the log, and nothing is told
// twice: a row only points to the operation, whose own row says all.
//
//   event           "e" + 20 digits of the commit time in ms since 1970 + 20 digits of the operation id;
//                   column 0:cleave_event, one cell: the operation id as text
//   index is whole  "events", column 0:cleave_indexed; until it is there, operations from before the index may lack
//   group           "g" + name, column 0:cleave_acknowledged, one cell: i64 ms since 1970
//   voxels went back  "v" + 20 digits of an operation id, column 0:cleave_reverted: it was taken back after its voxels
//                   had been written, and what follows the voxels has to look at its boxes again
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "edit/operation_log.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::edit {

// The group of consumers that keeps the coarser scales true.
inline constexpr char kDownsampleGroup[] = "downsample";

struct EventRef {
  absl::Time time;  // of the commit; whole ms
  graph::OperationId operation{};
  friend bool operator==(const EventRef&, const EventRef&) = default;
  friend bool operator<(const EventRef& a, const EventRef& b) {
    return a.time != b.time ? a.time < b.time : a.operation < b.operation;
  }
};

[[nodiscard]] std::string EventRowKey(const EventRef& event);
[[nodiscard]] table::RowMutation EventRow(const EventRef& event);
// Events later than `after`, by time; at most `limit` of them (0: all), but never only some of one time.
[[nodiscard]] absl::StatusOr<std::vector<EventRef>> ListEvents(const table::TableReader& table, absl::Time after,
                                                               int64_t limit);
// Adds what the log says of operations from before the index. Reads the whole log the first time, and one row from then
// on. Safe beside edits and beside others that do the same.
[[nodiscard]] absl::Status EnsureEventIndex(table::Table& table);
[[nodiscard]] absl::StatusOr<bool> EventIndexIsWhole(const table::TableReader& table);

// Everything up to this time was handled by the group; InfinitePast when nothing was. INVALID_ARGUMENT for a name that
// is not made of letters, digits, '_' and '-'.
[[nodiscard]] absl::StatusOr<absl::Time> ReadAcknowledged(const table::TableReader& table, absl::string_view group);
// Moves the group on; never back. Visible at once, durable with the next durable change of the table: after a power cut
// some events may come again.
[[nodiscard]] absl::Status Acknowledge(table::Table& table, absl::string_view group, absl::Time until);
// Of a group that is in ListEventGroups.
[[nodiscard]] table::RowMutation RemoveEventGroupRow(absl::string_view group);
// All groups that have acknowledged anything.
struct EventGroup {
  std::string name;
  absl::Time acknowledged;
};
[[nodiscard]] absl::StatusOr<std::vector<EventGroup>> ListEventGroups(const table::TableReader& table);

[[nodiscard]] table::RowMutation RevertedVoxelsRow(graph::OperationId operation);
[[nodiscard]] table::RowMutation RemoveRevertedVoxelsRow(graph::OperationId operation);
[[nodiscard]] absl::StatusOr<std::vector<graph::OperationId>> ListRevertedVoxels(const table::TableReader& table);

}  // namespace cleave::edit
