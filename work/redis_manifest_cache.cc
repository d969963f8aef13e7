#include "work/redis_manifest_cache.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace cleave::work {

using graph::NodeId;

namespace {

constexpr size_t kKeysAtOnce = 1000;
constexpr size_t kIdleMax = 16;
constexpr char kMarkExpiryMs[] = "2592000000";  // 30 days: a mark that ends costs look-ups

absl::Status RedisRefusal(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat("the cache of manifests: ", what));
}

// "run_id:..." of INFO server.
absl::StatusOr<std::string> RunIdOf(store::RedisConnection& redis) {
  CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply reply, redis.Ask({"INFO", "server"}));
  for (const absl::string_view line : absl::StrSplit(reply.text, absl::ByAnyChar("\r\n"))) {
    if (absl::StartsWith(line, "run_id:")) {
      return std::string(line.substr(7));
    }
  }
  return RedisRefusal(absl::StrCat("INFO does not tell a run_id: ", reply.text.substr(0, 100)));
}

// Asks for all of `requests` at once. The first answer that is an error is returned as one.
absl::StatusOr<std::vector<store::RedisReply>> AskAll(store::RedisConnection& redis,
                                                      const std::vector<std::vector<std::string>>& requests) {
  for (const std::vector<std::string>& words : requests) {
    redis.Send(words);
  }
  std::vector<store::RedisReply> replies;
  absl::Status first;
  for (size_t i = 0; i < requests.size(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(store::RedisReply reply, redis.Receive());
    if (reply.is_error && first.ok()) {
      first = RedisRefusal(absl::StrCat(requests[i][0], ": ", reply.text));
    }
    replies.push_back(std::move(reply));
  }
  CLEAVE_RETURN_IF_ERROR(first);
  return replies;
}

}  // namespace

struct RedisManifestCache::Link {
  std::unique_ptr<store::RedisConnection> redis;
  std::string run_id;
};

RedisManifestCache::RedisManifestCache(RedisManifestCacheOptions options) : options_(std::move(options)) {}
RedisManifestCache::~RedisManifestCache() = default;

std::string RedisManifestCache::EpochKey(const Link& link) const {
  return absl::StrCat(options_.prefix, ":epoch:", link.run_id, ":", options_.identity);
}
std::string RedisManifestCache::CutKey(const std::string& epoch) const {
  return absl::StrCat(options_.prefix, ":cut:", epoch);
}
std::string RedisManifestCache::EntryKey(const std::string& epoch, NodeId node) const {
  return absl::StrCat(options_.prefix, ":", epoch, ":", Value(node));
}

