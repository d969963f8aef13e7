#include "base/clock.h"

#include <cstdlib>

#include "absl/time/clock.h"
#include <sys/random.h>

namespace cleave {
namespace {

class SystemClock final : public Clock {
 public:
  absl::Time Now() override { return absl::Now(); }
};

class SystemRandom final : public RandomSource {
 public:
  void Fill(std::span<uint8_t> bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = getrandom(bytes.data(), bytes.size(), 0);
      if (count > 0) {
        bytes = bytes.subspan(static_cast<size_t>(count));
      } else if (count < 0 && errno != EINTR) {
        std::abort();  // no kernel this program runs on lacks getrandom
      }
    }
  }
};

}  // namespace

Clock& Clock::System() {
  static SystemClock clock;
  return clock;
}

RandomSource& RandomSource::System() {
  static SystemRandom random;
  return random;
}

}  // namespace cleave
