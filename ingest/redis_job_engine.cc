#include "ingest/redis_job_engine.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "ingest/redis_job_queue.h"
#include "ingest/redis_link.h"

namespace cleave::ingest {
namespace {

constexpr size_t kIdLetters = 32;
constexpr char kMonthMs[] = "2592000000";

std::string RandomHex(RandomSource& random, size_t letters) {
  std::vector<uint8_t> bytes(letters / 2);
  random.Fill(bytes);
  std::string text;
  for (const uint8_t byte : bytes) {
    absl::StrAppend(&text, absl::Hex(byte, absl::kZeroPad2));
  }
  return text;
}

std::string NameOfHost() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

// One run of one kernel: processes under it can trust each other's file locks.
std::string NameOfBoot() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  file >> boot;
  return boot.empty() ? "unknown" : boot;
}

std::vector<std::string> Script(const char* text, const std::string& key, std::vector<std::string> arguments) {
  std::vector<std::string> words = {"EVAL", text, "1", key};
  std::ranges::move(arguments, std::back_inserter(words));
  return words;
}

// Each begins with the time, in milliseconds since 1970.
#define CLEAVE_REDIS_NOW                                                                     \
  "local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000) " \
  "local function whole(number) return string.format('%.0f', number) end "

// worker, milliseconds that it is alive for
constexpr char kLiveScript[] = CLEAVE_REDIS_NOW R"(
redis.call('ZADD', KEYS[1], whole(now + tonumber(ARGV[2])), ARGV[1])
redis.call('PEXPIRE', KEYS[1], 3600000)
return 'ok'
)";
constexpr char kDeadScript[] = CLEAVE_REDIS_NOW R"(
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(now))
)";
constexpr char kCountScript[] = CLEAVE_REDIS_NOW R"(
return redis.call('ZCOUNT', KEYS[1], '(' .. whole(now), '+inf')
)";
// worker
constexpr char kBuryScript[] = CLEAVE_REDIS_NOW R"(
local ends = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or now + 1)
if ends <= now then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 'ok'
)";
#undef CLEAVE_REDIS_NOW

// who, milliseconds -> "", or who else is there and for how many milliseconds yet
constexpr char kCoordinateScript[] = R"(
local other = redis.call('GET', KEYS[1])
if other and other ~= ARGV[1] then return {other, tostring(redis.call('PTTL', KEYS[1]))} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {''}
)";
// a value
constexpr char kRemoveIfScript[] = R"(
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 'ok'
)";

// Says again and again that somebody lives, from a thread of its own and by a connection of its own.
class RedisPresence final : public Presence {
 public:
  RedisPresence(WorkerId id, const RedisJobsOptions& options, std::vector<std::string> live,
                std::vector<std::string> leave)
      : Presence(id), link_(Impatient(options)), leave_(std::move(leave)) {
    thread_ = std::thread([this, live = std::move(live), pause = absl::ToChronoMilliseconds(options.presence / 4)] {
      std::unique_lock lock(mutex_);
      while (!ended_changed_.wait_for(lock, pause, [this] { return ended_; })) {
        lock.unlock();
        (void)link_.Ask(live);  // an error is no news to the others: they will know it from the silence
        lock.lock();
      }
    });
  }
  ~RedisPresence() override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    ended_changed_.notify_all();
    thread_.join();
    (void)link_.Ask(leave_);  // else it expires
  }

 private:
  static RedisJobsOptions Impatient(RedisJobsOptions options) {
    options.patience = absl::ZeroDuration();
    options.on_change = {};
    return options;
  }

  RedisLink link_;
  const std::vector<std::string> leave_;
  std::mutex mutex_;
  std::condition_variable ended_changed_;
  bool ended_ = false;
  std::thread thread_;
};

class RedisJobEngine final : public JobEngine {
 public:
  RedisJobEngine(IngestFolder& folder, std::string id, JobEngineOptions options)
      : folder_(folder),
        id_(std::move(id)),
        prefix_(PrefixOf(id_)),
        place_(absl::StrCat("cleave:ingest:at:", NameOfHost(), ":", folder.project())),
        options_(std::move(options)),
        link_(*options_.redis) {}

