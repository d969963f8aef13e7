#include "ocdbt/back_off.h"

#include <algorithm>
#include <array>

#include "absl/time/clock.h"

namespace cleave::ocdbt {

void BackOff(RandomSource& random, int attempt) {
  constexpr int kMostDoublings = 8;
  std::array<uint8_t, 2> bytes{};
  random.Fill(bytes);
  const double fraction = (bytes[0] * 256 + bytes[1]) / 65536.0;
  absl::SleepFor(absl::Milliseconds(1 << std::min(attempt, kMostDoublings)) * fraction);
}

}  // namespace cleave::ocdbt
