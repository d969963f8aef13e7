// The cache of manifests in a Redis server (5 or later), which several servers of one graph may share. mesh/
// manifest_cache.h says what must hold; how it does here:
//
//   PREFIX:epoch:RUN:IDENTITY   random text, made by whoever finds none: names all entries. Another one makes all of
//   them
//                               unreachable at once, which is what clearing is.
//   PREFIX:cut:EPOCH            random text, another one after each Forget
//   PREFIX:EPOCH:NODE           EncodeCachedMesh, with an expiry
//
// The token is epoch and cut. Put sends its entries in a transaction that Redis refuses if either key has changed since
// they were compared with the token (WATCH); Forget changes the cut first and deletes afterwards. So an entry of an
// older look-up is either deleted, or never written. RUN is the server's run id: one that comes back with older data,
// or a replica that takes its place, begins with nothing. IDENTITY is the record and the ingest that entries speak of.
// Keys that Redis evicts by itself cost look-ups: a lost epoch or cut is made anew, as no text that was there before.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "mesh/manifest_cache.h"
#include "store/redis_connection.h"

namespace cleave::work {

struct RedisManifestCacheOptions {
  store::RedisAddress address = {};
  std::string prefix = {};    // cleave:NAME:manifest
  std::string identity = {};  // mesh::CacheIdentity
  absl::Duration expiry = mesh::kManifestExpiry;
  absl::Duration time_limit = absl::Milliseconds(500);  // of one answer; then the server counts as away
  absl::Duration retry_period = absl::Seconds(1);       // before it is tried again
  // Called with each new error, and with OK when it is over. From any thread.
  std::function<void(const absl::Status&)> on_change = {};
  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
};

class RedisManifestCache final : public mesh::ManifestCache {
 public:
  explicit RedisManifestCache(RedisManifestCacheOptions options);
  ~RedisManifestCache() override;

  [[nodiscard]] mesh::CacheAnswer Get(std::span<const graph::NodeId> nodes) override;
  void Put(std::span<const mesh::CacheEntry> entries, const std::string& token) override;
  [[nodiscard]] absl::Status Forget(std::span<const graph::NodeId> nodes) override;
  // Also deletes the old entries, as far as that goes: they cannot be reached any more, and end by themselves.
  [[nodiscard]] absl::Status Clear() override;
  [[nodiscard]] int64_t error_count() const override { return errors_; }

 private:
  struct Link;  // a connection, and what is known of its server
  struct Marks {
    std::string epoch;
    std::string cut;
    [[nodiscard]] std::string Token() const { return epoch + " " + cut; }
  };

  // Runs `task` with a connection; one that fails is closed.
  [[nodiscard]] absl::Status With(const std::function<absl::Status(Link&)>& task, bool is_patient);
  [[nodiscard]] absl::StatusOr<std::unique_ptr<Link>> Take(bool is_patient);
  void Note(const absl::Status& status);

  [[nodiscard]] absl::StatusOr<Marks> ReadMarks(Link& link);
  [[nodiscard]] absl::StatusOr<std::string> ReadOrMake(Link& link, const std::string& key);
  [[nodiscard]] absl::Status PutSome(Link& link, std::span<const mesh::CacheEntry> entries, const std::string& token);
  [[nodiscard]] absl::Status DeleteOthers(Link& link, const std::string& epoch);
  [[nodiscard]] std::string EpochKey(const Link& link) const;
  [[nodiscard]] std::string CutKey(const std::string& epoch) const;
  [[nodiscard]] std::string EntryKey(const std::string& epoch, graph::NodeId node) const;
  [[nodiscard]] std::string RandomText() const;

  const RedisManifestCacheOptions options_;
  std::atomic<int64_t> errors_ = 0;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Link>> idle_ ABSL_GUARDED_BY(mutex_);
  absl::Time retry_after_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Status last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave::work
