// Goal: the stream in Redis is the log: every successful operation once, in order, whatever happens to the Redis
// server, the forwarder or the connection; and edits never wait for it. Method: a real redis-server, started and killed
// by the test, once with and once without data that survives; random edits; afterwards the entries are held against the
// log.
#include "work/redis_events.h"

#include <atomic>
#include <thread>

#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "base/test_seed.h"
#include "store/redis_testing.h"
#include "work/event_json.h"
#include "work/redis_service.h"
#include "work/work_testing.h"

namespace cleave::work {
namespace {

constexpr char kStream[] = "edits";

class RedisEventsTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    CLEAVE_NEEDS_REDIS();
    server_ = std::make_unique<store::RedisServer>(GetParam());
    std::mt19937_64 random(TestSeed());
    MakeProject(folder_.path() + "/p", random);
    project_ = edit::Open(folder_.path() + "/p");
  }

  RedisEventsOptions Options() const { return {.address = server_->address(), .stream = kStream, .events_at_once = 7}; }

  void Edit(uint64_t seed, int edits) {
    RandomEditor editor(project_, seed);
    for (int done = 0, tries = 0; done < edits && tries < 400; ++tries) {
      done += editor.EditOnce().ok() ? 1 : 0;
    }
  }

  static void ExpectDrains(RedisEvents& events) {
    const absl::StatusOr<int64_t> drained = events.Drain();
    EXPECT_TRUE(drained.ok()) << drained.status();
  }

  void ExpectStreamIsLog() const {
    const auto page = ReadEvents(*project_.dataset, {}, 0);
    ASSERT_TRUE(page.ok()) << page.status();
    const store::RedisReply entries = server_->Ask({"XRANGE", kStream, "-", "+"});
    ASSERT_EQ(entries.list.size(), page->events.size());
    for (size_t i = 0; i < page->events.size(); ++i) {
      const edit::OperationRecord& event = page->events[i];
      EXPECT_EQ(entries.list[i].list[0].text, absl::StrCat(absl::ToUnixMillis(event.time), "-", Value(event.id)));
      const std::vector<store::RedisReply>& fields = entries.list[i].list[1].list;
      ASSERT_EQ(fields.size(), 8U);
      EXPECT_EQ(fields[1].text, absl::StrCat(Value(event.id)));
      EXPECT_EQ(nlohmann::json::parse(fields[7].text), EventJson(event, IdForm::kText));
    }
  }

  store::TemporaryFolder folder_;
  std::unique_ptr<store::RedisServer> server_;
  edit::OpenProject project_;
};

TEST_P(RedisEventsTest, EveryEventIsThereOnceAndInOrder) {
  RedisEvents events(*project_.dataset, Options());
  EXPECT_EQ(events.Drain().value(), 0);
  Edit(1, 20);
  const int64_t count = events.Drain().value();
  EXPECT_GE(count, 20);
  ExpectStreamIsLog();
  EXPECT_EQ(events.Drain().value(), 0);
  EXPECT_EQ(RedisEvents(*project_.dataset, Options()).Drain().value(), 0) << "sent again by another forwarder";
  ExpectStreamIsLog();
}

TEST_P(RedisEventsTest, ForwardersBesideEachOtherSendNothingTwice) {
  RedisEvents first(*project_.dataset, Options());
  RedisEvents second(*project_.dataset, Options());
  for (uint64_t round = 0; round < 4; ++round) {
    Edit(round + 10, 5);
    ASSERT_TRUE(first.Step().ok());  // now and then not to the end, so that each finds the other ahead
    ExpectDrains(second);
    ExpectDrains(first);
    ExpectStreamIsLog();
  }
}

TEST_P(RedisEventsTest, AServerThatComesBackGetsWhatItLacks) {
  RedisEvents events(*project_.dataset, Options());
  Edit(1, 10);
  ExpectDrains(events);
  server_->Kill();
  Edit(2, 10);
  EXPECT_TRUE(absl::IsUnavailable(events.Step().status()));
  server_->Start();
  ExpectDrains(events);
  ExpectStreamIsLog();
}

// The issue's own scene: edits at full speed while the server goes and comes.
TEST_P(RedisEventsTest, EditsGoOnWhileTheServerIsKilledAtRandom) {
  std::mt19937_64 random(TestSeed());
  {
    std::atomic<int> changes = 0;
    const RedisService service(*project_.dataset, {.events = Options(),
                                                   .poll_period = absl::Milliseconds(5),
                                                   .retry_period = absl::Milliseconds(20),
                                                   .on_change = [&](const absl::Status&) { ++changes; }});
    std::jthread editing([&] { Edit(random(), 60); });
    for (int kills = 0; kills < 4; ++kills) {
      absl::SleepFor(absl::Milliseconds(random() % 200));
      server_->Kill();
      absl::SleepFor(absl::Milliseconds(random() % 200));
      server_->Start();
    }
    editing.join();
    for (int i = 0; i < 500 && !service.state().last.ok(); ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    EXPECT_TRUE(service.state().last.ok()) << service.state().last;
  }
  ExpectStreamIsLog();
  ExpectEventsEqualLog(*project_.dataset);
}

TEST_P(RedisEventsTest, WhatTheServerRefusesIsSaidAndHarmsNothing) {
  Edit(1, 3);
  EXPECT_EQ(server_->Ask({"SET", kStream, "mine"}).text, "OK");
  RedisEvents events(*project_.dataset, Options());
  EXPECT_TRUE(absl::IsFailedPrecondition(events.Step().status())) << events.Step().status();
  EXPECT_EQ(server_->Ask({"GET", kStream}).text, "mine");
  server_->Ask({"DEL", kStream});
  ASSERT_FALSE(server_->Ask({"CONFIG", "SET", "maxmemory", "1"}).is_error);
  EXPECT_TRUE(absl::IsResourceExhausted(events.Step().status())) << events.Step().status();
  ASSERT_FALSE(server_->Ask({"CONFIG", "SET", "maxmemory", "0"}).is_error);
  ExpectDrains(events);
  ExpectStreamIsLog();
}

TEST_P(RedisEventsTest, AConsumersGroupReadsAndAcknowledges) {
  Edit(1, 4);
  RedisEvents events(*project_.dataset, Options());
  const int64_t count = events.Drain().value();
  EXPECT_EQ(server_->Ask({"XGROUP", "CREATE", kStream, "meshes", "0"}).text, "OK");
  const store::RedisReply read = server_->Ask({"XREADGROUP", "GROUP", "meshes", "one", "STREAMS", kStream, ">"});
  EXPECT_EQ(std::ssize(read.list[0].list[1].list), count);
  for (const store::RedisReply& entry : read.list[0].list[1].list) {
    EXPECT_EQ(server_->Ask({"XACK", kStream, "meshes", entry.list[0].text}).text, "1");
  }
}

INSTANTIATE_TEST_SUITE_P(Servers, RedisEventsTest, testing::Bool(), [](const auto& which) {
  return std::string(which.param ? "ThatKeepTheirData" : "ThatLoseTheirData");
});

}  // namespace
}  // namespace cleave::work
