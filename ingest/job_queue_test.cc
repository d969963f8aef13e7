// Goal: every job is done by somebody, and nobody who lost a job can settle it; a dead worker's jobs go on at once,
// those of a sleeping one when its lease ends. Method: 1. Each rule, over each engine, on a queue with a clock that
// goes when told. 2. Threads with objects of their own take, renew, finish, fail and forget jobs at random, with leases
// that run out; a job is counted whenever it is finished: once each, whatever happened before. 3. Processes that are
// killed while they hold jobs. 4. Records of files with each byte flipped. 5. A real redis-server that is killed, comes
// back with all or nothing, and cuts connections at random.
#include "ingest/job_queue.h"

#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include <sys/wait.h>

#include "base/test_scale.h"
#include "base/test_seed.h"
#include "ingest/file_job_queue.h"
#include "ingest/job_engine.h"
#include "ingest/redis_job_engine.h"
#include "ingest/redis_job_queue.h"
#include "ingest/worker_presence.h"
#include "ocdbt/clock_testing.h"
#include "store/redis_testing.h"
#include "store/temporary_folder.h"

namespace cleave::ingest {
namespace {

using testing::HasSubstr;

constexpr WorkerId kAnn{1};
constexpr WorkerId kBob{2};
constexpr char kIngest[] = "0123456789abcdef0123456789abcdef";

enum class Engine { kFiles, kRedis, kRedisThatKeeps };

class JobEngineFixture : public testing::Test {
 protected:
  void Begin(Engine engine) {
    if (engine != Engine::kFiles) {
      CLEAVE_NEEDS_REDIS();
      server_ = std::make_unique<store::RedisServer>(engine == Engine::kRedisThatKeeps);
      options_.redis = RedisJobsOptions{.address = server_->address(), .patience = absl::Seconds(60)};
    }
    ASSERT_TRUE(ingest_.Create().ok());
    engine_ = NewEngine();
  }

  // As another process has it.
  std::unique_ptr<JobEngine> NewEngine(const std::string& id = kIngest) {
    return options_.redis.has_value() ? MakeRedisJobEngine(ingest_, id, options_)
                                      : MakeFileJobEngine(ingest_, options_);
  }
  std::unique_ptr<JobQueue> Make(int64_t jobs, std::vector<int64_t> done = {}) {
    auto queue = engine_->Create("queue", jobs, done);
    EXPECT_TRUE(queue.ok()) << queue.status();
    return *std::move(queue);
  }
  static TakenJob TakeOne(JobQueue& queue, WorkerId worker) {
    const auto job = queue.Take(worker);
    EXPECT_TRUE(job.ok() && job->has_value()) << job.status();
    return **job;
  }
  static bool HasOne(JobQueue& queue) { return queue.Take(kBob).value().has_value(); }

