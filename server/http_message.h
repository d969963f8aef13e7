// Requests and responses as the routes see them, free of any HTTP library.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cleave::server {

struct Request {
  std::string method;                               // "GET", "HEAD", "POST"
  std::string path;                                 // percent-decoded, without the query
  std::map<std::string, std::string> query = {};    // percent-decoded; the last of equal names counts
  std::string host = {};                            // the host and port the client asked for
  std::string body = {};                            // inflated when the client sent it compressed
  std::map<std::string, std::string> headers = {};  // names in lower case
  std::string id = {};                              // names this request in the log and in the answer's X-Request-Id
  std::string user = {};                            // who asks; the routes set it
};

// Who may keep an answer, and how long.
inline constexpr char kNoStore[] = "no-store";
inline constexpr char kNoCache[] = "no-cache";  // may be kept, but is asked for again, with its ETag

struct Response {
  int code = 200;
  std::string content_type = "application/json";  // exactly so: clients compare the whole text
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string cache_control = kNoStore;
  bool may_compress = true;
};

// The header's value, empty when there is none. `name` in lower case.
[[nodiscard]] absl::string_view HeaderOf(const Request& request, const std::string& name);
// The query's value; nullptr when there is none.
[[nodiscard]] const std::string* QueryOf(const Request& request, const std::string& name);

// The field's error object: {"timestamp", "duration", "code", "message"}, where duration is ms since the request came.
// Bad input, a refused precondition, a lost lock and a limit are 400, a missing or unknown token 401, a right that it
// lacks 403, unknown things 404, what is not built 501, all else 500. Never 429, 502, 503 or 504: clients repeat such
// requests by themselves, edits included. (Look-ups may be 503: decision.h.)
[[nodiscard]] Response ErrorResponse(const absl::Status& status, double duration_ms);
[[nodiscard]] Response ErrorResponse(int code, absl::string_view message, double duration_ms);

// "a=1&b=x%20y" in parts.
[[nodiscard]] std::map<std::string, std::string> ParseQuery(absl::string_view text);
// The path and the query of what stands in the first line of a request: "/a%20b?c=1".
void SetTarget(Request& request, absl::string_view target);
// Percent escapes resolved; '+' becomes a space when `plus_is_space`. Broken escapes stay as they are.
enum class Plus { kLiteral, kSpace };
[[nodiscard]] std::string PercentDecode(absl::string_view text, Plus plus);

}  // namespace cleave::server
