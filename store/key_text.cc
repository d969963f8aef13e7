#include "store/key_text.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cleave::store {

std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') {
    end.pop_back();
  }
  if (!end.empty()) {
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  }
  return end;
}

std::string Quoted(absl::string_view key) { return absl::StrCat("\"", absl::Utf8SafeCHexEscape(key), "\""); }

KeyRange Intersect(const KeyRange& a, const KeyRange& b) {
  KeyRange both{std::max(a.begin, b.begin), std::min(a.end, b.end)};
  if (both.end.empty()) {
    both.end = std::max(a.end, b.end);
  }
  return both;
}

bool IsEmpty(const KeyRange& range) { return !range.end.empty() && range.begin >= range.end; }

absl::Status CheckCondition(const WriteOptions& options, const Generation& present, absl::string_view object) {
  if (!options.if_generation || *options.if_generation == present) {
    return absl::OkStatus();
  }
  const absl::string_view found = present.absent()                  ? "it does not exist any more"
                                  : options.if_generation->absent() ? "it exists already"
                                                                    : "it has changed since it was read";
  return absl::AbortedError(absl::StrCat(object, ": condition on the generation not met: ", found));
}

absl::StatusOr<Extent> ResolveRange(const ByteRange& range, uint64_t value_bytes, absl::string_view object) {
  if (range.end && *range.end < range.begin) {
    return absl::InvalidArgumentError(
        absl::StrCat(object, ": byte range [", range.begin, ", ", *range.end, ") ends before it begins"));
  }
  if (range.begin > value_bytes) {
    return absl::OutOfRangeError(
        absl::StrCat(object, ": byte range begins at ", range.begin, " but the value has ", value_bytes, " bytes"));
  }
  return Extent{range.begin, std::min(range.end.value_or(value_bytes), value_bytes) - range.begin};
}

}  // namespace cleave::store
