// How fast the events of edits reach those who wait for them.
//
//   event_benchmark [--edits N] [--redis URL]      default 2000; a server whose data may be overwritten
//
// A small project is edited N times. Lines of JSON, one a measurement; benchmarks/compare_events starts a Redis server
// of its own and sets what belongs together side by side:
//   {"line": "log scan", ...}          all operations of the log, read and decoded, and nothing else: what any reader
//   of
//                                      the log has to pay
//   {"line": "group", ...}             a group of consumers reads 100 events from its offset and acknowledges them,
//   until
//                                      it has all
//   {"line": "group latency", ...}     from the answer of an edit to its event at a consumer that asks each millisecond
//   {"line": "redis append", ...}      the forwarder brings all events into the stream of a Redis server
//   {"line": "plain append", ...}      the same entries by XADD alone, from memory, as many in a transaction
//   {"line": "redis consume", ...}     XREADGROUP of 100 entries and XACK, until all are there; with "redis append"
//   that
//   {"line": "plain consume", ...}     is the whole way of an event
//   {"line": "redis latency", ...}     from the answer of an edit to its entry at a consumer that waits in XREADGROUP,
//                                      with the forwarder as `cleave serve` runs it
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

#include "base/progress.h"
#include "benchmarks/measure.h"
#include "edit/editor.h"
#include "edit/event_index.h"
#include "edit/operation_log.h"
#include "graph/dataset.h"
#include "ingest/ingest.h"
#include "store/redis_connection.h"
#include "store/temporary_folder.h"
#include "volume/label_source.h"
#include "work/event_stream.h"
#include "work/redis_events.h"
#include "work/redis_service.h"

namespace cleave {
namespace {

constexpr int64_t kEventsAtOnce = 100;
constexpr int kLatencyEdits = 200;
constexpr int kRounds = 5;
constexpr char kStream[] = "cleave:benchmark:events";
constexpr char kPlainStream[] = "cleave:benchmark:plain";
constexpr absl::Duration kRedisTimeLimit = absl::Seconds(30);

void RequireOk(const absl::Status& status) {
  if (!status.ok()) {
    std::cerr << status << '\n';
    std::exit(1);
  }
}
void Require(bool holds) {
  RequireOk(holds ? absl::OkStatus() : absl::InternalError("events are missing, or refused"));
}

void Show(absl::string_view line, int64_t events, double seconds) {
  std::cout << R"({"line": ")" << line << R"(", "events": )" << events << R"(, "events_per_second": )"
            << static_cast<double>(events) / seconds << "}" << std::endl;
}

void ShowLatency(absl::string_view line, std::vector<double> seconds) {
  std::ranges::sort(seconds);
  std::cout << R"({"line": ")" << line << R"(", "edits": )" << seconds.size() << R"(, "median_ms": )"
            << 1000 * seconds[seconds.size() / 2] << R"(, "p90_ms": )" << 1000 * seconds[seconds.size() * 9 / 10]
            << R"(, "worst_ms": )" << 1000 * seconds.back() << "}" << std::endl;
}

double BestOf(const std::function<void()>& work) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, SecondsSince(start));
  }
  return best;
}

// Two labels side by side, joined and parted again and again.
class Edits {
 public:
  Edits() {
    Array3<uint64_t> labels({64, 32, 16});
    for (int64_t z = 0; z < 16; ++z) {
      for (int64_t y = 0; y < 32; ++y) {
        for (int64_t x = 0; x < 64; ++x) {
          labels[{x, y, z}] = y < 16 ? 1 : 2;
        }
      }
    }
    ingest::IngestOptions options;
    options.project_folder = folder_.path() + "/project";
    options.chunk_size = {32, 32, 16};
    const auto source = volume::MakeArraySource(labels, {}, VoxelSizeNm{8, 8, 40});
    RequireOk(ingest::IngestFrom(*source, options, Progress::Silent()).status());
    dataset_ = graph::Dataset::Open(options.project_folder).value();
    editor_ = edit::Editor::Open(*dataset_).value();
  }

