#include "ocdbt/file_size.h"

#include "base/status.h"

namespace cleave::ocdbt {
namespace {

// Whether the object has at least `bytes` bytes: a range that begins beyond the end is an error.
absl::StatusOr<bool> HasBytes(const store::Store& store, absl::string_view key, uint64_t bytes) {
  const absl::StatusOr<store::ReadResult> read = store.Read(key, {.range = {bytes, bytes}});
  if (absl::IsOutOfRange(read.status())) {
    return false;
  }
  CLEAVE_RETURN_IF_ERROR(read.status());
  return read->value.has_value();
}

}  // namespace

absl::StatusOr<uint64_t> SizeOf(const store::Store& store, absl::string_view key) {
  constexpr uint64_t kLongest = uint64_t{1} << 62;
  uint64_t has = 0, lacks = 1;
  while (lacks < kLongest) {
    CLEAVE_ASSIGN_OR_RETURN(const bool more, HasBytes(store, key, lacks));
    if (!more) {
      break;
    }
    has = lacks;
    lacks *= 2;
  }
  while (lacks - has > 1) {
    const uint64_t middle = has + (lacks - has) / 2;
    CLEAVE_ASSIGN_OR_RETURN(const bool more, HasBytes(store, key, middle));
    (more ? has : lacks) = middle;
  }
  return has;
}

}  // namespace cleave::ocdbt
