#include "cli/ingest_redis.h"

#include <memory>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "cli/arguments.h"

#include "base/status.h"

namespace cleave::cli {

void IngestRedis::Register(CLI::App& app, const std::string& help) {
  app.add_option("--redis", url_, help)->type_name("URL")->envname("CLEAVE_REDIS");
}

absl::StatusOr<std::optional<ingest::RedisJobsOptions>> IngestRedis::Options(Console& console,
                                                                             const std::string& otherwise) const {
  const std::string& url = Url(otherwise);
  if (url.empty()) {
    return std::nullopt;
  }
  ingest::RedisJobsOptions options;
  CLEAVE_ASSIGN_OR_RETURN(options.address, Named("--redis", store::ParseRedisUrl(url)));
  const auto mutex = std::make_shared<absl::Mutex>();
  options.on_change = [&console, mutex, where = options.address.ToString()](const absl::Status& status) {
    const absl::MutexLock lock(mutex.get());
    console.Note(status.ok() ? absl::StrCat(where, " answers again")
                             : absl::StrCat(status.message(), "; waiting for it"));
  };
  return options;
}

}  // namespace cleave::cli