std::string RedisManifestCache::RandomText() const {
  std::array<uint8_t, 16> bytes{};
  options_.random->Fill(bytes);
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void RedisManifestCache::Note(const absl::Status& status) {
  bool is_new = false;
  {
    const absl::MutexLock lock(&mutex_);
    is_new = last_.ok() != status.ok();
    last_ = status;
    if (!status.ok()) {
      retry_after_ = options_.clock->Now() + options_.retry_period;
      idle_.clear();
    }
  }
  errors_ += status.ok() ? 0 : 1;
  if (is_new && options_.on_change) {
    options_.on_change(status);
  }
}

// Look-ups do not wait for a server that was away a moment ago; who forgets or clears tries all the same.
absl::StatusOr<std::unique_ptr<RedisManifestCache::Link>> RedisManifestCache::Take(bool is_patient) {
  {
    const absl::MutexLock lock(&mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Link> link = std::move(idle_.back());
      idle_.pop_back();
      return link;
    }
    if (!is_patient && options_.clock->Now() < retry_after_) {
      return last_;
    }
  }
  auto link = std::make_unique<Link>();
  CLEAVE_ASSIGN_OR_RETURN(link->redis, store::RedisConnection::Open(options_.address, options_.time_limit));
  CLEAVE_ASSIGN_OR_RETURN(link->run_id, RunIdOf(*link->redis));
  return link;
}

absl::Status RedisManifestCache::With(const std::function<absl::Status(Link&)>& task, bool is_patient) {
  bool is_away = false;
  {
    const absl::MutexLock lock(&mutex_);
    is_away = !is_patient && options_.clock->Now() < retry_after_;
  }
  if (is_away) {
    return RedisRefusal("its server is away");
  }
  absl::Status status;
  for (int tries = 0; tries < 2; ++tries) {  // an idle connection may have been closed by a server that is back since
    absl::StatusOr<std::unique_ptr<Link>> link = Take(is_patient || tries > 0);
    status = link.ok() ? task(**link) : link.status();
    if (status.ok()) {
      const absl::MutexLock lock(&mutex_);
      if (idle_.size() < kIdleMax) {
        idle_.push_back(*std::move(link));
      }
      break;
    }
    if (!link.ok()) {
      break;
    }
    const absl::MutexLock lock(&mutex_);
    idle_.clear();
  }
  Note(status);
  return status;
}

absl::StatusOr<std::string> RedisManifestCache::ReadOrMake(Link& link, const std::string& key) {
  CLEAVE_ASSIGN_OR_RETURN(std::vector<store::RedisReply> replies,
                          AskAll(*link.redis, {{"SET", key, RandomText(), "NX", "PX", kMarkExpiryMs}, {"GET", key}}));
  return replies[1].text.empty() ? absl::StatusOr<std::string>(RedisRefusal("a key was evicted at once"))
                                 : absl::StatusOr<std::string>(std::move(replies[1].text));
}

absl::StatusOr<RedisManifestCache::Marks> RedisManifestCache::ReadMarks(Link& link) {
  Marks marks;
  CLEAVE_ASSIGN_OR_RETURN(marks.epoch, ReadOrMake(link, EpochKey(link)));
  CLEAVE_ASSIGN_OR_RETURN(marks.cut, ReadOrMake(link, CutKey(marks.epoch)));
  return marks;
}

mesh::CacheAnswer RedisManifestCache::Get(std::span<const NodeId> nodes) {
  mesh::CacheAnswer answer;
  const absl::Status status = With(
      [&](Link& link) -> absl::Status {
        answer = {.meshes = std::vector<std::optional<mesh::CachedMesh>>(nodes.size()), .token = {}};
        CLEAVE_ASSIGN_OR_RETURN(const Marks marks, ReadMarks(link));
        for (size_t begin = 0; begin < nodes.size(); begin += kKeysAtOnce) {
          std::vector<std::string> words = {"MGET"};
          for (size_t i = begin; i < std::min(begin + kKeysAtOnce, nodes.size()); ++i) {
            words.push_back(EntryKey(marks.epoch, nodes[i]));
          }
          CLEAVE_ASSIGN_OR_RETURN(const std::vector<store::RedisReply> replies, AskAll(*link.redis, {words}));
          if (replies[0].list.size() + 1 != words.size()) {
            return RedisRefusal("MGET has another number of answers");
          }
          for (size_t i = 0; i < replies[0].list.size(); ++i) {
            answer.meshes[begin + i] = mesh::DecodeCachedMesh(replies[0].list[i].text);
          }
        }
        answer.token = marks.Token();
        return absl::OkStatus();
      },
      /*is_patient=*/false);
  if (!status.ok()) {
    return {.meshes = std::vector<std::optional<mesh::CachedMesh>>(nodes.size()), .token = {}};
  }
  return answer;
}

absl::Status RedisManifestCache::PutSome(Link& link, std::span<const mesh::CacheEntry> entries,
                                         const std::string& token) {
  const std::vector<std::string> marks = absl::StrSplit(token, ' ');
  const std::string& epoch = marks[0];
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<store::RedisReply> now,
      AskAll(*link.redis, {{"WATCH", EpochKey(link), CutKey(epoch)}, {"GET", EpochKey(link)}, {"GET", CutKey(epoch)}}));
  if (absl::StrCat(now[1].text, " ", now[2].text) != token) {
    return AskAll(*link.redis, {{"UNWATCH"}}).status();
  }
  std::vector<std::vector<std::string>> requests = {{"MULTI"}};
  const std::string expiry_ms = absl::StrCat(absl::ToInt64Milliseconds(options_.expiry));
  for (const mesh::CacheEntry& entry : entries) {
    requests.push_back({"SET", EntryKey(epoch, entry.node), mesh::EncodeCachedMesh(entry.mesh), "PX", expiry_ms});
  }
  requests.push_back({"EXEC"});  // an empty answer: a mark has changed, and nothing was written
  return AskAll(*link.redis, requests).status();
}

