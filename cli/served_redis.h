// The options of `cleave serve` about a Redis server: events go there, and the cache of manifests is kept there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/console.h"
#include "cli/served_projects.h"

#include "server/served_meshes.h"
#include "work/redis_service.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's
class App;
}

namespace cleave::cli {

class ServedRedis {
 public:
  // Adds --redis, --redis-stream and --redis-length-max, which write into this object.
  void Register(CLI::App& app);
  // One service a project; none without --redis. INVALID_ARGUMENT for a wrong URL, or one stream for several projects.
  // A server that cannot be reached is no error: it is tried again and again. The projects must outlive the services.
  [[nodiscard]] absl::StatusOr<std::vector<std::unique_ptr<work::RedisService>>> Start(
      const std::vector<NamedProject>& projects) const;
  // A cache of manifests in that server for each dataset; empty without --redis. INVALID_ARGUMENT for a wrong URL.
  [[nodiscard]] absl::StatusOr<server::ManifestCacheMaker> CacheMaker() const;

 private:
  std::string url_;
  std::string stream_;
  int64_t length_max_ = 0;
};

// Where it goes: the options' stream, or that of the dataset's name.
[[nodiscard]] absl::StatusOr<work::RedisEventsOptions> RedisEventsOf(const std::string& url, const std::string& stream,
                                                                     const std::string& dataset_name);

}  // namespace cleave::cli
