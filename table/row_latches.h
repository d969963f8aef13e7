// Short exclusion between writers of the same rows inside one process; not to be confused with the locks that
// operations hold (row_locks.h).
//
// Rows are hashed to 1024 stripes. A writer takes all its stripes at once, so none can wait for another in a circle.
// Writers that read before they write take them alone; blind writers share theirs with each other. Who comes first goes
// first wherever stripes meet, so a stream of blind bulk writes does not starve an increment.
#pragma once

#include <bitset>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace cleave::table {

class RowLatches {
 public:
  static constexpr size_t kStripeCount = 1024;
  using Stripes = std::bitset<kStripeCount>;
  enum class Mode { kShared, kExclusive };

  // Adds the stripe of `row_key`.
  static void Add(absl::string_view row_key, Stripes& stripes);

 private:
  struct Request {
    Stripes stripes;
    Mode mode;
  };
  using Requests = std::list<Request>;

 public:
  // Waits for the stripes in its constructor, gives them back in its destructor.
  class Hold {
   public:
    Hold(RowLatches& latches, const Stripes& stripes, Mode mode);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    RowLatches& latches_;
    Requests::iterator request_;
  };

 private:
  // Whether no request that came before `request` stands in its way.
  [[nodiscard]] bool MayProceed(Requests::const_iterator request) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  // Those that hold and those that wait, in order of arrival.
  Requests requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave::table
