// Goal: an ingest by many workers makes the rows, voxels, scales and edge files that one process makes, whatever is
// done in which order, by whom, and wherever everything is killed; errors name their chunk and leave the rest.
// Method: random volumes, as labels and as chunk files; the project of Ingest is the oracle. Workers are threads of the
// test (cli/ingest_test.py has processes). Kills: the ingest runs in a child, which is this program with one hidden
// test, and dies at each crash point that a first run passed; then it is run again.
#include "ingest/process_ingest.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "gmock/gmock.h"
#include <sys/wait.h>

#include "base/crash_point.h"
#include "base/test_scale.h"
#include "ingest/file_input_testing.h"
#include "ingest/ingest_worker.h"
#include "ingest/overlay_testing.h"
#include "ingest/spool.h"
#include "ingest/stage_file.h"
#include "ocdbt/database.h"
#include "ocdbt/garbage.h"
#include "store/file_store.h"
#include "store/redis_testing.h"
#include "store/temporary_folder.h"

namespace cleave::ingest {
namespace {

using testing::HasSubstr;
using volume::Random;

constexpr Extent3 kChunks{12, 10, 8};
constexpr Extent3 kVolume{40, 29, 20};  // 4 x 3 x 3 chunks

class ThreadCrew final : public WorkerCrew {
 public:
  ThreadCrew(const std::string& project, int count, const std::optional<RedisJobsOptions>& redis) {
    for (int i = 0; i < count; ++i) {
      workers_.emplace_back([this, project, redis] {
        WorkerOptions options{.threads = 1, .wait_for_more = true, .stop = [this] { return stop_.load(); }};
        options.redis = redis;
        const auto report = RunIngestWorker(project, options);
        EXPECT_TRUE(report.ok()) << report.status();
      });
    }
  }
  ~ThreadCrew() override {
    stop_ = true;
    for (std::thread& worker : workers_) {
      worker.join();
    }
  }
  absl::Status Tend() override { return absl::OkStatus(); }

