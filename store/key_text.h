// Small rules about keys that every driver shares: key ranges as text, conditions, byte ranges.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "store/store.h"

namespace cleave::store {

// The smallest string greater than every string that starts with `prefix`; "" when there is none (no upper bound).
[[nodiscard]] std::string PrefixEnd(absl::string_view prefix);

// `key` in double quotes, with bytes that are not printable escaped, for messages.
[[nodiscard]] std::string Quoted(absl::string_view key);

// The range of keys that are in both.
[[nodiscard]] KeyRange Intersect(const KeyRange& a, const KeyRange& b);

// True when no key at all is in `range`.
[[nodiscard]] bool IsEmpty(const KeyRange& range);

// ABORTED, naming `object`, when a condition is given and `present` does not meet it.
[[nodiscard]] absl::Status CheckCondition(const WriteOptions& options, const Generation& present,
                                          absl::string_view object);

// What `range` selects from a value. OUT_OF_RANGE, naming `object`, when the range begins beyond the value;
// INVALID_ARGUMENT when it ends before it begins.
[[nodiscard]] absl::StatusOr<Extent> ResolveRange(const ByteRange& range, uint64_t value_bytes,
                                                  absl::string_view object);

}  // namespace cleave::store
