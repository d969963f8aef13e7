// Events shared out among the workers of one group: each is handled by one of them at a time, and one that dies leaves
// its events to the others.
//
// Row "q" + group + "/" + the event's digits (edit/event_index.h): the lock cells of table/row_locks.h say who is at
// work, column 0:cleave_done that the event was handled although an earlier one of the group was not. Both go when the
// group's offset has passed the event.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "edit/event_index.h"
#include "edit/lock_keeper.h"
#include "table/row_locks.h"
#include "table/table.h"

namespace cleave::work {

// One worker of a group. Not thread-safe; the table and the clock must outlive it.
class EventClaims {
 public:
  // Claims are renewed in the background, and count for `expiry` after the worker has died.
  EventClaims(table::Table& table, Clock& clock, std::string group, absl::Duration expiry);
  EventClaims(const EventClaims&) = delete;
  EventClaims& operator=(const EventClaims&) = delete;
  // Gives back what is still claimed.
  ~EventClaims();

  // The rows of all claims, of every group.
  [[nodiscard]] static table::RowRange RowRange() { return {"q", "r"}; }

  // Those of `events` that were handled, by whatever worker.
  [[nodiscard]] absl::StatusOr<std::set<edit::EventRef>> Handled(const std::vector<edit::EventRef>& events);
  // Claims those of `events` that nobody works on and nobody has handled, `count_max` at most, and returns them.
  [[nodiscard]] absl::StatusOr<std::vector<edit::EventRef>> Claim(const std::vector<edit::EventRef>& events,
                                                                  size_t count_max);
  // Everything that is claimed was handled.
  [[nodiscard]] absl::Status Finish();
  // Gives back all that is claimed.
  void GiveBack();
  // Forgets these: the group's offset is past them.
  [[nodiscard]] absl::Status Forget(const std::vector<edit::EventRef>& events);

 private:
  [[nodiscard]] std::string RowKey(const edit::EventRef& event) const;
  [[nodiscard]] std::vector<std::string> RowKeys(const std::vector<edit::EventRef>& events) const;

  table::Table& table_;
  const std::string group_;
  const uint64_t worker_;
  table::RowLocks locks_;
  edit::LockKeeper keeper_;
  std::vector<edit::EventRef> claimed_;
};

}  // namespace cleave::work