 private:
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> workers_;
};

ProcessIngestOptions WithWorkers(int count, const std::optional<RedisJobsOptions>& redis = {}) {
  ProcessIngestOptions options;
  options.threads = 2;
  options.redis = redis;
  options.start_workers = [count, redis](const std::string& project) -> absl::StatusOr<std::unique_ptr<WorkerCrew>> {
    return std::make_unique<ThreadCrew>(project, count, redis);
  };
  return options;
}

// All that a project holds, coarser scales too.
struct Everything {
  Contents contents;
  std::vector<std::vector<uint64_t>> scales;
};

Everything EverythingIn(const std::string& project) {
  Everything everything{ContentsOf(project), {}};
  const auto dataset = graph::Dataset::Open(project);
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  for (int scale = 1; dataset.ok() && scale < (*dataset)->segmentation().scale_count(); ++scale) {
    const volume::Volume& voxels = (*dataset)->segmentation();
    const auto labels = voxels.ReadBox(scale, voxels.grid(scale).bounds);
    EXPECT_TRUE(labels.ok()) << labels.status();
    everything.scales.emplace_back(labels->data(), labels->data() + labels->size());
  }
  return everything;
}

void ExpectSameEverything(const Everything& a, const Everything& b) {
  ExpectSame(a.contents, b.contents);
  EXPECT_EQ(a.scales, b.scales);
}

DatasetFile FromChunkFiles(const FileInput& input) {
  DatasetFile dataset;
  dataset.options = input.Options("project");
  dataset.options.base.scales = 3;
  dataset.chunks_per_job = 2;
  return dataset;
}

// What the child does.
TEST(ProcessIngestChild, Runs) {
  const char* folder = std::getenv("CLEAVE_PROCESS_INGEST_FOLDER");
  if (folder == nullptr) {
    GTEST_SKIP() << "runs as the child of ProcessIngestTest only";
  }
  std::ofstream list(std::getenv("CLEAVE_PROCESS_INGEST_LIST"), std::ios::app);
  std::mutex mutex;
  SetCrashPointObserver([&](absl::string_view name) {
    const std::lock_guard lock(mutex);
    list << std::string(name) << std::endl;
  });
  std::optional<RedisJobsOptions> redis;
  if (const char* url = std::getenv("CLEAVE_PROCESS_INGEST_REDIS")) {
    redis = RedisJobsOptions{.address = store::ParseRedisUrl(url).value(), .presence = absl::Milliseconds(500)};
  }
  const auto report =
      IngestByProcesses(FromChunkFiles(FileInput(folder, kChunks)), WithWorkers(2, redis), Progress::Silent());
  SetCrashPointObserver(nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
}

class ProcessIngestTest : public testing::Test {
 protected:
  void SetUp() override {
    random_.seed(volume::TestSeed());
    input_.Make(random_, kVolume);
    dataset_ = FromChunkFiles(input_);
    FileIngestOptions one = input_.Options("one");
    one.base.scales = 3;
    const auto report = IngestFiles(one, Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
    expected_ = EverythingIn(input_.Path("one"));
  }

  absl::StatusOr<ProcessIngestReport> Run(const ProcessIngestOptions& options) {
    return IngestByProcesses(dataset_, options, Progress::Silent());
  }
  void ExpectEnded(const absl::StatusOr<ProcessIngestReport>& report) {
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ended);
    EXPECT_FALSE(std::filesystem::exists(input_.Path("project/ingest")));
    ExpectSameEverything(expected_, EverythingIn(input_.Path("project")));
  }
  // Every file of the base is of use, though workers died over half-written ones.
  void ExpectNoGarbage() {
    namespace fs = std::filesystem;
    fs::remove_all(input_.Path("base"));
    fs::copy(input_.Path("project/ocdbt/base"), input_.Path("base"), fs::copy_options::recursive);
    fs::remove(input_.Path("base/sealed"));
    const auto database = ocdbt::Database::Open(std::make_shared<store::FileStore>(input_.Path("base")));
    ASSERT_TRUE(database.ok()) << database.status();
    ocdbt::GarbageOptions options;
    options.grace = absl::ZeroDuration();
    const auto garbage = ocdbt::CollectGarbage(**database, options, Progress::Silent());
    ASSERT_TRUE(garbage.ok()) << garbage.status();
    EXPECT_TRUE(garbage->removed.empty());
    EXPECT_EQ(garbage->files, garbage->needed);
    EXPECT_EQ(garbage->writers, 0u);
    EXPECT_TRUE(garbage->open_fills.empty());
  }
  void ExpectPart(const absl::StatusOr<ProcessIngestReport>& report) {
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_FALSE(report->ended);
    EXPECT_EQ(graph::Dataset::Open(input_.Path("project")).status().code(), absl::StatusCode::kFailedPrecondition);
  }

  // Returns the child's wait status.
  int RunChild(const std::string& crash_at, const std::string& redis_url = "") const {
    const pid_t pid = fork();
    if (pid == 0) {
      setenv("CLEAVE_PROCESS_INGEST_FOLDER", folder_.path().c_str(), 1);
      setenv("CLEAVE_PROCESS_INGEST_LIST", input_.Path("points").c_str(), 1);
      if (!redis_url.empty()) {
        setenv("CLEAVE_PROCESS_INGEST_REDIS", redis_url.c_str(), 1);
      }
      if (!crash_at.empty()) {
        setenv("CLEAVE_CRASH_AT", crash_at.c_str(), 1);
      }
      if (freopen("/dev/null", "w", stdout) != nullptr) {
        execl("/proc/self/exe", "ingest_test", "--gtest_filter=ProcessIngestChild.Runs", nullptr);
      }
      _exit(3);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
  }

  // By the children, with how often each was.
  [[nodiscard]] std::map<std::string, int> PointsPassed() const {
    std::map<std::string, int> points;
    std::ifstream list(input_.Path("points"));
    for (std::string name; std::getline(list, name);) {
      ++points[name];
    }
    return points;
  }

  store::TemporaryFolder folder_;
  FileInput input_{folder_.path(), kChunks};
  std::mt19937_64 random_;
  DatasetFile dataset_;
  Everything expected_;
};

TEST_F(ProcessIngestTest, MakesWhatOneProcessMakes) {
  ExpectEnded(Run(WithWorkers(3)));
  ExpectNoGarbage();
  const auto again = Run(WithWorkers(1));
  ExpectEnded(again);
  EXPECT_EQ(again->report.supervoxels, std::ssize([&] {
              std::vector<uint64_t> ids = expected_.contents.voxels;
              std::ranges::sort(ids);
              ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
              std::erase(ids, 0);
              return ids;
            }()));
}

TEST(ProcessIngest, MakesOfLabelsWhatOneProcessMakes) {
  std::mt19937_64 random(volume::TestSeed());
  for (int round = 0; round < (SmallTests() ? 2 : 6); ++round) {
    const store::TemporaryFolder folder;
    const Extent3 extent{Random(random, 2, 40), Random(random, 2, 37), Random(random, 2, 30)};
    const auto labels = RandomBlobs(random, extent);
    ASSERT_TRUE(volume::WriteNpy<uint64_t>(folder.path() + "/labels.npy", labels.view()).ok());
    DatasetFile dataset;
    IngestOptions& options = dataset.options.base;
    options.labels = folder.path() + "/labels.npy";
    options.project_folder = folder.path() + "/one";
    options.voxel_size_nm = VoxelSizeNm{8, 8, 40};
    options.voxel_offset = VoxelPoint{Random(random, -9, 9), Random(random, -9, 9), Random(random, -9, 9)};
    options.chunk_size = {Random(random, 4, 40), Random(random, 4, 20), Random(random, 3, 12)};
    WriteBytes(folder.path() + "/objects.csv", absl::StrCat(labels.data()[0] == 0 ? 1 : labels.data()[0], ",7\n"));
    options.agglomeration_file = folder.path() + "/objects.csv";
    const auto one = Ingest(options, Progress::Silent());
    ASSERT_TRUE(one.ok()) << one.status();
    options.project_folder = folder.path() + "/many";
    dataset.chunks_per_job = Random(random, 0, 5);
    SCOPED_TRACE(EncodeDatasetFile(dataset));
    const auto many = IngestByProcesses(dataset, WithWorkers(3), Progress::Silent());
    ASSERT_TRUE(many.ok()) << many.status();
    EXPECT_TRUE(many->ended);
    EXPECT_EQ(many->report.l2_nodes, one->l2_nodes);
    EXPECT_EQ(many->report.edges_between, one->edges_between);
    EXPECT_EQ(many->report.roots, one->roots);
    ExpectSameEverything(EverythingIn(folder.path() + "/one"), EverythingIn(folder.path() + "/many"));
  }
}

TEST_F(ProcessIngestTest, AnOverlayHasNoVoxels) {
  const auto ids = volume::OpenLabelSource(input_.Path("seg.npy")).value()->ReadBox(BoxAt({}, kVolume));
  ASSERT_TRUE(ids.ok()) << ids.status();
  dataset_.options.base.base = BaseKind::kOverlay;
  dataset_.options.base.labels = WriteOriginal(input_.Path("original"), *ids, {.chunk_size = kChunks});
  const auto before = FilesIn(input_.Path("original"));
  ProcessIngestOptions options = WithWorkers(2);
  options.part = IngestPart::kVoxels;
  EXPECT_EQ(Run(options).status().code(), absl::StatusCode::kInvalidArgument);
  options.part = IngestPart::kAll;
  const auto report = Run(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ended);
  ExpectSame(expected_.contents, ContentsOf(input_.Path("project")));
  EXPECT_EQ(FilesIn(input_.Path("original")), before);
}

TEST_F(ProcessIngestTest, HalvesAndLayersInAnyOrder) {
  for (const bool voxels_first : {false, true}) {
    std::filesystem::remove_all(input_.Path("project"));
    ProcessIngestOptions options = WithWorkers(2);
    const auto make = [&](IngestPart part, std::optional<int> layer) {
      options.part = part;
      options.layer = layer;
      return Run(options);
    };
    if (voxels_first) {
      ExpectPart(make(IngestPart::kVoxels, std::nullopt));
      ExpectPart(make(IngestPart::kVoxels, 2));
    }
    EXPECT_THAT(std::string(make(IngestPart::kAll, 3).status().message()), HasSubstr("layer 2"));
    ExpectPart(make(IngestPart::kGraph, 2));
    EXPECT_EQ(make(IngestPart::kGraph, 4).status().code(), absl::StatusCode::kFailedPrecondition);
    ExpectPart(make(IngestPart::kGraph, 3));
    ExpectPart(make(IngestPart::kGraph, 3));
    const int top = graph::IdLayout::Create(BoxAt({}, kVolume), kChunks)->layer_count();
    for (int layer = 4; layer <= top; ++layer) {
      ExpectPart(make(IngestPart::kGraph, layer));
    }
    EXPECT_EQ(make(IngestPart::kGraph, top + 1).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(make(IngestPart::kGraph, 1).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(make(IngestPart::kVoxels, 3).status().code(), absl::StatusCode::kInvalidArgument);
    ExpectEnded(make(IngestPart::kVoxels, 2));
  }
}

TEST_F(ProcessIngestTest, WorkersOfOthersDoTheQueues) {
  ProcessIngestOptions options;
  options.queue_only = true;
  EXPECT_EQ(ReadIngestStatus(input_.Path("project")).status().code(), absl::StatusCode::kNotFound);
  const auto queued = Run(options);
  ExpectPart(queued);
  EXPECT_EQ(queued->jobs, 36);  // 18 lots of two chunks, voxels and graph
  IngestStatus status = ReadIngestStatus(input_.Path("project")).value();
  ASSERT_EQ(status.queues.size(), 2u);
  EXPECT_EQ(status.queues[0].jobs.queued, 18);
  EXPECT_EQ(status.queues[0].total, 36);
  EXPECT_FALSE(status.coordinator);
  std::atomic<int64_t> done = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      const auto report = RunIngestWorker(input_.Path("project"), {.threads = 1});
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_EQ(report->left, 0);
      done += report->done;
    });
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  EXPECT_EQ(done, 36);
  status = ReadIngestStatus(input_.Path("project")).value();
  EXPECT_EQ(status.queues[1].done, 36);
  EXPECT_GT(status.queues[1].per_second, 0);
  EXPECT_EQ(status.workers, 0);
  ExpectEnded(Run(WithWorkers(1)));
  EXPECT_TRUE(ReadIngestStatus(input_.Path("project"))->ended);
  EXPECT_EQ(RunIngestWorker(input_.Path("project"), {}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ProcessIngestTest, ByRedisWhichIsKilledAndComesBackEmpty) {
  CLEAVE_NEEDS_REDIS();
  store::RedisServer server(false);
  const RedisJobsOptions redis{.address = server.address(), .presence = absl::Seconds(1)};
  std::mt19937_64 random(volume::TestSeed());
  for (int round = 0; round < (SmallTests() ? 1 : 4); ++round) {
    std::filesystem::remove_all(input_.Path("project"));
    std::atomic<bool> ended = false;
    std::jthread killing([&, seed = random()] {
      std::mt19937_64 mine(seed);
      for (int kills = 0; kills < 8 && !ended; ++kills) {
        absl::SleepFor(absl::Milliseconds(mine() % 300));
        server.Kill();
        absl::SleepFor(absl::Milliseconds(mine() % 100));
        server.Start();
      }
    });
    const auto report = Run(WithWorkers(3, redis));
    ended = true;
    killing.join();
    ExpectEnded(report);
    ExpectNoGarbage();
  }
  server.Kill();
  server.Start();
  ExpectEnded(Run(WithWorkers(1, redis)));  // it has ended already
  std::filesystem::remove_all(input_.Path("project"));
  ExpectEnded(Run(WithWorkers(2, redis)));
  EXPECT_TRUE(server.Ask({"KEYS", "*"}).list.empty());
}

TEST_F(ProcessIngestTest, ByRedisInPartsAndNotBesideFiles) {
  CLEAVE_NEEDS_REDIS();
  store::RedisServer server(false, "secret");
  dataset_.redis = absl::StrCat("redis://:secret@127.0.0.1:", server.address().port);
  const RedisJobsOptions redis{.address = server.address()};
  ProcessIngestOptions options;
  options.queue_only = true;
  ExpectPart(Run(options));
  const std::string project = input_.Path("project");
  for (const char* name : {"dataset.json", "ingest/redis"}) {
    std::ifstream file(absl::StrCat(project, "/", name));
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    EXPECT_FALSE(text.empty());
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  }
  EXPECT_FALSE(std::filesystem::exists(project + "/ingest/queues/voxels"));
  EXPECT_EQ(RunIngestWorker(project, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadIngestStatus(project).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadIngestStatus(project, redis)->queues.at(0).jobs.queued, 18);
  server.Kill();
  server.Start();
  EXPECT_TRUE(ReadIngestStatus(project, redis)->queues.at(0).lost);
  ExpectPart(Run(options));
  const auto worker = RunIngestWorker(project, {.threads = 2, .redis = redis});
  ASSERT_TRUE(worker.ok()) << worker.status();
  EXPECT_EQ(worker->done, 36);
  server.Kill();
  server.Start();
  ExpectPart(Run(options));  // what is done is known by what it left
  EXPECT_EQ(ReadIngestStatus(project, redis)->queues.at(1).jobs.done, 18);
  dataset_.redis.clear();
  EXPECT_THAT(std::string(Run(options).status().message()), HasSubstr("say where it is with --redis"));
  server.Kill();  // for good
  std::filesystem::remove(project + "/ingest/redis");
  ExpectEnded(Run(WithWorkers(2)));
}

// Chunks that are taken back may not be found done by what they once left.
TEST_F(ProcessIngestTest, ByRedisWhatIsTakenBackIsMadeAgain) {
  CLEAVE_NEEDS_REDIS();
  store::RedisServer server(false);
  const RedisJobsOptions redis{.address = server.address(), .presence = absl::Seconds(1)};
  const auto busy =
      std::ranges::find_if(expected_.contents.edges, [](const auto& entry) { return entry.second.between.size() > 1; });
  ASSERT_NE(busy, expected_.contents.edges.end());
  const std::string path = input_.Path(absl::StrCat("edges/", graph::EdgeFiles::FileName(busy->first)));
  std::ifstream file(path, std::ios::binary);
  const std::string edges((std::istreambuf_iterator<char>(file)), {});
  graph::ChunkEdges other = graph::DecodeChunkEdges(edges).value();
  other.between.erase(other.between.begin());
  WriteBytes(path, graph::EncodeChunkEdges(other));
  EXPECT_THAT(std::string(Run(WithWorkers(2, redis)).status().message()), HasSubstr("neighbours disagree"));
  WriteBytes(path, edges);
  ProcessIngestOptions queue_only;
  queue_only.queue_only = true;
  queue_only.redis = redis;
  ExpectPart(Run(queue_only));
  server.Kill();
  server.Start();
  ExpectEnded(Run(WithWorkers(2, redis)));
}

TEST_F(ProcessIngestTest, WhatTheSpoolLostIsMadeAgain) {
  ProcessIngestOptions options = WithWorkers(2);
  options.part = IngestPart::kVoxels;
  ExpectPart(Run(options));
  std::filesystem::remove(input_.Path("project/ingest/surfaces/0_0_0"));
  ExpectEnded(Run(WithWorkers(2)));
}

TEST_F(ProcessIngestTest, ErrorsNameTheChunkAndWaitToBeMended) {
  const std::string seg = input_.Path("seg.npy");
  std::ifstream file(seg, std::ios::binary);
  const std::string original((std::istreambuf_iterator<char>(file)), {});
  std::string changed = original;
  const uint64_t foreign = 77;
  changed.replace(changed.size() - 8, 8, std::string(reinterpret_cast<const char*>(&foreign), 8));
  WriteBytes(seg, changed);
  const absl::Status status = Run(WithWorkers(2)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 of 18 jobs of 'voxels' failed: chunk 3,2,2"));
  const IngestStatus seen = ReadIngestStatus(input_.Path("project")).value();
  ASSERT_FALSE(seen.queues.empty());
  EXPECT_EQ(seen.queues[0].jobs.done, 17);
  ASSERT_EQ(seen.queues[0].failures.size(), 1u);
  EXPECT_THAT(std::string(seen.queues[0].failures[0].status.message()), HasSubstr("holds 77"));
  WriteBytes(seg, original);

  // An edge file that cannot be read, and one that a neighbour does not agree with.
  std::vector<ChunkPoint> busy;
  for (const auto& [chunk, edges] : expected_.contents.edges) {
    if (edges.between.size() > 1) {
      busy.push_back(chunk);
    }
  }
  ASSERT_FALSE(busy.empty());
  const ChunkPoint chunk = busy[busy.size() / 2];
  const std::string path = input_.Path(absl::StrCat("edges/", graph::EdgeFiles::FileName(chunk)));
  std::ifstream edge_file(path, std::ios::binary);
  const std::string edges((std::istreambuf_iterator<char>(edge_file)), {});
  WriteBytes(path, "no zstd");
  const absl::Status damaged = Run(WithWorkers(2)).status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss) << damaged;
  EXPECT_THAT(std::string(damaged.message()), HasSubstr(absl::StrCat("chunk ", ToString(chunk))));
  graph::ChunkEdges other = graph::DecodeChunkEdges(edges).value();
  other.between.erase(other.between.begin());
  WriteBytes(path, graph::EncodeChunkEdges(other));
  for (int tries = 0; tries < 2; ++tries) {
    const absl::Status disagree = Run(WithWorkers(2)).status();
    EXPECT_EQ(disagree.code(), absl::StatusCode::kDataLoss) << disagree;
    EXPECT_THAT(std::string(disagree.message()), HasSubstr("neighbours disagree"));
  }
  WriteBytes(path, edges);
  ExpectEnded(Run(WithWorkers(2)));
}

TEST_F(ProcessIngestTest, AnotherRequestMayNotGoOn) {
  ProcessIngestOptions options = WithWorkers(2);
  options.part = IngestPart::kVoxels;
  ExpectPart(Run(options));
  dataset_.options.components.clear();
  EXPECT_THAT(std::string(Run(options).status().message()), HasSubstr("other input"));
  dataset_ = FromChunkFiles(input_);
  dataset_.mesh = R"({"dir":"m"})";  // needs nothing of the ingest
  ExpectPart(Run(options));
  dataset_.options.base.project_folder = input_.Path("one");
  EXPECT_EQ(Run(options).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ProcessIngestTest, KilledAnywhereAndRunAgain) {
  ASSERT_EQ(RunChild(""), 0);
  ExpectSameEverything(expected_, EverythingIn(input_.Path("project")));
  const std::map<std::string, int> points = PointsPassed();
  EXPECT_GE(points.size(), 15u);
  for (const auto& [name, count] : points) {
    for (const int arrival : std::set<int>{1, FullTests() ? count : 1}) {
      SCOPED_TRACE(absl::StrCat(name, ":", arrival));
      std::filesystem::remove_all(input_.Path("project"));
      const int status = RunChild(absl::StrCat(name, ":", arrival));
      ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
      RunChild("ingest.job_made:5");
      ExpectEnded(Run(WithWorkers(2)));
      ExpectNoGarbage();
    }
  }
}

// Workers and coordinator die together; sometimes Redis loses all that it knew before the next run.
TEST_F(ProcessIngestTest, ByRedisKilledAnywhereAndRunAgain) {
  CLEAVE_NEEDS_REDIS();
  store::RedisServer server(false);
  const std::string url = server.address().ToString();
  const RedisJobsOptions redis{.address = server.address(), .presence = absl::Milliseconds(500)};
  ASSERT_EQ(RunChild("", url), 0);
  ExpectSameEverything(expected_, EverythingIn(input_.Path("project")));
  for (const auto& [name, count] : PointsPassed()) {
    const bool chosen = FullTests() || random_() % (SmallTests() ? 8 : 2) == 0 || name == "ingest.garbage_removed";
    if (!chosen) {
      continue;
    }
    SCOPED_TRACE(name);
    std::filesystem::remove_all(input_.Path("project"));
    const int status = RunChild(absl::StrCat(name, ":1"), url);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    if (random_() % 2 == 0) {
      server.Kill();
      server.Start();
    }
    ExpectEnded(Run(WithWorkers(2, redis)));
    ExpectNoGarbage();
    EXPECT_TRUE(server.Ask({"KEYS", "*"}).list.empty());
  }
}

TEST(Spool, ReadsWhatItWroteAndNothingElse) {
  std::mt19937_64 random(volume::TestSeed());
  const auto layout = graph::IdLayout::Create(BoxAt({}, {40, 29, 20}), kChunks).value();
  Array3<uint64_t> voxels(kChunks);
  for (int64_t i = 0; i < voxels.size(); ++i) {
    voxels.data()[i] = random() % 5;
  }
  const ChunkSupervoxels chunk = MakeSupervoxels(layout, LabelMap(), {1, 1, 1}, voxels.view()).value();
  const std::string bytes = EncodeSurfaces(chunk);
  const ChunkSupervoxels read = DecodeSurfaces({1, 1, 1}, bytes).value();
  EXPECT_EQ(read.ids, chunk.ids);
  EXPECT_EQ(read.labels, chunk.labels);
  EXPECT_EQ(EncodeSurfaces(read), bytes);
  ChunkRows rows;
  rows.counts = {1, 2, 3, 4, 5};
  rows.rows.push_back({"key", {table::SetCell{{"0", std::string("q\xff\0", 3)}, absl::FromUnixMillis(7), "value"}}});
  const std::string encoded = EncodeRows(rows);
  EXPECT_EQ(EncodeRows(DecodeRows(encoded).value()), encoded);
  for (size_t i = 0; i < bytes.size(); i += 1 + bytes.size() / 200) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    EXPECT_EQ(DecodeSurfaces({1, 1, 1}, damaged).status().code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(DecodeRows(encoded.substr(0, encoded.size() - 1)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeRows("").status().code(), absl::StatusCode::kDataLoss);
}

TEST(Spool, TransportErrorsAreThoseThatPass) {
  for (const auto& status :
       {absl::UnavailableError(""), absl::DeadlineExceededError(""), absl::AbortedError(""), absl::InternalError("")}) {
    EXPECT_TRUE(IsOfTransport(status)) << status;
  }
  for (const auto& status : {absl::OkStatus(), absl::NotFoundError(""), absl::InvalidArgumentError(""),
                             absl::ResourceExhaustedError(""), absl::DataLossError("")}) {
    EXPECT_FALSE(IsOfTransport(status)) << status;
  }
}

}  // namespace
}  // namespace cleave::ingest
