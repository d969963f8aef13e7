#include "table/row_latches.h"

#include "absl/hash/hash.h"

namespace cleave::table {

void RowLatches::Add(absl::string_view row_key, Stripes& stripes) {
  stripes.set(absl::Hash<absl::string_view>()(row_key) % kStripeCount);
}

bool RowLatches::MayProceed(Requests::const_iterator request) const {
  for (auto earlier = requests_.begin(); earlier != request; ++earlier) {
    const bool both_share = earlier->mode == Mode::kShared && request->mode == Mode::kShared;
    if (!both_share && (earlier->stripes & request->stripes).any()) {
      return false;
    }
  }
  return true;
}

RowLatches::Hold::Hold(RowLatches& latches, const Stripes& stripes, Mode mode) : latches_(latches) {
  const absl::MutexLock lock(&latches_.mutex_);
  request_ = latches_.requests_.insert(latches_.requests_.end(), {stripes, mode});
  const auto may_proceed = [this]()
                               ABSL_SHARED_LOCKS_REQUIRED(latches_.mutex_) { return latches_.MayProceed(request_); };
  latches_.mutex_.Await(absl::Condition(&may_proceed));
}

RowLatches::Hold::~Hold() {
  const absl::MutexLock lock(&latches_.mutex_);
  latches_.requests_.erase(request_);
}

}  // namespace cleave::table
