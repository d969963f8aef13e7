#include "server/file_answer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cleave::server {
namespace {

std::string Quote(const std::string& tag) { return absl::StrCat("\"", tag, "\""); }

bool ParseEnd(absl::string_view text, std::optional<uint64_t>& value) {
  uint64_t number = 0;
  if (text.empty()) {
    return true;
  }
  if (!absl::SimpleAtoi(text, &number)) {
    return false;
  }
  value = number;
  return true;
}

Response Unsatisfiable(size_t size) {
  Response response = ErrorResponse(416, absl::StrCat("the range begins beyond the ", size, " bytes of the file"), 0);
  response.headers.emplace_back("Content-Range", absl::StrCat("bytes */", size));
  return response;
}

}  // namespace

std::string TagOf(const store::Generation& generation) {
  return generation.absent() ? "background" : absl::BytesToHexString(generation.bytes());
}

bool IsKnown(const Request& request, const std::string& tag) {
  for (const absl::string_view part : absl::StrSplit(HeaderOf(request, "if-none-match"), ',')) {
    const absl::string_view known = absl::StripPrefix(absl::StripAsciiWhitespace(part), "W/");
    if (known == "*" || known == Quote(tag)) {
      return true;
    }
  }
  return false;
}

std::optional<RangeWish> RangeOf(const Request& request) {
  absl::string_view text = HeaderOf(request, "range");
  if (!absl::ConsumePrefix(&text, "bytes=") || absl::StrContains(text, ",")) {
    return std::nullopt;
  }
  const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(text, absl::MaxSplits('-', 1));
  RangeWish range;
  if (!absl::StrContains(text, "-") || !ParseEnd(ends.first, range.begin) || !ParseEnd(ends.second, range.end) ||
      (!range.begin.has_value() && !range.end.has_value())) {
    return std::nullopt;
  }
  if (range.begin.has_value() && range.end.has_value()) {
    if (*range.end < *range.begin) {
      return std::nullopt;
    }
    *range.end += *range.end == UINT64_MAX ? 0 : 1;
  }
  return range;
}

Response FileResponse(const Request& request, std::string bytes, const std::string& tag) {
  const std::optional<RangeWish> range = RangeOf(request);
  const uint64_t size = bytes.size();
  Response response;
  response.content_type = "application/octet-stream";
  response.cache_control = kNoCache;
  response.headers.emplace_back("ETag", Quote(tag));
  response.headers.emplace_back("Accept-Ranges", "bytes");
  if (!range.has_value()) {
    response.body = std::move(bytes);
    return response;
  }
  const uint64_t begin = range->begin.value_or(size - std::min(size, range->end.value_or(0)));
  const uint64_t end = range->begin.has_value() ? std::min(size, range->end.value_or(size)) : size;
  if (begin >= end) {
    return Unsatisfiable(size);
  }
  response.code = 206;
  response.body = bytes.substr(begin, end - begin);
  response.headers.emplace_back("Content-Range", absl::StrCat("bytes ", begin, "-", end - 1, "/", size));
  return response;
}

Response NotModified(const std::string& tag) {
  Response response;
  response.code = 304;
  response.cache_control = kNoCache;
  response.headers.emplace_back("ETag", Quote(tag));
  return response;
}

}  // namespace cleave::server