void RedisManifestCache::Put(std::span<const mesh::CacheEntry> entries, const std::string& token) {
  if (token.empty()) {
    return;
  }
  for (size_t begin = 0; begin < entries.size(); begin += kKeysAtOnce) {
    const auto some = entries.subspan(begin, std::min(kKeysAtOnce, entries.size() - begin));
    if (!With([&](Link& link) { return PutSome(link, some, token); }, /*is_patient=*/false).ok()) {
      return;  // Note has told of it
    }
  }
}

absl::Status RedisManifestCache::Forget(std::span<const NodeId> nodes) {
  return With(
      [&](Link& link) -> absl::Status {
        CLEAVE_ASSIGN_OR_RETURN(const Marks marks, ReadMarks(link));
        CLEAVE_RETURN_IF_ERROR(
            AskAll(*link.redis, {{"SET", CutKey(marks.epoch), RandomText(), "PX", kMarkExpiryMs}}).status());
        for (size_t begin = 0; begin < nodes.size(); begin += kKeysAtOnce) {
          std::vector<std::string> words = {"UNLINK"};
          for (size_t i = begin; i < std::min(begin + kKeysAtOnce, nodes.size()); ++i) {
            words.push_back(EntryKey(marks.epoch, nodes[i]));
          }
          CLEAVE_RETURN_IF_ERROR(AskAll(*link.redis, {words}).status());
        }
        return absl::OkStatus();
      },
      /*is_patient=*/true);
}

absl::Status RedisManifestCache::DeleteOthers(Link& link, const std::string& epoch) {
  const std::string pattern = absl::StrCat(options_.prefix, ":", epoch, ":*");
  std::string cursor = "0";
  do {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<store::RedisReply> page,
                            AskAll(*link.redis, {{"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"}}));
    if (page[0].list.size() != 2) {
      return RedisRefusal("SCAN has another answer");
    }
    cursor = page[0].list[0].text;
    std::vector<std::string> words = {"UNLINK"};
    for (const store::RedisReply& key : page[0].list[1].list) {
      words.push_back(key.text);
    }
    if (words.size() > 1) {
      CLEAVE_RETURN_IF_ERROR(AskAll(*link.redis, {words}).status());
    }
  } while (cursor != "0");
  return AskAll(*link.redis, {{"UNLINK", CutKey(epoch)}}).status();
}

absl::Status RedisManifestCache::Clear() {
  std::string old_epoch;
  CLEAVE_RETURN_IF_ERROR(With(
      [&](Link& link) -> absl::Status {
        CLEAVE_ASSIGN_OR_RETURN(const std::vector<store::RedisReply> replies,
                                AskAll(*link.redis, {{"GETSET", EpochKey(link), RandomText()}}));
        old_epoch = replies[0].text;
        return absl::OkStatus();
      },
      /*is_patient=*/true));
  if (!old_epoch.empty()) {
    // Of an error nothing comes but memory that is taken for a while.
    static_cast<void>(With([&](Link& link) { return DeleteOthers(link, old_epoch); }, /*is_patient=*/true));
  }
  return absl::OkStatus();
}

}  // namespace cleave::work
