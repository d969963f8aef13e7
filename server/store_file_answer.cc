#include "server/store_file_answer.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "server/file_answer.h"

namespace cleave::server {
namespace {

constexpr uint64_t kOffsetMax = uint64_t{1} << 62;

absl::Status NoFile(absl::string_view key) { return absl::NotFoundError(absl::StrCat("there is no file ", key)); }

uint64_t BytesMax(const StoreFiles& files) { return static_cast<uint64_t>(files.limits.file_bytes_max); }

absl::Status TooLarge(const StoreFiles& files, absl::string_view what) {
  return LimitError(absl::StrCat(what, " has more bytes than one answer holds"), files.limits.file_bytes_max,
                    "file-mib-max", "ask for a smaller part, with Range");
}

// A part of a file that may be large: no more than the part is read. The file's size is told where that shows it.
absl::StatusOr<Response> RawPart(const StoreFiles& files, const std::string& key, uint64_t begin,
                                 std::optional<uint64_t> end) {
  // A byte beyond what is allowed shows that there is more.
  const uint64_t end_read = std::min(end.value_or(UINT64_MAX), std::min(begin, kOffsetMax) + BytesMax(files) + 1);
  absl::StatusOr<store::ReadResult> read =
      files.store.Read(key, {.range = {.begin = begin, .end = std::max(begin, end_read)}});
  const bool is_beyond =
      absl::IsOutOfRange(read.status()) || (read.ok() && read->value.has_value() && read->value->empty());
  if (is_beyond) {
    return ErrorResponse(416, absl::StrCat("the range begins beyond the end of ", key), 0);
  }
  CLEAVE_RETURN_IF_ERROR(read.status());
  if (!read->value.has_value()) {
    return NoFile(key);
  }
  const uint64_t size = read->value->size();
  if (size > BytesMax(files)) {
    return TooLarge(files, absl::StrCat(key, " from byte ", begin, " on"));
  }
  const bool is_last = !end.has_value() || size < *end - begin;
  Response response;
  response.code = 206;
  response.content_type = "application/octet-stream";
  response.cache_control = kNoCache;
  response.headers = {{"ETag", absl::StrCat("\"", TagOf(read->generation), "\"")},
                      {"Accept-Ranges", "bytes"},
                      {"Content-Range", absl::StrCat("bytes ", begin, "-", begin + size - 1, "/",
                                                     is_last ? absl::StrCat(begin + size) : std::string("*"))}};
  response.body = *std::move(read->value);
  return response;
}

}  // namespace

std::string WithoutDoubleSlashes(absl::string_view key) {
  return absl::StrJoin(absl::StrSplit(key, '/', absl::SkipEmpty()), "/");
}

absl::StatusOr<Response> StoreFileAnswer(const Request& request, const StoreFiles& files, absl::string_view name) {
  const std::string key = WithoutDoubleSlashes(name);
  CLEAVE_RETURN_IF_ERROR(store::ValidateKey(key));
  if (!HeaderOf(request, "if-none-match").empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, files.store.Read(key, {.range = {.begin = 0, .end = 0}}));
    if (read.value.has_value() && IsKnown(request, TagOf(read.generation))) {
      return NotModified(TagOf(read.generation));
    }
  }
  const std::optional<RangeWish> range = RangeOf(request);
  if (range.has_value() && range->begin.has_value()) {
    return RawPart(files, key, *range->begin, range->end);
  }
  CLEAVE_ASSIGN_OR_RETURN(store::ReadResult read,
                          files.store.Read(key, {.range = {.begin = 0, .end = BytesMax(files) + 1}}));
  if (!read.value.has_value()) {
    return NoFile(key);
  }
  if (read.value->size() > BytesMax(files)) {
    return TooLarge(files, key);
  }
  Response response = FileResponse(request, *std::move(read.value), TagOf(read.generation));
  response.may_compress = false;  // it is already
  return response;
}

}  // namespace cleave::server