  store::TemporaryFolder folder_;
  IngestFolder ingest_{folder_.path()};
  const std::string path_ = ingest_.QueuePath("queue");
  ocdbt::FakeClock clock_;
  JobEngineOptions options_{.queue = {.lease = absl::Minutes(1), .takes_max = 3, .clock = &clock_}};
  std::unique_ptr<store::RedisServer> server_;
  std::unique_ptr<JobEngine> engine_;
};

class JobQueueTest : public JobEngineFixture, public testing::WithParamInterface<Engine> {
 protected:
  void SetUp() override { Begin(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Engines, JobQueueTest, testing::Values(Engine::kFiles, Engine::kRedis),
                         [](const auto& which) { return which.param == Engine::kFiles ? "Files" : "Redis"; });

TEST_P(JobQueueTest, GivesEachJobOnce) {
  const auto queue = Make(3);
  const auto other_engine = NewEngine();
  const auto other = other_engine->Open("queue");
  ASSERT_TRUE(other.ok()) << other.status();
  const TakenJob first = TakeOne(*queue, kAnn);
  const TakenJob second = TakeOne(**other, kBob);
  const TakenJob third = TakeOne(*queue, kAnn);
  EXPECT_EQ((std::set<int64_t>{first.index, second.index, third.index}), (std::set<int64_t>{0, 1, 2}));
  EXPECT_FALSE(HasOne(**other));
  EXPECT_TRUE(queue->Finish(first).ok());
  EXPECT_TRUE((*other)->Finish(second).ok());
  EXPECT_TRUE(queue->Fail(third, absl::DataLossError("chunk 1,2,3: torn\nand more")).ok());
  const JobCounts counts = queue->Counts().value();
  EXPECT_EQ(counts.done, 2);
  EXPECT_EQ(counts.failed, 1);
  EXPECT_TRUE(counts.settled());
  const std::vector<JobFailure> failures = (*other)->Failures(5).value();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].index, third.index);
  EXPECT_EQ(failures[0].status, absl::DataLossError("chunk 1,2,3: torn\nand more"));
  ASSERT_TRUE(queue->RequeueFailed().ok());
  EXPECT_EQ(TakeOne(*queue, kBob).index, third.index);
}

TEST_P(JobQueueTest, LeasesEndUnlessTheyAreRenewed) {
  const auto queue = Make(1);
  const TakenJob job = TakeOne(*queue, kAnn);
  clock_.Advance(absl::Seconds(50));
  ASSERT_TRUE(queue->Renew(job).ok());
  clock_.Advance(absl::Seconds(50));
  EXPECT_FALSE(HasOne(*queue));
  clock_.Advance(absl::Seconds(20));
  ASSERT_TRUE(queue->Renew(job).ok());  // late, but nobody came
  clock_.Advance(absl::Seconds(61));
  const TakenJob taken_over = TakeOne(*queue, kBob);
  EXPECT_TRUE(absl::IsAborted(queue->Renew(job)));
  EXPECT_TRUE(absl::IsAborted(queue->Finish(job)));
  EXPECT_TRUE(absl::IsAborted(queue->Fail(job, absl::InternalError("late"))));
  EXPECT_EQ(queue->Counts()->taken, 1);
  EXPECT_TRUE(queue->Finish(taken_over).ok());
  EXPECT_TRUE(absl::IsAborted(queue->Finish(taken_over)));
}

TEST_P(JobQueueTest, TheSameWorkerTakingAgainIsAnotherHolder) {
  const auto queue = Make(1);
  const TakenJob before = TakeOne(*queue, kAnn);
  clock_.Advance(absl::Minutes(2));
  const TakenJob after = TakeOne(*queue, kAnn);
  EXPECT_TRUE(absl::IsAborted(queue->Finish(before)));
  EXPECT_TRUE(queue->Finish(after).ok());
}

TEST_P(JobQueueTest, JobsOfTheDeadGoOnAtOnce) {
  const auto queue = Make(2);
  const TakenJob of_ann = TakeOne(*queue, kAnn);
  const TakenJob of_bob = TakeOne(*queue, kBob);
  ASSERT_TRUE(queue->Release(kAnn).ok());
  EXPECT_TRUE(absl::IsAborted(queue->Finish(of_ann)));
  EXPECT_EQ(TakeOne(*queue, kBob).index, of_ann.index);
  EXPECT_TRUE(queue->Finish(of_bob).ok());
}

TEST_P(JobQueueTest, AJobThatKillsItsWorkersIsGivenUp) {
  const auto queue = Make(1);
  for (int i = 0; i < 3; ++i) {
    TakeOne(*queue, kAnn);
    ASSERT_TRUE(queue->Release(kAnn).ok());
  }
  EXPECT_FALSE(HasOne(*queue));
  const std::vector<JobFailure> failures = queue->Failures(1).value();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_THAT(std::string(failures[0].status.message()), HasSubstr("died 3 times"));
}

TEST_P(JobQueueTest, StaysWhatItIs) {
  ASSERT_TRUE(Make(4)->Finish(TakeOne(*Make(4), kAnn)).ok());
  EXPECT_EQ(Make(4, {2, 3})->Counts()->done, 1);
  EXPECT_EQ(engine_->Create("queue", 5, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(engine_->Open("other").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(JobQueueTest, BeginsWithWhatIsDone) {
  const auto queue = Make(5, {0, 2, 4});
  EXPECT_EQ(TakeOne(*queue, kAnn).index, 1);
  const auto records = queue->Records();
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), 5u);
  EXPECT_EQ((*records)[0].state, JobState::kDone);
  EXPECT_EQ((*records)[1].state, JobState::kTaken);
  EXPECT_EQ((*records)[1].worker, kAnn);
  EXPECT_EQ((*records)[1].takes, 1u);
  EXPECT_EQ((*records)[1].expires - (*records)[1].changed, options_.queue.lease);
  EXPECT_EQ((*records)[3].state, JobState::kQueued);
  const JobCounts counts = queue->Counts().value();
  EXPECT_EQ(counts.done, 3);
  EXPECT_EQ(counts.taken, 1);
  EXPECT_EQ(counts.queued, 1);
  EXPECT_EQ(counts.total(), 5);
}

TEST_P(JobQueueTest, GoesInOrderAndTakesWhatIsLateFirst) {
  const auto queue = Make(20);
  for (int64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(TakeOne(*queue, kAnn).index, i);
  }
  ASSERT_TRUE(queue->Requeue(std::vector<int64_t>{11, 2}).ok());
  EXPECT_EQ(TakeOne(*queue, kBob).index, 2);
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(TakeOne(*queue, kBob).index, 0);
  EXPECT_EQ(TakeOne(*queue, kBob).index, 1);
  EXPECT_EQ(TakeOne(*queue, kBob).takes, 2u);  // the second, which it holds too long itself
}

TEST_P(JobQueueTest, ManyTakersAtRandom) {
  const int64_t jobs = SmallTests() ? 60 : 400;
  const uint64_t seed = TestSeed();
  options_.queue.takes_max = 1000000;
  Make(jobs);
  std::vector<std::atomic<int>> finished(static_cast<size_t>(jobs));
  std::vector<std::thread> takers;
  for (uint64_t t = 0; t < 6; ++t) {
    takers.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      const auto engine = NewEngine();
      const auto queue = engine->Open("queue").value();
      while (!queue->Counts()->settled()) {
        if (random() % 8 == 0) {
          clock_.Advance(absl::Seconds(30));
        }
        const auto job = queue->Take(WorkerId{t}).value();
        if (!job.has_value() || random() % 4 == 0) {
          continue;  // as if it had died
        }
        const absl::Status renewed = queue->Renew(*job);
        EXPECT_TRUE(renewed.ok() || absl::IsAborted(renewed)) << renewed;
        const absl::Status done = queue->Finish(*job);
        EXPECT_TRUE(done.ok() || absl::IsAborted(done)) << done;
        finished[static_cast<size_t>(job->index)] += done.ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& taker : takers) {
    taker.join();
  }
  for (const std::atomic<int>& count : finished) {
    EXPECT_EQ(count, 1);
  }
}

TEST_P(JobQueueTest, KilledProcessesAreBuried) {
  std::mt19937_64 random(TestSeed());
  options_.queue.clock = &Clock::System();
  if (options_.redis.has_value()) {
    options_.redis->presence = absl::Milliseconds(300);
  }
  engine_ = NewEngine();
  options_.queue.takes_max = 1000000;
  const int64_t jobs = SmallTests() ? 40 : 200;
  const auto queue = Make(jobs);
  std::set<pid_t> children;
  const auto start = [&] {
    const pid_t child = fork();
    if (child == 0) {
      const auto engine = NewEngine();
      const auto mine = engine->Open("queue").value();
      const auto presence = engine->Announce().value();
      for (auto job = mine->Take(presence->id()).value(); job.has_value(); job = mine->Take(presence->id()).value()) {
        absl::SleepFor(absl::Milliseconds(1));
        if (!mine->Finish(*job).ok()) {
          _exit(1);
        }
      }
      pause();
    }
    children.insert(child);
  };
  while (!queue->Counts()->settled()) {
    while (children.size() < 3) {
      start();
    }
    absl::SleepFor(absl::Microseconds(static_cast<int64_t>(random() % 20000)));
    const pid_t victim = *std::next(children.begin(), static_cast<std::ptrdiff_t>(random() % children.size()));
    kill(victim, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(victim, &status, 0), victim);
    EXPECT_TRUE(WIFSIGNALED(status));
    children.erase(victim);
    ASSERT_TRUE(engine_->BuryDead([&](WorkerId dead) { return queue->Release(dead); }).ok());
  }
  EXPECT_EQ(queue->Counts()->done, jobs);
  for (const pid_t child : children) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  for (int tries = 0; tries < 500 && engine_->CountWorkers().value() > 0; ++tries) {
    absl::SleepFor(absl::Milliseconds(10));  // Redis knows it by their silence
  }
  EXPECT_EQ(engine_->CountWorkers().value(), 0);
}

TEST_P(JobQueueTest, SaysWhoLives) {
  if (options_.redis.has_value()) {
    options_.redis->presence = absl::Milliseconds(400);
  }
  const auto engine = NewEngine();
  EXPECT_FALSE(engine->CoordinatorLives().value());
  {
    const auto coordinator = engine->Coordinate();
    ASSERT_TRUE(coordinator.ok()) << coordinator.status();
    const auto ann = engine->Announce().value();
    auto bob = engine->Announce().value();
    EXPECT_NE(ann->id(), bob->id());
    absl::SleepFor(absl::Milliseconds(800));  // they stay alive
    EXPECT_TRUE(engine_->CoordinatorLives().value());
    EXPECT_EQ(engine_->CountWorkers().value(), 2);
    bob.reset();
    EXPECT_EQ(engine_->CountWorkers().value(), 1);
    EXPECT_TRUE(engine_->BuryDead([](WorkerId) { return absl::InternalError("nobody is dead"); }).ok());
  }
  EXPECT_FALSE(engine_->CoordinatorLives().value());
  EXPECT_EQ(engine_->CountWorkers().value(), 0);
}

class FileJobQueueTest : public JobEngineFixture {
 protected:
  void SetUp() override { Begin(Engine::kFiles); }
};

TEST_F(FileJobQueueTest, IsNotCutShort) {
  Make(4);
  std::filesystem::resize_file(path_ + "/jobs", 100);
  EXPECT_EQ(engine_->Open("queue").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FileJobQueueTest, ADamagedRecordIsAQueuedJob) {
  const JobRecord record{JobState::kDone, 7, kBob, absl::FromUnixMillis(5), absl::FromUnixMillis(6)};
  const std::string bytes = EncodeJobRecord(record);
  ASSERT_EQ(std::ssize(bytes), kJobRecordBytes);
  EXPECT_EQ(DecodeJobRecord(bytes), record);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_EQ(DecodeJobRecord(damaged), JobRecord{}) << i;
  }
  const auto queue = Make(2);
  ASSERT_TRUE(queue->Finish(TakeOne(*queue, kAnn)).ok());
  std::fstream(path_ + "/jobs", std::ios::in | std::ios::out | std::ios::binary).seekp(9).put('x');
  EXPECT_EQ(queue->Counts()->queued, 2);
}

TEST(WorkerPresence, LivesAsLongAsItsObject) {
  const store::TemporaryFolder folder;
  auto ann = WorkerPresence::Announce(folder.path(), RandomSource::System());
  const auto bob = WorkerPresence::Announce(folder.path(), RandomSource::System());
  ASSERT_TRUE(ann.ok() && bob.ok());
  EXPECT_NE((*ann)->id(), (*bob)->id());
  EXPECT_EQ(CountWorkers(folder.path()).value(), 2);
  ann->reset();
  EXPECT_EQ(CountWorkers(folder.path()).value(), 1);
  std::ofstream(folder.path() + "/00000000000000aa");  // left by a worker that died
  std::vector<WorkerId> dead;
  const auto bury = [&](WorkerId id) {
    dead.push_back(id);
    return absl::OkStatus();
  };
  EXPECT_FALSE(BuryDeadWorkers(folder.path(), [](WorkerId) { return absl::InternalError("no"); }).ok());
  ASSERT_TRUE(BuryDeadWorkers(folder.path(), bury).ok());
  ASSERT_TRUE(BuryDeadWorkers(folder.path(), bury).ok());
  EXPECT_EQ(dead, std::vector<WorkerId>{WorkerId{0xaa}});
  const auto lock = ProcessLock::Acquire(folder.path() + "/lock", "taken");
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_TRUE(IsLocked(folder.path() + "/lock").value());
  EXPECT_EQ(ProcessLock::Acquire(folder.path() + "/lock", "taken").status(), absl::UnavailableError("taken"));
  EXPECT_FALSE(IsLocked(folder.path() + "/other").value());
}

class RedisJobQueueTest : public JobEngineFixture, public testing::WithParamInterface<Engine> {
 protected:
  void SetUp() override { Begin(GetParam()); }
  [[nodiscard]] bool keeps() const { return GetParam() == Engine::kRedisThatKeeps; }
  [[nodiscard]] size_t CountKeys() const { return server_->Ask({"KEYS", "cleave:ingest:*"}).list.size(); }
};

INSTANTIATE_TEST_SUITE_P(Servers, RedisJobQueueTest, testing::Values(Engine::kRedis, Engine::kRedisThatKeeps),
                         [](const auto& which) {
                           return which.param == Engine::kRedis ? "ThatForget" : "ThatKeepTheirData";
                         });

TEST_P(RedisJobQueueTest, LeasesGoByTheServersTime) {
  options_.queue = {.lease = absl::Milliseconds(400), .takes_max = 3};
  engine_ = NewEngine();
  const auto queue = Make(1);
  const TakenJob job = TakeOne(*queue, kAnn);
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (!HasOne(*queue) && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_TRUE(absl::IsAborted(queue->Renew(job)));
  EXPECT_EQ(queue->Records().value()[0].worker, kBob);
}

TEST_P(RedisJobQueueTest, AServerThatComesBackKnowsAllOrNothing) {
  const auto queue = Make(4);
  ASSERT_TRUE(queue->Finish(TakeOne(*queue, kAnn)).ok());
  ASSERT_TRUE(queue->Fail(TakeOne(*queue, kAnn), absl::DataLossError("torn")).ok());
  const TakenJob job = TakeOne(*queue, kBob);
  const int64_t losses = engine_->losses();
  server_->Kill();
  std::jthread starting([&] {
    absl::SleepFor(absl::Milliseconds(200));
    server_->Start();
  });
  const auto counts = queue->Counts();  // waits
  EXPECT_NE(engine_->losses(), losses);
  if (keeps()) {
    ASSERT_TRUE(counts.ok()) << counts.status();
    EXPECT_EQ(counts->done, 1);
    EXPECT_EQ(counts->taken, 1);
    EXPECT_EQ(queue->Failures(9).value().at(0).status, absl::DataLossError("torn"));
    EXPECT_TRUE(queue->Finish(job).ok());
    return;
  }
  EXPECT_TRUE(absl::IsNotFound(counts.status())) << counts.status();
  EXPECT_TRUE(absl::IsNotFound(queue->Take(kAnn).status()));
  EXPECT_TRUE(absl::IsNotFound(queue->Records().status()));
  EXPECT_TRUE(absl::IsNotFound(queue->Failures(1).status()));
  EXPECT_TRUE(absl::IsAborted(queue->Renew(job)));
  EXPECT_TRUE(absl::IsAborted(queue->Finish(job)));
  EXPECT_TRUE(queue->Release(kBob).ok());
  Make(4, {1});
  EXPECT_TRUE(absl::IsAborted(queue->Finish(job)));  // it is queued
  EXPECT_EQ(queue->Counts()->done, 1);
  EXPECT_EQ(queue->Counts()->queued, 3);
}

TEST_P(RedisJobQueueTest, PatienceEnds) {
  const auto queue = Make(1);
  server_->Kill();
  std::vector<absl::Status> told;
  options_.redis->patience = absl::Milliseconds(200);
  options_.redis->on_change = [&](const absl::Status& status) { told.push_back(status); };
  const auto impatient = NewEngine();
  EXPECT_TRUE(absl::IsUnavailable(impatient->Open("queue").status()));
  server_->Start();
  (void)impatient->Open("queue");
  ASSERT_EQ(told.size(), 2u);
  EXPECT_TRUE(absl::IsUnavailable(told[0])) << told[0];
  EXPECT_TRUE(told[1].ok());
  options_.redis->address.database = 9999;
  EXPECT_TRUE(absl::IsFailedPrecondition(NewEngine()->Open("queue").status()));
}

// An answer that nobody heard: the job that was taken is given to the one who asked, and who finished has finished. The
// clock stands, so that no lease would help.
TEST_P(RedisJobQueueTest, CutConnectionsLoseNoJob) {
  const int64_t jobs = SmallTests() ? 100 : 400;
  std::mt19937_64 random(TestSeed());
  Make(jobs);
  std::atomic<int64_t> finished = 0;
  std::atomic<bool> ended = false;
  std::jthread cutting([&, seed = random()] {
    std::mt19937_64 mine(seed);
    while (!ended) {
      absl::SleepFor(absl::Microseconds(static_cast<int64_t>(mine() % 3000)));
      server_->Ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    }
  });
  std::vector<std::thread> takers;
  for (uint64_t t = 1; t <= 4; ++t) {
    takers.emplace_back([&, t] {
      const auto engine = NewEngine();
      const auto queue = engine->Open("queue").value();
      for (auto job = queue->Take(WorkerId{t}); job.ok() && job->has_value(); job = queue->Take(WorkerId{t})) {
        const absl::Status done = queue->Finish(**job);
        EXPECT_TRUE(done.ok()) << done;
        ++finished;
      }
    });
  }
  for (std::thread& taker : takers) {
    taker.join();
  }
  ended = true;
  cutting.join();
  EXPECT_EQ(finished, jobs);
  EXPECT_EQ(NewEngine()->Open("queue").value()->Counts()->done, jobs);
}

TEST_P(RedisJobQueueTest, ACoordinatorElsewhereIsRespected) {
  const std::string key = absl::StrCat("cleave:ingest:", kIngest, ":coordinator");
  {
    const auto here = engine_->Coordinate();
    ASSERT_TRUE(here.ok()) << here.status();
    EXPECT_TRUE(NewEngine()->Coordinate().ok());  // on one machine the table's lock decides
  }
  server_->Ask({"SET", key, "other-boot far.lab", "PX", "60000"});
  const absl::Status refused = engine_->Coordinate().status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("on far.lab;"));
  server_->Ask({"DEL", key});
  EXPECT_TRUE(engine_->Coordinate().ok());
}

TEST_P(RedisJobQueueTest, LeavesNothingBehind) {
  server_->Ask({"SET", "cleave:ingest:ffffffffffffffffffffffffffffffff:workers", "of others"});
  Make(4);
  {
    const auto coordinator = engine_->Coordinate().value();
    const auto worker = engine_->Announce().value();
    EXPECT_GE(CountKeys(), 6u);
    ASSERT_TRUE(engine_->Remove().ok());
  }
  EXPECT_EQ(CountKeys(), 1u);
  // The folder is deleted, and an ingest begins there anew.
  (void)engine_->Coordinate().value();
  Make(4);
  const auto next = NewEngine("00000000000000000000000000000000");
  (void)next->Coordinate().value();
  EXPECT_TRUE(absl::IsNotFound(engine_->Open("queue").status()));
  ASSERT_TRUE(next->Remove().ok());
  EXPECT_EQ(CountKeys(), 1u);
}

TEST(RedisJobRecord, IsReadOrQueued) {
  const JobRecord taken{JobState::kTaken, 3, WorkerId{0xab12}, absl::FromUnixMillis(2000), absl::FromUnixMillis(1000)};
  EXPECT_EQ(DecodeRedisJobRecord("1 3 ab12 2000 1000"), taken);
  for (const char* wrong : {"", "1 3 ab12 2000", "4 3 ab12 2000 1000", "1 -3 ab12 2000 1000", "1 3 xy 2000 1000",
                            "1 3 ab12 2000 1000 7", "1  3 ab12 2000 1000"}) {
    EXPECT_EQ(DecodeRedisJobRecord(wrong), JobRecord{}) << wrong;
  }
  const RedisIngest place{kIngest, "redis://queue.lab:6379/0"};
  EXPECT_EQ(DecodeRedisIngest(EncodeRedisIngest(place)).value(), place);
  for (const char* wrong : {"", "{}", "[1]", R"({"id":"*"})", R"({"id":7})"}) {
    EXPECT_EQ(DecodeRedisIngest(wrong).status().code(), absl::StatusCode::kDataLoss) << wrong;
  }
}

TEST(JobEngine, IsTheOneThatTheIngestBeganWith) {
  const store::TemporaryFolder folder;
  IngestFolder ingest(folder.path());
  ASSERT_TRUE(ingest.Create().ok());
  const JobEngineOptions by_files;
  const JobEngineOptions by_redis{.redis = RedisJobsOptions{.address = {.host = "queue.lab", .password = "secret"}}};
  const auto open = [&](Beginning beginning, const JobEngineOptions& options) {
    return OpenJobEngine(ingest, beginning, options);
  };
  EXPECT_FALSE(open(Beginning::kYes, by_files).value()->Forgets());
  EXPECT_THAT(std::string(open(Beginning::kNo, by_redis).status().message()), HasSubstr("through files"));
  ASSERT_TRUE(ingest.WritePlan({"voxels"}).ok());
  EXPECT_EQ(open(Beginning::kYes, by_redis).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(ingest.WritePlan({}).ok());
  const auto one = open(Beginning::kYes, by_redis).value();
  const auto other = open(Beginning::kYes, by_redis).value();
  ASSERT_TRUE(one->Note().ok());
  ASSERT_TRUE(one->Note().ok());
  EXPECT_TRUE(absl::IsUnavailable(other->Note()));  // it was slower
  for (const Beginning beginning : {Beginning::kNo, Beginning::kYes}) {
    EXPECT_TRUE(open(beginning, by_redis).value()->Forgets());
    const absl::Status refused = open(beginning, by_files).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("redis://queue.lab:6379/0; say where it is with --redis"));
  }
}

}  // namespace
}  // namespace cleave::ingest
