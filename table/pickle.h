// The two Python objects that KVDbClient stores as pickles: an operation's status (int) and its time (datetime).
//
// Written are the very bytes of Python 3's default, protocol 4. Read are protocols 2 to 5. Nothing is ever imported or
// called: the reader knows the opcodes, and the four constructors (datetime, timedelta, timezone, pytz.UTC), that these
// objects need, and refuses all else. Format: Python's Lib/pickletools.py.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cleave::table {

[[nodiscard]] std::string EncodePickledInteger(int64_t value);
// DATA_LOSS when `pickle` is damaged or anything but an integer of 64 bits.
[[nodiscard]] absl::StatusOr<int64_t> DecodePickledInteger(absl::string_view pickle);

// A datetime in UTC; what is finer than a microsecond is cut off. INVALID_ARGUMENT outside the years 1 to 9999.
[[nodiscard]] absl::StatusOr<std::string> EncodePickledTime(absl::Time time);
// A datetime without a time zone is taken as UTC. DATA_LOSS when `pickle` is damaged or anything but a datetime.
[[nodiscard]] absl::StatusOr<absl::Time> DecodePickledTime(absl::string_view pickle);

}  // namespace cleave::table
