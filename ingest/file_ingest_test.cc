// Goal: from edge files, component files and a segmentation with chunk ids, ingest makes the very rows, voxels and edge
// files that it makes of the labels behind them; it does so too when it is killed at any point and run again; and input
// that is wrong is named, with its chunk, and leaves everything as it was, so that mending it is enough.
// Method: a random volume of labels is ingested; its supervoxels, edges and objects are written as the field's input;
// the project made of these is compared with the first one, cell by cell. Kills: the ingest runs in a child, which is
// this program with one hidden test; a first run counts the crash points it passes. Damage: one file at a time.
#include "ingest/file_ingest.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <mutex>

#include "gmock/gmock.h"
#include <sys/wait.h>

#include "base/crash_point.h"
#include "base/test_scale.h"
#include "ingest/chunk_files.h"
#include "ingest/file_input_testing.h"
#include "ingest/ingest_state.h"
#include "ingest/overlay_testing.h"
#include "store/temporary_folder.h"

namespace cleave::ingest {
namespace {

using graph::ChunkEdges;
using graph::Dataset;
using graph::Edge;
using graph::IdLayout;
using graph::NodeId;
using testing::HasSubstr;
using volume::Random;
using volume::TestSeed;

constexpr Extent3 kChunkSize{12, 10, 8};
constexpr Extent3 kExtent{40, 29, 20};  // 4 x 3 x 3 chunks

// What the child does.
TEST(FileIngestChild, Runs) {
  const char* folder = std::getenv("CLEAVE_INGEST_CHILD_FOLDER");
  if (folder == nullptr) {
    GTEST_SKIP() << "runs as the child of FileIngestTest only";
  }
  std::ofstream list(std::getenv("CLEAVE_INGEST_CHILD_LIST"), std::ios::app);
  std::mutex mutex;
  SetCrashPointObserver([&](absl::string_view name) {
    const std::lock_guard lock(mutex);
    list << std::string(name) << std::endl;
  });
  const auto report = IngestFiles(FileInput(folder, kChunkSize).Options("project"), Progress::Silent());
  SetCrashPointObserver(nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
}

class FileIngestTest : public testing::Test {
 protected:
  void SetUp() override {
    random_.seed(TestSeed());
    input_.Make(random_, kExtent);
    expected_ = ContentsOf(input_.Path("from_labels"));
  }

  absl::StatusOr<IngestReport> Run(const std::string& project = "project") const {
    return IngestFiles(input_.Options(project), Progress::Silent());
  }

  // Returns the child's wait status.
  int RunChild(const std::string& crash_at) const {
    const pid_t pid = fork();
    if (pid == 0) {
      setenv("CLEAVE_INGEST_CHILD_FOLDER", folder_.path().c_str(), 1);
      setenv("CLEAVE_INGEST_CHILD_LIST", input_.Path("points").c_str(), 1);
      if (!crash_at.empty()) {
        setenv("CLEAVE_CRASH_AT", crash_at.c_str(), 1);
      }
      if (freopen("/dev/null", "w", stdout) != nullptr) {
        execl("/proc/self/exe", "ingest_test", "--gtest_filter=FileIngestChild.Runs", nullptr);
      }
      _exit(3);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
  }

  std::map<std::string, int> PointsPassed() const {
    std::map<std::string, int> points;
    std::ifstream list(input_.Path("points"));
    for (std::string name; std::getline(list, name);) {
      ++points[name];
    }
    return points;
  }

  [[nodiscard]] std::string EdgePath(ChunkPoint chunk) const {
    return input_.Path(absl::StrCat("edges/", graph::EdgeFiles::FileName(chunk)));
  }
  [[nodiscard]] std::string ComponentsPath(ChunkPoint chunk) const {
    return input_.Path(absl::StrCat("components/", ComponentsFileName(chunk)));
  }

  static std::string ReadBytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Ingests with the file's bytes replaced, expects DATA_LOSS with all of `texts`, mends the file and ingests again.
  void ExpectRefusedThenMended(const std::string& path, const std::string& bytes,
                               const std::vector<std::string>& texts) {
    const std::string original = ReadBytes(path);
    WriteBytes(path, bytes);
    const absl::Status status = Run().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    for (const std::string& text : texts) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    }
    EXPECT_EQ(Dataset::Open(input_.Path("project")).status().code(), absl::StatusCode::kFailedPrecondition);
    WriteBytes(path, original);
    const auto report = Run();
    ASSERT_TRUE(report.ok()) << report.status();
    ExpectSame(expected_, ContentsOf(input_.Path("project")));
    std::filesystem::remove_all(input_.Path("project"));
  }

  // The same with the edges of one chunk changed.
  void ExpectEdgesRefused(ChunkPoint chunk, const std::function<void(ChunkEdges&)>& change,
                          const std::vector<std::string>& texts) {
    ChunkEdges edges = graph::DecodeChunkEdges(ReadBytes(EdgePath(chunk))).value();
    change(edges);
    ExpectRefusedThenMended(EdgePath(chunk), graph::EncodeChunkEdges(edges), texts);
  }

  // A chunk whose file has edges of all kinds, inside the lattice.
  ChunkPoint BusyChunk() const {
    for (const auto& [chunk, edges] : expected_.edges) {
      if (edges.in.size() > 1 && edges.between.size() > 1 && !edges.cross.empty()) {
        return chunk;
      }
    }
    return {-1, -1, -1};
  }

  store::TemporaryFolder folder_;
  FileInput input_{folder_.path(), kChunkSize};
  std::mt19937_64 random_;
  Contents expected_;
};

TEST_F(FileIngestTest, LeavesTheVoxelsOfAnOverlayWhereTheyAre) {
  const auto ids = volume::OpenLabelSource(input_.Path("seg.npy")).value()->ReadBox(BoxAt({}, kExtent));
  ASSERT_TRUE(ids.ok()) << ids.status();
  FileIngestOptions options = input_.Options("project");
  options.base.base = BaseKind::kOverlay;
  options.base.labels = WriteOriginal(input_.Path("original"), *ids, {.chunk_size = kChunkSize});
  const auto before = FilesIn(input_.Path("original"));
  const auto report = IngestFiles(options, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectSame(ContentsOf(input_.Path("project")), expected_);
  EXPECT_EQ(FilesIn(input_.Path("original")), before);
  const auto dataset = Dataset::Open(input_.Path("project"));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_TRUE((*dataset)->meta().original.has_value());
}

TEST_F(FileIngestTest, MakesWhatLabelsMake) {
  const auto report = Run();
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectSame(expected_, ContentsOf(input_.Path("project")));
  // Again: nothing to do, the same report.
  const auto again = Run();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->supervoxels, report->supervoxels);
  EXPECT_EQ(again->edges_between, report->edges_between);
  EXPECT_EQ(again->roots, report->roots);
  ExpectSame(expected_, ContentsOf(input_.Path("project")));
  const auto dataset = Dataset::Open(input_.Path("project"));
  ASSERT_TRUE(dataset.ok());
  EXPECT_TRUE(ReadChunkMarks((*dataset)->table())->empty());
}

TEST_F(FileIngestTest, RandomVolumesOnSeveralThreads) {
  for (int round = 0; round < (SmallTests() ? 2 : 8); ++round) {
    const store::TemporaryFolder folder;
    const Extent3 chunk_size{Random(random_, 4, 40), Random(random_, 4, 20), Random(random_, 3, 12)};
    FileInput input(folder.path(), chunk_size);
    const Extent3 extent{Random(random_, 2, 37), Random(random_, 2, 37), Random(random_, 2, 37)};
    SCOPED_TRACE(absl::StrCat("extent ", ToString(extent), " chunk size ", ToString(chunk_size)));
    input.Make(random_, extent);
    if (!std::filesystem::exists(input.Path("edges")) || std::filesystem::is_empty(input.Path("edges"))) {
      continue;  // a volume of one piece: the field has no file for it
    }
    FileIngestOptions options = input.Options("project");
    options.base.threads = static_cast<int>(Random(random_, 1, 4));
    const auto report = IngestFiles(options, Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
    ExpectSame(ContentsOf(input.Path("from_labels")), ContentsOf(input.Path("project")));
  }
}

TEST_F(FileIngestTest, WithoutComponentsOnlyCrossEdgesHold) {
  FileIngestOptions options = input_.Options("project");
  options.components.clear();
  ASSERT_TRUE(IngestFiles(options, Progress::Silent()).ok());
  const auto dataset = Dataset::Open(input_.Path("project"));
  ASSERT_TRUE(dataset.ok());
  const graph::GraphView view = (*dataset)->Now();
  for (const auto& [chunk, edges] : expected_.edges) {
    for (const Edge& edge : edges.cross) {
      const auto roots = view.Roots(std::vector<NodeId>{edge.node1, edge.node2});
      EXPECT_EQ((*roots)[0], (*roots)[1]);
    }
    for (const Edge& edge : edges.in) {
      const auto parents = view.Parents(std::vector<NodeId>{edge.node1, edge.node2});
      EXPECT_NE((*parents)[0], (*parents)[1]);
    }
  }
}

// Kills at the first, a middle and the last passing of each point; and twice in a row before the run that ends.
TEST_F(FileIngestTest, KilledAnywhereAndRunAgain) {
  ASSERT_EQ(RunChild(""), 0);
  ExpectSame(expected_, ContentsOf(input_.Path("project")));
  const std::map<std::string, int> points = PointsPassed();
  EXPECT_GE(points.size(), 8u);
  for (const auto& [name, count] : points) {
    for (const int arrival : std::set<int>{1, SmallTests() ? 1 : (count + 1) / 2, SmallTests() ? 1 : count}) {
      SCOPED_TRACE(absl::StrCat(name, ":", arrival));
      std::filesystem::remove_all(input_.Path("project"));
      const int status = RunChild(absl::StrCat(name, ":", arrival));
      ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
      const absl::StatusCode opened = Dataset::Open(input_.Path("project")).status().code();
      EXPECT_TRUE(opened == absl::StatusCode::kFailedPrecondition || opened == absl::StatusCode::kNotFound ||
                  opened == absl::StatusCode::kOk)
          << opened;
      RunChild("ingest.rows_written:2");
      const auto report = Run();
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_EQ(report->l2_nodes, [&] {
        int64_t nodes = 0;
        for (const table::Row& row : expected_.rows) {
          nodes += row.key.starts_with("001") && (std::stoull(row.key) >> 56) == graph::kL2Layer ? 1 : 0;
        }
        return nodes;
      }());
      ExpectSame(expected_, ContentsOf(input_.Path("project")));
    }
  }
}

TEST_F(FileIngestTest, DamagedFiles) {
  const ChunkPoint chunk = BusyChunk();
  ASSERT_GE(chunk.x, 0);
  const std::string where = absl::StrCat("chunk ", ToString(chunk));
  const std::string edges = ReadBytes(EdgePath(chunk));
  const std::string edge_name = graph::EdgeFiles::FileName(chunk);
  ExpectRefusedThenMended(EdgePath(chunk), edges.substr(0, edges.size() / 2), {where, edge_name, "cut short"});
  ExpectRefusedThenMended(EdgePath(chunk), "no zstd", {where, edge_name, "zstd"});
  const std::string components = ReadBytes(ComponentsPath(chunk));
  const std::string name = ComponentsFileName(chunk);
  ExpectRefusedThenMended(ComponentsPath(chunk), components.substr(0, components.size() / 2),
                          {where, name, "cut short"});
  ExpectRefusedThenMended(ComponentsPath(chunk), EncodeComponents(std::vector<Component>{{NodeId{5}}}),
                          {where, name, "5, which is no supervoxel"});
  const NodeId supervoxel = expected_.edges.at(chunk).in.front().node1;
  ExpectRefusedThenMended(ComponentsPath(chunk), EncodeComponents(std::vector<Component>{{supervoxel}, {supervoxel}}),
                          {where, name, "stands in the components 0 and 1"});
}

TEST_F(FileIngestTest, EdgesThatCannotBe) {
  const ChunkPoint chunk = BusyChunk();
  ASSERT_GE(chunk.x, 0);
  const auto layout = IdLayout::Create(BoxAt({}, kExtent), kChunkSize).value();
  const std::string where = absl::StrCat("chunk ", ToString(chunk));
  const NodeId missing = layout.MakeNode({graph::kSupervoxelLayer, chunk}, graph::Segment{99999});
  ExpectEdgesRefused(chunk, [&](ChunkEdges& e) { e.in[1].node2 = missing; },
                     {where, "in-chunk edge 1", absl::StrCat("no voxel of supervoxel ", Value(missing))});
  ExpectEdgesRefused(chunk, [&](ChunkEdges& e) { e.between[0].node1 = missing; },
                     {where, "between-chunk edge 0", absl::StrCat("no voxel of supervoxel ", Value(missing))});
  ExpectEdgesRefused(chunk, [](ChunkEdges& e) { std::swap(e.between[0].node1, e.between[0].node2); },
                     {where, "wrong order"});
  ExpectEdgesRefused(chunk, [](ChunkEdges& e) { e.between.push_back(e.in[0]); }, {where, "does not leave the chunk"});
  ExpectEdgesRefused(chunk, [](ChunkEdges& e) { e.in.push_back(e.cross[0]); }, {where, "its second end lies in chunk"});
  ExpectEdgesRefused(chunk, [](ChunkEdges& e) { e.in[0].node2 = NodeId{Value(e.in[0].node2) + (uint64_t{1} << 56)}; },
                     {where, "no supervoxel: its layer is 2"});
  ExpectEdgesRefused(chunk,
                     [](ChunkEdges& e) { e.cross[0].node2 = NodeId{Value(e.cross[0].node2) | (uint64_t{500} << 46)}; },
                     {where, "cross-chunk edge 0"});
  ExpectEdgesRefused(chunk, [](ChunkEdges& e) { e.in[0].node2 = e.in[0].node1; }, {where, "with itself"});
  ExpectEdgesRefused(chunk, [](ChunkEdges& e) { e.in[0].affinity = std::nanf(""); }, {where, "its affinity is nan"});
}

TEST_F(FileIngestTest, NeighboursThatDisagree) {
  const ChunkPoint chunk = BusyChunk();
  ASSERT_GE(chunk.x, 0);
  const std::string where = "neighbours disagree";
  ExpectEdgesRefused(chunk, [](ChunkEdges& e) { e.between.erase(e.between.begin()); },
                     {where, absl::StrCat("but not in ", graph::EdgeFiles::FileName(chunk))});
  ExpectEdgesRefused(chunk, [](ChunkEdges& e) { e.between[0].affinity += 1; }, {where, "of affinity"});
  ExpectEdgesRefused(chunk,
                     [](ChunkEdges& e) {
                       e.between.push_back(e.cross[0]);
                       e.cross.erase(e.cross.begin());
                     },
                     {where, "a cross-chunk edge on one side"});
  // An end of an edge that exists on no side: the other chunk has no such supervoxel.
  ExpectEdgesRefused(chunk, [](ChunkEdges& e) { e.between[0].node2 = NodeId{Value(e.between[0].node2) + 5000}; },
                     {where, absl::StrCat(" stands in ", graph::EdgeFiles::FileName(chunk), ", but not in ")});
  // One chunk joins what its neighbour does not.
  Component joined;
  for (const Edge& edge : expected_.edges.at(chunk).between) {
    joined.insert(joined.end(), {edge.node1, edge.node2});
  }
  std::vector<Component> all = {joined};
  std::vector<Component> none;
  const bool some_inactive = ReadBytes(ComponentsPath(chunk)) != EncodeComponents(all);
  ASSERT_TRUE(some_inactive);
  ExpectRefusedThenMended(ComponentsPath(chunk), EncodeComponents(all), {where, "joins the ends of edge"});
}

TEST_F(FileIngestTest, VoxelsThatAreNoSupervoxelsOfTheirChunk) {
  const std::string path = input_.Path("seg.npy");
  const std::string original = ReadBytes(path);
  std::string changed = original;
  const uint64_t id = 77;
  changed.replace(changed.size() - 8, 8, std::string(reinterpret_cast<const char*>(&id), 8));
  ExpectRefusedThenMended(path, changed, {"chunk 3,2,2", "holds 77", "cleave init"});
  changed = original;
  changed.replace(changed.size() - 8, 8, [&] {
    const uint64_t foreign = *std::ranges::find_if(expected_.voxels, [](uint64_t v) { return v != 0; });
    return std::string(reinterpret_cast<const char*>(&foreign), 8);
  }());
  ExpectRefusedThenMended(path, changed, {"chunk 3,2,2", "a supervoxel of chunk"});
}

TEST_F(FileIngestTest, RequestsThatCannotBeMet) {
  FileIngestOptions options = input_.Options("project");
  options.edges = input_.Path("nowhere");
  EXPECT_EQ(IngestFiles(options, Progress::Silent()).status().code(), absl::StatusCode::kNotFound);
  options = input_.Options("project");
  options.components = input_.Path("edges");
  EXPECT_EQ(IngestFiles(options, Progress::Silent()).status().code(), absl::StatusCode::kNotFound);
  // A file of a chunk that the volume does not have.
  WriteBytes(input_.Path("edges/edges_9_0_0.proto.zst"), "");
  const absl::Status outside = Run().status();
  EXPECT_EQ(outside.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(outside.message()), HasSubstr("edges_9_0_0.proto.zst: chunk 9,0,0 is outside"));
  std::filesystem::remove(input_.Path("edges/edges_9_0_0.proto.zst"));
  EXPECT_FALSE(std::filesystem::exists(input_.Path("project/project.json")));
  // Another request may not go on with a project.
  ASSERT_TRUE(Run().ok());
  options = input_.Options("project");
  options.components.clear();
  EXPECT_EQ(IngestFiles(options, Progress::Silent()).status().code(), absl::StatusCode::kFailedPrecondition);
  options = input_.Options("project");
  options.base.graph_id = "other";
  EXPECT_EQ(IngestFiles(options, Progress::Silent()).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(IngestFiles(input_.Options("from_labels"), Progress::Silent()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace cleave::ingest
