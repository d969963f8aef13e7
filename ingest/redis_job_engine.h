// The queues and presences of an ingest in a Redis server (job_engine.h).
//
// Keys, behind "cleave:ingest:ID:", where ID is of one ingest of one project:
//   queue:NAME:...   redis_job_queue.h
//   workers          a sorted set: 16 hex digits of a worker's id, by the time at which it is taken for dead
//                    (milliseconds since 1970); a living one moves it on
//   coordinator      "BOOT HOST" of the process that owns the table; expires unless it is renewed
// Beside them "cleave:ingest:at:HOST:PATH" holds the ID of the ingest in that folder, so that the keys of one whose
// folder was deleted go when the next one begins there.
//
// PROJECT/ingest/redis says that an ingest goes this way: JSON, {"id": ID, "address": ADDRESS}. The address is for
// people (no password, and it may be another one from another machine).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ingest/job_engine.h"

namespace cleave::ingest {

struct RedisIngest {
  std::string id;  // 32 hex digits
  std::string address;
  friend bool operator==(const RedisIngest&, const RedisIngest&) = default;
};

[[nodiscard]] std::string NewRedisIngestId(RandomSource& random);
[[nodiscard]] std::string EncodeRedisIngest(const RedisIngest& ingest);
// DATA_LOSS for what no encoder wrote.
[[nodiscard]] absl::StatusOr<RedisIngest> DecodeRedisIngest(absl::string_view text);
// Nothing when the ingest of the folder does not go by Redis.
[[nodiscard]] absl::StatusOr<std::optional<RedisIngest>> ReadRedisIngest(const IngestFolder& folder);

// REQUIRES: `options.redis`. Connects when it is first asked for something.
[[nodiscard]] std::unique_ptr<JobEngine> MakeRedisJobEngine(IngestFolder& folder, const std::string& id,
                                                            const JobEngineOptions& options);

}  // namespace cleave::ingest
