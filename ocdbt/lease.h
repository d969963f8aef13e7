// Leases: what a process is doing with a database, told to those who remove garbage from it (garbage.h).
//
//   cleave/pins/ID      a record (record.h): what kind, since when, until when, by whom, and which version
//
// A reader's lease (a pin) keeps one version as long as it lives: its data files stay, and it stays listed. A writer's
// lease keeps data files that were written since it began and to which nothing refers yet: a fill that takes hours
// needs one, a commit does not. A lease ends when it is released, or some time after its holder has stopped renewing
// it. Handles of TensorStore cannot hold leases; for them there is the grace period.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "ocdbt/database.h"

namespace cleave::ocdbt {

inline constexpr absl::string_view kPinsPrefix = "cleave/pins/";

struct LeaseOptions {
  absl::Duration duration = absl::Minutes(10);
  // A thread of its own renews the lease at every third of the duration. False: whoever holds it calls Renew().
  bool renew_in_background = true;
  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
};

// Released when it is destroyed. Thread-safe.
class Lease {
 public:
  // Keeps a version of `database` (or of one of its branches). NOT_FOUND when it is not listed, or not any more.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Lease>> PinVersion(const Database& database,
                                                                         GenerationNumber generation,
                                                                         const LeaseOptions& options = {});
  // Keeps files that are written from now on.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Lease>> ForWriter(std::shared_ptr<store::Store> store,
                                                                        const LeaseOptions& options = {});
  ~Lease();

  [[nodiscard]] absl::Status Renew();
  // False when the lease has run out because it could not be renewed in time: what it kept may be gone.
  [[nodiscard]] bool held() const;

 private:
  Lease(std::shared_ptr<store::Store> store, const LeaseOptions& options);
  [[nodiscard]] absl::Status Begin(std::string manifest);
  void RenewUntilStopped();

  const std::shared_ptr<store::Store> store_;
  const LeaseOptions options_;
  std::string key_;
  std::string manifest_;  // of the version, encoded; "" for a writer
  absl::Time begun_;

  mutable std::mutex mutex_;
  std::condition_variable stopped_changed_;
  absl::Time expires_;    // guarded by mutex_
  bool stopped_ = false;  // guarded by mutex_
  std::thread renewer_;
};

// A lease as others see it.
struct LeaseRecord {
  std::string key;
  absl::Time begun;
  absl::Time expires;
  std::string holder;              // "HOST:PID"
  std::optional<Version> version;  // none: a writer's
};

// Clocks of different machines may differ by so much: a lease counts as long as it might live by any of them.
inline constexpr absl::Duration kClockTolerance = absl::Minutes(10);

// All leases, also those that have run out. DATA_LOSS for a damaged one, naming it.
[[nodiscard]] absl::StatusOr<std::vector<LeaseRecord>> ListLeases(const store::Store& store);
// The text of a lease, for fuzzing.
[[nodiscard]] absl::StatusOr<LeaseRecord> DecodeLease(absl::string_view text);

}  // namespace cleave::ocdbt
