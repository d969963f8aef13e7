#include "cli/served_redis.h"

#include <iostream>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"

#include "base/status.h"
#include "work/redis_manifest_cache.h"

namespace cleave::cli {

void ServedRedis::Register(CLI::App& app) {
  app.add_option("--redis", url_,
                 "Append every edit to a stream of this Redis server too, and keep there what is known of meshes: "
                 "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]")
      ->type_name("URL")
      ->envname("CLEAVE_REDIS");
  app.add_option("--redis-stream", stream_, "With --redis: the stream's key; without it, cleave:NAME:events")
      ->type_name("KEY");
  app.add_option("--redis-length-max", length_max_,
                 "With --redis: keep about so many of the newest entries; 0 for all of them")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40));
}

absl::StatusOr<work::RedisEventsOptions> RedisEventsOf(const std::string& url, const std::string& stream,
                                                       const std::string& dataset_name) {
  work::RedisEventsOptions options;
  CLEAVE_ASSIGN_OR_RETURN(options.address, Named("--redis", store::ParseRedisUrl(url)));
  options.stream = stream.empty() ? work::DefaultEventStream(dataset_name) : stream;
  return options;
}

absl::StatusOr<std::vector<std::unique_ptr<work::RedisService>>> ServedRedis::Start(
    const std::vector<NamedProject>& projects) const {
  std::vector<std::unique_ptr<work::RedisService>> services;
  if (url_.empty()) {
    if (!stream_.empty() || length_max_ != 0) {
      return absl::InvalidArgumentError("--redis-stream and --redis-length-max are of use with --redis only");
    }
    return services;
  }
  if (!stream_.empty() && projects.size() > 1) {
    return absl::InvalidArgumentError(
        "--redis-stream is for one project; of several, each has a stream of its own, cleave:NAME:events");
  }
  for (const NamedProject& one : projects) {
    work::RedisServiceOptions options;
    CLEAVE_ASSIGN_OR_RETURN(options.events, RedisEventsOf(url_, stream_, one.name));
    options.events.length_max = length_max_;
    options.on_change = [name = one.name, where = options.events.address.ToString()](const absl::Status& status) {
      const std::string what = status.ok() ? absl::StrCat(where, " answers; the stream is being brought up to date")
                                           : std::string(status.message());
      std::cerr << absl::StrCat("cleave: events of ", name, ": ", what, "\n") << std::flush;
    };
    services.push_back(std::make_unique<work::RedisService>(*one.project.dataset, std::move(options)));
  }
  return services;
}

absl::StatusOr<server::ManifestCacheMaker> ServedRedis::CacheMaker() const {
  if (url_.empty()) {
    return server::ManifestCacheMaker();
  }
  work::RedisManifestCacheOptions options;
  CLEAVE_ASSIGN_OR_RETURN(options.address, Named("--redis", store::ParseRedisUrl(url_)));
  return server::ManifestCacheMaker([options](const std::string& name, const std::string& identity) {
    work::RedisManifestCacheOptions own = options;
    own.prefix = absl::StrCat("cleave:", name, ":manifest");
    own.identity = identity;
    own.on_change = [name](const absl::Status& status) {
      std::cerr << absl::StrCat("cleave: manifests of ", name, ": ",
                                status.ok() ? "Redis answers again" : status.message(), "\n")
                << std::flush;
    };
    return std::make_unique<work::RedisManifestCache>(std::move(own));
  });
}

}  // namespace cleave::cli
