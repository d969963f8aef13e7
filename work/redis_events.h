// The events of a dataset as a stream of a Redis server, for consumers that already live on one.
//
// An entry of the stream:
//
//   id                MS-OPERATION: commit time in ms since 1970, and the number of the operation
//   fields            operation, kind, user, and event: JSON as work/event_json.h says, ids as text
//
//   1. Redis itself keeps the place: the id of the newest entry says how far the stream is. It is asked for at each new
//      connection; so a server that came back with less than it had, or with nothing, gets what it lacks.
//   2. Events later than that are read (event_stream.h), in commit order, and appended under their ids.
//      All in one transaction: nothing of it is there when the server has no memory for one of them.
//   3. An id that is not later than the newest is refused by Redis: another forwarder was faster, or an earlier try had
//      arrived after all. The place is then asked for again. So every event is in the stream once, in order, whatever
//      forwarders die or run beside each other.
// Consumers are at least once, as Redis's own groups are (XREADGROUP, XACK), and tell events by `operation`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "graph/dataset.h"
#include "store/redis_connection.h"
#include "work/event_stream.h"

namespace cleave::work {

struct RedisEventsOptions {
  store::RedisAddress address;
  std::string stream;      // the key
  int64_t length_max = 0;  // about so many newest entries are kept; 0: all
  int64_t events_at_once = 500;
  absl::Duration time_limit = absl::Seconds(5);  // of each answer
};

// The key that is used where none is said.
[[nodiscard]] std::string DefaultEventStream(const std::string& dataset_name);

// Not thread-safe; any number may forward one dataset, which must outlive them.
class RedisEvents {
 public:
  RedisEvents(graph::Dataset& dataset, RedisEventsOptions options);
  ~RedisEvents();

  // Appends some of what is missing and returns how many events; 0 when nothing waits. UNAVAILABLE when the server
  // cannot be reached, RESOURCE_EXHAUSTED when it is full, FAILED_PRECONDITION when the key holds something else.
  // After an error the next call connects anew.
  [[nodiscard]] absl::StatusOr<int64_t> Step();
  // Steps until nothing waits.
  [[nodiscard]] absl::StatusOr<int64_t> Drain();

 private:
  [[nodiscard]] absl::StatusOr<int64_t> TryStep();
  [[nodiscard]] absl::StatusOr<EventOffset> AskForPlace();
  [[nodiscard]] absl::StatusOr<int64_t> Append(const EventPage& page);

  graph::Dataset& dataset_;
  const RedisEventsOptions options_;
  std::unique_ptr<store::RedisConnection> connection_;
  std::optional<EventOffset> place_;  // known since the connection was made
};

}  // namespace cleave::work
