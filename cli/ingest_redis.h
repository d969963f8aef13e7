// The option of the commands of an ingest that names the Redis server which its processes share their jobs through.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cli/console.h"

#include "ingest/job_engine.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's
class App;
}

namespace cleave::cli {

class IngestRedis {
 public:
  // Adds --redis, which writes into this object.
  void Register(CLI::App& app, const std::string& help);
  // Nothing without --redis, unless `otherwise` is an URL. INVALID_ARGUMENT for a wrong one. Says on `console`, which
  // must outlive the options, when the server goes away and comes back.
  [[nodiscard]] absl::StatusOr<std::optional<ingest::RedisJobsOptions>> Options(
      Console& console, const std::string& otherwise = "") const;
  // What was given, or `otherwise`; may hold a password.
  [[nodiscard]] const std::string& Url(const std::string& otherwise) const { return url_.empty() ? otherwise : url_; }

 private:
  std::string url_;
};

}  // namespace cleave::cli
