// Requests and responses as the routes see them, free of any HTTP library.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cleave::server {

struct Request {
  std::string method;                        // "GET", "POST"
  std::string path;                          // percent-decoded, without the query
  std::map<std::string, std::string> query;  // percent-decoded; the last of equal names counts
  std::string host;                          // the host and port the client asked for
  std::string body;                          // inflated when the client sent it compressed
};

struct Response {
  int code = 200;
  std::string content_type = "application/json";  // exactly so: clients compare the whole text
  std::string body;
};

// The field's error object: {"timestamp", "duration", "code", "message"}, where duration is ms since the request came.
// Bad input, a refused precondition and a lost lock are 400, unknown things 404, all else 500. Never 429, 502, 503 or
// 504: clients repeat such requests by themselves, edits included.
[[nodiscard]] Response ErrorResponse(const absl::Status& status, double duration_ms);
[[nodiscard]] Response ErrorResponse(int code, absl::string_view message, double duration_ms);

// "a=1&b=x%20y" in parts.
[[nodiscard]] std::map<std::string, std::string> ParseQuery(absl::string_view text);
// Percent escapes resolved; '+' becomes a space when `plus_is_space`. Broken escapes stay as they are.
enum class Plus { kLiteral, kSpace };
[[nodiscard]] std::string PercentDecode(absl::string_view text, Plus plus);

}  // namespace cleave::server
