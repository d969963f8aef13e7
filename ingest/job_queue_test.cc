// Goal: every job is done by somebody, and nobody who lost a job can settle it; a dead worker's jobs go on at once,
// those of a sleeping one when its lease ends. Method: 1. Each rule on a queue with a clock that goes when told. 2.
// Threads with objects of their own take, renew, finish, fail and forget jobs at random, with leases that run out; a
// job is counted whenever it is finished: once each, whatever happened before. 3. Processes that are killed while they
// hold jobs. 4. Records with each byte flipped.
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
#include "ingest/worker_presence.h"
#include "ocdbt/clock_testing.h"
#include "store/temporary_folder.h"

namespace cleave::ingest {
namespace {

using testing::HasSubstr;

constexpr WorkerId kAnn{1};
constexpr WorkerId kBob{2};

class JobQueueTest : public testing::Test {
 protected:
  std::unique_ptr<JobQueue> Make(int64_t jobs) {
    auto queue = JobQueue::Create(path_, jobs, options_);
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
  const std::string path_ = folder_.path() + "/queue";
  ocdbt::FakeClock clock_;
  JobQueueOptions options_{.lease = absl::Minutes(1), .takes_max = 3, .clock = &clock_};
};

TEST_F(JobQueueTest, GivesEachJobOnce) {
  const auto queue = Make(3);
  const auto other = JobQueue::Open(path_, options_);
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

TEST_F(JobQueueTest, LeasesEndUnlessTheyAreRenewed) {
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

TEST_F(JobQueueTest, TheSameWorkerTakingAgainIsAnotherHolder) {
  const auto queue = Make(1);
  const TakenJob before = TakeOne(*queue, kAnn);
  clock_.Advance(absl::Minutes(2));
  const TakenJob after = TakeOne(*queue, kAnn);
  EXPECT_TRUE(absl::IsAborted(queue->Finish(before)));
  EXPECT_TRUE(queue->Finish(after).ok());
}

TEST_F(JobQueueTest, JobsOfTheDeadGoOnAtOnce) {
  const auto queue = Make(2);
  const TakenJob of_ann = TakeOne(*queue, kAnn);
  const TakenJob of_bob = TakeOne(*queue, kBob);
  ASSERT_TRUE(queue->Release(kAnn).ok());
  EXPECT_TRUE(absl::IsAborted(queue->Finish(of_ann)));
  EXPECT_EQ(TakeOne(*queue, kBob).index, of_ann.index);
  EXPECT_TRUE(queue->Finish(of_bob).ok());
}

TEST_F(JobQueueTest, AJobThatKillsItsWorkersIsGivenUp) {
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

TEST_F(JobQueueTest, StaysWhatItIs) {
  ASSERT_TRUE(Make(4)->Finish(TakeOne(*Make(4), kAnn)).ok());
  EXPECT_EQ(Make(4)->Counts()->done, 1);
  EXPECT_EQ(JobQueue::Create(path_, 5, options_).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(JobQueue::Open(path_ + "x", options_).status().code(), absl::StatusCode::kNotFound);
  std::filesystem::resize_file(path_ + "/jobs", 100);
  EXPECT_EQ(JobQueue::Open(path_, options_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(JobQueueTest, ADamagedRecordIsAQueuedJob) {
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

TEST_F(JobQueueTest, ManyTakersAtRandom) {
  const int64_t jobs = SmallTests() ? 60 : 400;
  const uint64_t seed = TestSeed();
  options_.takes_max = 1000000;
  Make(jobs);
  std::vector<std::atomic<int>> finished(static_cast<size_t>(jobs));
  std::vector<std::thread> takers;
  for (uint64_t t = 0; t < 6; ++t) {
    takers.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      const auto queue = JobQueue::Open(path_, options_).value();
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

TEST_F(JobQueueTest, KilledProcessesAreBuried) {
  std::mt19937_64 random(TestSeed());
  const std::string workers = folder_.path() + "/workers";
  std::filesystem::create_directory(workers);
  options_.clock = &Clock::System();
  options_.takes_max = 1000000;
  const int64_t jobs = SmallTests() ? 40 : 200;
  const auto queue = Make(jobs);
  std::set<pid_t> children;
  const auto start = [&] {
    const pid_t child = fork();
    if (child == 0) {
      const auto mine = JobQueue::Open(path_, options_).value();
      const auto presence = WorkerPresence::Announce(workers, RandomSource::System()).value();
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
    ASSERT_TRUE(BuryDeadWorkers(workers, [&](WorkerId dead) { return queue->Release(dead); }).ok());
  }
  EXPECT_EQ(queue->Counts()->done, jobs);
  for (const pid_t child : children) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  EXPECT_EQ(CountWorkers(workers).value(), 0);
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

}  // namespace
}  // namespace cleave::ingest
