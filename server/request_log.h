// One line of JSON a request: {"time", "id", "method", "path", "query", "route", "code", "ms", "bytes_in", "bytes_out",
// "user", "error"}. A token in the query is left out.
#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "server/http_message.h"

namespace cleave::server {

struct LoggedRequest {
  const Request& request;
  const Response& response;
  std::string route;  // the pattern; empty when none fitted
  absl::Time start;
  absl::Duration duration;
};

// Thread-safe.
class RequestLog {
 public:
  // Appends to a file; "-" is standard error. NOT_FOUND when it cannot be opened.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<RequestLog>> Open(const std::string& path);
  ~RequestLog();

  void Write(const LoggedRequest& logged);

 private:
  explicit RequestLog(std::FILE* file) : file_(file) {}
  std::mutex mutex_;
  std::FILE* file_;
};

// The line, without its end.
[[nodiscard]] std::string LogLine(const LoggedRequest& logged);

}  // namespace cleave::server