  absl::StatusOr<std::unique_ptr<JobQueue>> Create(const std::string& name, int64_t jobs,
                                                   std::span<const int64_t> done) override {
    return RedisJobQueue::Create(link_, KeyOf(name), jobs, done, options_.queue);
  }
  absl::StatusOr<std::unique_ptr<JobQueue>> Open(const std::string& name) override {
    return RedisJobQueue::Open(link_, KeyOf(name), options_.queue);
  }

  absl::StatusOr<std::unique_ptr<Presence>> Announce() override {
    const std::string name = RandomHex(*options_.random, 2 * sizeof(uint64_t));
    uint64_t id = 0;
    (void)absl::SimpleHexAtoi(name, &id);
    const std::string key = prefix_ + "workers";
    std::vector<std::string> live =
        Script(kLiveScript, key, {name, absl::StrCat(absl::ToInt64Milliseconds(presence()))});
    CLEAVE_RETURN_IF_ERROR(link_.Ask(live).status());
    return std::make_unique<RedisPresence>(WorkerId{id}, PresenceOptions(), std::move(live),
                                           std::vector<std::string>{"ZREM", key, name});
  }

  absl::Status BuryDead(const std::function<absl::Status(WorkerId)>& bury) override {
    const std::string key = prefix_ + "workers";
    CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply dead, link_.Ask(Script(kDeadScript, key, {})));
    for (const store::RedisReply& name : dead.list) {
      uint64_t id = 0;
      if (absl::SimpleHexAtoi(name.text, &id)) {
        CLEAVE_RETURN_IF_ERROR(bury(WorkerId{id}));
      }
      CLEAVE_RETURN_IF_ERROR(link_.Ask(Script(kBuryScript, key, {name.text})).status());
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int> CountWorkers() override {
    CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply reply, link_.Ask(Script(kCountScript, prefix_ + "workers", {})));
    int count = 0;
    return absl::SimpleAtoi(reply.text, &count) ? absl::StatusOr<int>(count)
                                                : absl::InternalError("Redis counts workers in other words");
  }