  graph::Dataset& dataset() { return *dataset_; }

  void EditOnce() {
    const auto report = merged_.has_value()
                            ? editor_->Undo({.operation = *merged_, .user = "benchmark"})
                            : editor_->Merge({VoxelPoint{20, 4, 5}, VoxelPoint{20, 24, 5}, "benchmark"});
    RequireOk(report.status());
    merged_ = merged_.has_value() ? std::nullopt : std::optional(report->operation);
  }

 private:
  const store::TemporaryFolder folder_;
  std::unique_ptr<graph::Dataset> dataset_;
  std::unique_ptr<edit::Editor> editor_;
  std::optional<graph::OperationId> merged_;
};

// Reads and acknowledges all events of a group that has seen none.
int64_t Consume(graph::Dataset& dataset, const std::string& group) {
  int64_t count = 0;
  for (;;) {
    const work::EventOffset offset{edit::ReadAcknowledged(dataset.table(), group).value()};
    const work::EventPage page = work::ReadEvents(dataset, offset, kEventsAtOnce).value();
    if (page.events.empty()) {
      return count;
    }
    RequireOk(edit::Acknowledge(dataset.table(), group, page.next.after));
    count += std::ssize(page.events);
  }
}

void MeasureGroups(graph::Dataset& dataset, int64_t edits) {
  int group = 0;
  Require(Consume(dataset, "warm") == edits);
  Show("log scan", edits,
       BestOf([&] { Require(std::ssize(edit::OperationLog(dataset.table()).ReadAll().value()) == edits); }));
  Show("group", edits, BestOf([&] { Require(Consume(dataset, absl::StrCat("round", ++group)) == edits); }));
}

// Edits, and lets `wait` return when the event of the edit has come.
void MeasureLatency(absl::string_view line, Edits& edits, const std::function<void()>& wait) {
  std::vector<double> seconds;
  for (int i = 0; i < kLatencyEdits; ++i) {
    edits.EditOnce();
    const auto start = std::chrono::steady_clock::now();
    wait();
    seconds.push_back(SecondsSince(start));
    absl::SleepFor(absl::Milliseconds(i % 17));  // at all moments of whatever looks from time to time
  }
  ShowLatency(line, std::move(seconds));
}

void MeasureGroupLatency(Edits& edits) {
  work::EventOffset offset = work::ReadEvents(edits.dataset(), {}, 0)->next;
  MeasureLatency("group latency", edits, [&] {
    for (;;) {
      const work::EventPage page = work::ReadEvents(edits.dataset(), offset, kEventsAtOnce).value();
      offset = page.next;
      if (!page.events.empty()) {
        return;
      }
      absl::SleepFor(absl::Milliseconds(1));
    }
  });
}

class Redis {
 public:
  explicit Redis(const store::RedisAddress& address)
      : connection_(store::RedisConnection::Open(address, kRedisTimeLimit).value()) {}

  store::RedisReply Ask(const std::vector<std::string>& words) {
    store::RedisReply reply = connection_->Ask(words).value();
    Require(!reply.is_error);
    return reply;
  }
  void Drop(const std::string& stream) { Ask({"DEL", stream}); }

