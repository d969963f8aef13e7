// Waits for the voxels of operations that have an earlier time.
//
// Past states are read by time and version: to a time belongs the newest version that an operation wrote until then
// (instant.h). An operation of an earlier time may commit its voxels later than one of a later time. That does no harm
// where ids are fresh, since those lead into the past like what they came from; an old id that comes back does not, so
// its voxels go into a version that is newer than any of an earlier time.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "edit/intent.h"
#include "table/table.h"

namespace cleave::edit {

inline constexpr absl::Duration kEarlierVoxelsWait = absl::Seconds(30);

// Returns when no operation but those of `intent` can write voxels at a time before the intent's. Operations are in
// that way from when they are about to be given their time until they have ended; those that still plan are not waited
// for. UNAVAILABLE, naming the operation, when one is still there after `wait`, in real time.
[[nodiscard]] absl::Status WaitForEarlierVoxels(table::Table& table, const Intent& intent,
                                                absl::Duration wait = kEarlierVoxelsWait);

}  // namespace cleave::edit