  absl::Status Note() override {
    CLEAVE_RETURN_IF_ERROR(folder_.WriteRedisIfNone(EncodeRedisIngest({id_, link_.options().address.ToString()})));
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<RedisIngest> noted, ReadRedisIngest(folder_));
    return noted.has_value() && noted->id == id_ ? absl::OkStatus()
                                                 : absl::UnavailableError("another process makes this project already");
  }

  absl::StatusOr<std::unique_ptr<Presence>> Coordinate() override {
    const std::string key = prefix_ + "coordinator";
    const std::string who = absl::StrCat(NameOfBoot(), " ", NameOfHost());
    std::vector<std::string> live =
        Script(kCoordinateScript, key, {who, absl::StrCat(absl::ToInt64Milliseconds(presence()))});
    CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply reply, link_.Ask(live));
    if (reply.list.size() > 1) {
      const std::vector<std::string> other = absl::StrSplit(reply.list[0].text, absl::MaxSplits(' ', 1));
      return absl::UnavailableError(absl::StrCat("another process makes this project already, on ", other.back(),
                                                 "; if that one is dead, run the command again in ",
                                                 absl::FormatDuration(presence())));
    }
    CLEAVE_RETURN_IF_ERROR(RemoveThoseBefore());
    return std::make_unique<RedisPresence>(WorkerId{}, PresenceOptions(), std::move(live),
                                           Script(kRemoveIfScript, key, {who}));
  }

  absl::StatusOr<bool> CoordinatorLives() override {
    CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply reply, link_.Ask({"EXISTS", prefix_ + "coordinator"}));
    return reply.text == "1";
  }

  [[nodiscard]] bool Forgets() const override { return true; }
  [[nodiscard]] int64_t losses() const override { return link_.losses(); }

  // The ingest is whole by now, and keys that cannot be removed expire.
  absl::Status Remove() override {
    RedisJobsOptions options = *options_.redis;
    options.patience = presence();
    RedisLink link(std::move(options));
    absl::Status removed = RemoveKeys(link, prefix_);
    if (removed.ok()) {
      removed = link.Ask(Script(kRemoveIfScript, place_, {id_})).status();
    }
    return absl::IsUnavailable(removed) ? absl::OkStatus() : removed;
  }

 private:
  static std::string PrefixOf(const std::string& id) { return absl::StrCat("cleave:ingest:", id, ":"); }
  [[nodiscard]] std::string KeyOf(const std::string& name) const { return absl::StrCat(prefix_, "queue:", name); }
  [[nodiscard]] absl::Duration presence() const { return std::min(options_.redis->presence, options_.queue.lease); }
  [[nodiscard]] RedisJobsOptions PresenceOptions() const {
    RedisJobsOptions options = *options_.redis;
    options.presence = presence();
    return options;
  }

  // An ingest of this folder that is no more: the folder was deleted, and made again.
  absl::Status RemoveThoseBefore() {
    CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply before, link_.Ask({"GET", place_}));
    if (before.text.size() == kIdLetters && before.text != id_) {
      CLEAVE_RETURN_IF_ERROR(RemoveKeys(link_, PrefixOf(before.text)));
    }
    return link_.Ask({"SET", place_, id_, "PX", kMonthMs}).status();
  }

  static absl::Status RemoveKeys(RedisLink& link, const std::string& prefix) {
    std::string cursor = "0";
    do {
      CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply page,
                              link.Ask({"SCAN", cursor, "MATCH", prefix + "*", "COUNT", "1000"}));
      if (page.list.size() != 2) {
        return absl::InternalError("Redis answers SCAN in other words");
      }
      std::vector<std::string> words = {"DEL"};
      for (const store::RedisReply& key : page.list[1].list) {
        words.push_back(key.text);
      }
      if (words.size() > 1) {
        CLEAVE_RETURN_IF_ERROR(link.Ask(words).status());
      }
      cursor = page.list[0].text;
    } while (cursor != "0");
    return absl::OkStatus();
  }

  IngestFolder& folder_;
  const std::string id_;
  const std::string prefix_;
  const std::string place_;
  const JobEngineOptions options_;
  mutable RedisLink link_;
};

}  // namespace

std::string NewRedisIngestId(RandomSource& random) { return RandomHex(random, kIdLetters); }

std::string EncodeRedisIngest(const RedisIngest& ingest) {
  const nlohmann::ordered_json json = {{"id", ingest.id}, {"address", ingest.address}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

absl::StatusOr<RedisIngest> DecodeRedisIngest(absl::string_view text) {
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  const auto word = [&](const char* name) {
    return json.is_object() && json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : "";
  };
  RedisIngest ingest{word("id"), word("address")};
  if (ingest.id.size() != kIdLetters || !std::ranges::all_of(ingest.id, absl::ascii_isxdigit)) {
    return absl::DataLossError("names no ingest by Redis");
  }
  return ingest;
}

absl::StatusOr<std::optional<RedisIngest>> ReadRedisIngest(const IngestFolder& folder) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<std::string> text, folder.ReadRedis());
  if (!text.has_value()) {
    return std::nullopt;
  }
  absl::StatusOr<RedisIngest> ingest = DecodeRedisIngest(*text);
  if (!ingest.ok()) {
    return Annotate(ingest.status(), absl::StrCat(folder.path(), "/redis"));
  }
  return *std::move(ingest);
}

std::unique_ptr<JobEngine> MakeRedisJobEngine(IngestFolder& folder, const std::string& id,
                                              const JobEngineOptions& options) {
  return std::make_unique<RedisJobEngine>(folder, id, options);
}

}  // namespace cleave::ingest