  // Entries as words of XADD from the key on.
  std::vector<std::vector<std::string>> Entries(const std::string& stream) {
    std::vector<std::vector<std::string>> entries;
    for (const store::RedisReply& entry : Ask({"XRANGE", stream, "-", "+"}).list) {
      std::vector<std::string>& words = entries.emplace_back();
      words = {"XADD", kPlainStream, entry.list[0].text};
      for (const store::RedisReply& field : entry.list[1].list) {
        words.push_back(field.text);
      }
    }
    return entries;
  }
  void AppendPlain(const std::vector<std::vector<std::string>>& entries, size_t at_once) {
    for (size_t first = 0; first < entries.size(); first += at_once) {
      const size_t end = std::min(entries.size(), first + at_once);
      connection_->Send({"MULTI"});
      for (size_t i = first; i < end; ++i) {
        connection_->Send(entries[i]);
      }
      connection_->Send({"EXEC"});
      for (size_t i = first; i < end + 2; ++i) {
        Require(!connection_->Receive().value().is_error);
      }
    }
  }
  void MakeGroup(const std::string& stream, const std::string& group) {
    Ask({"XGROUP", "CREATE", stream, group, "0", "MKSTREAM"});
  }
  // The next entries of a group, acknowledged; how many. Waits up to 100 ms for one.
  int64_t Next(const std::string& stream, const std::string& group) {
    const store::RedisReply reply = Ask({"XREADGROUP", "GROUP", group, "consumer", "COUNT", absl::StrCat(kEventsAtOnce),
                                         "BLOCK", "100", "STREAMS", stream, ">"});
    if (reply.list.empty()) {
      return 0;
    }
    std::vector<std::string> words = {"XACK", stream, group};
    for (const store::RedisReply& entry : reply.list[0].list[1].list) {
      words.push_back(entry.list[0].text);
    }
    Ask(words);
    return std::ssize(words) - 3;
  }
  int64_t ConsumeAll(const std::string& stream, const std::string& group, int64_t count) {
    int64_t seen = 0;
    while (seen < count) {
      seen += Next(stream, group);
    }
    return seen;
  }

 private:
  const std::unique_ptr<store::RedisConnection> connection_;
};

void MeasureRedis(Edits& edits, int64_t count, const store::RedisAddress& address) {
  Redis redis(address);
  const work::RedisEventsOptions options{.address = address, .stream = kStream};
  Show("redis append", count, BestOf([&] {
         redis.Drop(kStream);
         Require(work::RedisEvents(edits.dataset(), options).Drain().value() == count);
       }));
  const std::vector<std::vector<std::string>> entries = redis.Entries(kStream);
  Show("plain append", count, BestOf([&] {
         redis.Drop(kPlainStream);
         redis.AppendPlain(entries, static_cast<size_t>(options.events_at_once));
       }));
  for (const auto& [line, stream] : {std::pair("redis consume", kStream), std::pair("plain consume", kPlainStream)}) {
    int group = 0;
    Show(line, count, BestOf([&, stream = std::string(stream)] {
           const std::string name = absl::StrCat("round", ++group);
           redis.MakeGroup(stream, name);
           Require(redis.ConsumeAll(stream, name, count) == count);
         }));
  }
}

void MeasureRedisLatency(Edits& edits, const store::RedisAddress& address) {
  Redis redis(address);
  work::RedisEventsOptions options{.address = address, .stream = kStream};
  RequireOk(work::RedisEvents(edits.dataset(), options).Drain().status());
  redis.Ask({"XGROUP", "CREATE", kStream, "latency", "$"});
  const work::RedisService service(edits.dataset(), {.events = options});
  MeasureLatency("redis latency", edits, [&] { redis.ConsumeAll(kStream, "latency", 1); });
}

int Measure(int64_t count, const std::string& redis_url) {
  Edits edits;
  for (int64_t i = 0; i < count; ++i) {
    edits.EditOnce();
  }
  MeasureGroups(edits.dataset(), count);
  if (redis_url.empty()) {
    MeasureGroupLatency(edits);
    return 0;
  }
  const auto address = store::ParseRedisUrl(redis_url);
  if (!address.ok()) {
    std::cerr << address.status() << '\n';
    return 2;
  }
  MeasureRedis(edits, count, *address);
  MeasureGroupLatency(edits);
  MeasureRedisLatency(edits, *address);
  return 0;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) {
  int64_t edits = 2000;
  std::string redis;
  bool is_right = argc % 2 == 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const absl::string_view name = argv[i];
    if (name == "--redis") {
      redis = argv[i + 1];
    } else {
      is_right = is_right && name == "--edits" && absl::SimpleAtoi(argv[i + 1], &edits) && edits > 0;
    }
  }
  if (!is_right) {
    std::cerr << "usage: event_benchmark [--edits N] [--redis URL]\n";
    return 2;
  }
  return cleave::Measure(edits, redis);
}
