#include "server/request_log.h"

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace cleave::server {
namespace {

nlohmann::json QueryWithoutToken(const Request& request) {
  nlohmann::json query = nlohmann::json::object();
  for (const auto& [name, value] : request.query) {
    query[name] = name == "middle_auth_token" ? "..." : value;
  }
  return query;
}

}  // namespace

std::string LogLine(const LoggedRequest& logged) {
  nlohmann::ordered_json line;
  line["time"] = absl::FormatTime(absl::RFC3339_full, logged.start, absl::UTCTimeZone());
  line["id"] = logged.request.id;
  line["method"] = logged.request.method;
  line["path"] = logged.request.path;
  line["query"] = QueryWithoutToken(logged.request);
  line["route"] = logged.route;
  line["code"] = logged.response.code;
  line["ms"] = absl::ToDoubleMilliseconds(logged.duration);
  line["bytes_in"] = logged.request.body.size();
  line["bytes_out"] = logged.response.body.size();
  line["user"] = logged.request.user;
  if (logged.response.code >= 400) {
    line["error"] = logged.response.body;
  }
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<std::unique_ptr<RequestLog>> RequestLog::Open(const std::string& path) {
  std::FILE* file = path == "-" ? stderr : std::fopen(path.c_str(), "ae");
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be opened for appending"));
  }
  return std::unique_ptr<RequestLog>(new RequestLog(file));
}

RequestLog::~RequestLog() {
  if (file_ != stderr) {
    std::fclose(file_);
  }
}

void RequestLog::Write(const LoggedRequest& logged) {
  const std::string line = absl::StrCat(LogLine(logged), "\n");
  const std::lock_guard lock(mutex_);
  std::fwrite(line.data(), 1, line.size(), file_);
  std::fflush(file_);
}

}  // namespace cleave::server
