#include "server/http_message.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace cleave::server {
namespace {

int HttpCode(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDeadlineExceeded:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kUnimplemented:
      return 501;
    default:
      return 500;
  }
}

}  // namespace

absl::string_view HeaderOf(const Request& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? absl::string_view() : absl::string_view(found->second);
}

const std::string* QueryOf(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? nullptr : &found->second;
}

Response ErrorResponse(int code, absl::string_view message, double duration_ms) {
  const std::string time = absl::FormatTime("%Y-%m-%d %H:%M:%E6S+00:00", absl::Now(), absl::UTCTimeZone());
  const nlohmann::json body = {{"timestamp", time},
                               {"duration", duration_ms},
                               {"code", code},
                               {"message", absl::StrCat("[", code, "]: ", message)}};
  Response response;
  response.code = code;
  response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

Response ErrorResponse(const absl::Status& status, double duration_ms) {
  return ErrorResponse(HttpCode(status), status.message(), duration_ms);
}

std::string PercentDecode(absl::string_view text, Plus plus) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    int byte = 0;
    if (text[i] == '%' && i + 2 < text.size() && absl::ascii_isxdigit(text[i + 1]) &&
        absl::ascii_isxdigit(text[i + 2]) && absl::SimpleHexAtoi(text.substr(i + 1, 2), &byte)) {
      decoded.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      decoded.push_back(text[i] == '+' && plus == Plus::kSpace ? ' ' : text[i]);
    }
  }
  return decoded;
}

std::map<std::string, std::string> ParseQuery(absl::string_view text) {
  std::map<std::string, std::string> query;
  for (const absl::string_view part : absl::StrSplit(text, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    query[PercentDecode(pair.first, Plus::kSpace)] = PercentDecode(pair.second, Plus::kSpace);
  }
  return query;
}

void SetTarget(Request& request, absl::string_view target) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(target, absl::MaxSplits('?', 1));
  request.path = PercentDecode(parts.first, Plus::kLiteral);
  request.query = ParseQuery(parts.second);
}

}  // namespace cleave::server
