#pragma once

#include "base/clock.h"

namespace cleave::ocdbt {

// Sleeps before attempt number `attempt` (from 1) of what another process won: a random time of up to 2^attempt ms, and
// never more than 256 ms, so that the losers of one race do not meet again in the next.
void BackOff(RandomSource& random, int attempt);

}  // namespace cleave::ocdbt
