// Goal: the project that ingest makes holds exactly the supervoxels, edges and roots that the definitions say, in every
// layer, and still does when it is opened again; requests that cannot be met are refused with a message that helps.
// Method: random small volumes of odd sizes, offsets and chunk sizes, with and without agglomeration and fusing,
// against the plain model of oracle_testing.h. The random seed is printed and taken from CLEAVE_TEST_SEED.
#include "ingest/ingest.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/test_scale.h"
#include "graph/dataset.h"
#include "ingest/fuse.h"
#include "ingest/oracle_testing.h"
#include "store/temporary_folder.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/table.h"
#include "volume/label_source.h"
#include "volume/npy.h"
#include "volume/test_labels.h"
#include "volume/volume.h"

namespace cleave::ingest {
namespace {

using graph::ChunkAddress;
using graph::CrossEdges;
using graph::Dataset;
using graph::EdgeEnds;
using graph::GraphView;
using graph::IdLayout;
using graph::NodeId;
using testing::HasSubstr;
using volume::Random;
using volume::TestSeed;

// One project and the model it must be like.
class Comparison {
 public:
  Comparison(Dataset& dataset, const Oracle& oracle)
      : dataset_(dataset), layout_(dataset.layout()), view_(dataset.Now()), oracle_(oracle) {}

  void ExpectAll() {
    ExpectVoxels();
    ExpectEdgeFiles();
    ExpectRoots();
    ExpectHierarchy();
    ExpectFreshIds();
  }

 private:
  void ExpectVoxels() {
    const auto voxels = dataset_.segmentation().ReadBox(0, layout_.volume());
    ASSERT_TRUE(voxels.ok()) << voxels.status();
    EXPECT_TRUE(std::equal(voxels->data(), voxels->data() + voxels->size(), oracle_.ids().data()));
  }

  // The weights of an edge of the model, as ingest must store them.
  graph::Edge Expected(const Ends& ends, const OracleEdge& edge) const {
    const VoxelSizeNm& nm = dataset_.meta().voxel_size_nm;
    const double um2 =
        1e-6 * (static_cast<double>(edge.faces[0]) * nm.y * nm.z + static_cast<double>(edge.faces[1]) * nm.x * nm.z +
                static_cast<double>(edge.faces[2]) * nm.x * nm.y);
    const auto area = static_cast<uint64_t>(edge.faces[0] + edge.faces[1] + edge.faces[2]);
    return {NodeId{ends.first}, NodeId{ends.second}, edge.cross ? graph::kInfiniteAffinity : static_cast<float>(um2),
            edge.cross ? 1 : area};
  }

  void ExpectEdgeFiles() {
    std::map<Ends, int> inside;
    std::map<Ends, int> between;
    std::map<Ends, int> cross;
    for (const ChunkPoint chunk : layout_.ChunksOverlapping(layout_.volume())) {
      const auto edges = dataset_.edges().Read(chunk);
      ASSERT_TRUE(edges.ok()) << edges.status();
      Collect(edges->in, chunk, inside);
      Collect(edges->between, chunk, between);
      Collect(edges->cross, chunk, cross);
    }
    size_t expected_edges = 0;
    for (const auto& [ends, edge] : oracle_.edges()) {
      const bool same_chunk = layout_.ChunkOf(NodeId{ends.first}) == layout_.ChunkOf(NodeId{ends.second});
      const std::map<Ends, int>& found = same_chunk ? inside : edge.cross ? cross : between;
      const auto count = found.find(ends);
      ASSERT_NE(count, found.end()) << ends.first << '-' << ends.second;
      EXPECT_EQ(count->second, same_chunk ? 1 : 2);
      ++expected_edges;
    }
    EXPECT_EQ(inside.size() + between.size() + cross.size(), expected_edges);
  }

  void Collect(const std::vector<graph::Edge>& edges, ChunkPoint chunk, std::map<Ends, int>& found) {
    for (const graph::Edge& edge : edges) {
      EXPECT_EQ(layout_.ChunkOf(edge.node1).position, chunk);
      const Ends ends = std::minmax(Value(edge.node1), Value(edge.node2));
      ++found[ends];
      const auto model = oracle_.edges().find(ends);
      ASSERT_NE(model, oracle_.edges().end()) << ends.first << '-' << ends.second << " touch in no voxel";
      const graph::Edge expected = Expected(ends, model->second);
      EXPECT_EQ(edge.area, expected.area);
      EXPECT_FLOAT_EQ(edge.affinity, expected.affinity);
    }
  }

  void ExpectRoots() {
    const std::vector<NodeId> supervoxels =
        graph::ToNodeIds({oracle_.supervoxels().begin(), oracle_.supervoxels().end()});
    const auto roots = view_.Roots(supervoxels);
    ASSERT_TRUE(roots.ok()) << roots.status();
    std::map<NodeId, std::set<uint64_t>> objects;
    for (size_t i = 0; i < supervoxels.size(); ++i) {
      ASSERT_NE((*roots)[i], NodeId{}) << "supervoxel " << Value(supervoxels[i]) << " has no root";
      objects[(*roots)[i]].insert(Value(supervoxels[i]));
    }
    std::set<std::set<uint64_t>> found;
    for (const auto& [root, members] : objects) {
      roots_.insert(root);
      found.insert(members);
    }
    EXPECT_EQ(found, oracle_.objects());
  }

  // Walks down from the roots: parents and children agree, chunks nest, cross edges are those of the leaves, and
  // nothing else is in the table.
  void ExpectHierarchy() {
    size_t nodes = 0;
    std::set<NodeId> leaves;
    std::vector<NodeId> open(roots_.begin(), roots_.end());
    while (!open.empty()) {
      const NodeId node = open.back();
      open.pop_back();
      ASSERT_TRUE(layout_.Validate(node).ok()) << layout_.Validate(node);
      if (layout_.LayerOf(node) == graph::kSupervoxelLayer) {
        EXPECT_TRUE(leaves.insert(node).second) << Value(node) << " has two parents";
        continue;
      }
      ++nodes;
      const auto children = view_.Children(std::vector<NodeId>{node});
      ASSERT_TRUE(children.ok()) << children.status();
      ExpectNode(node, (*children)[0]);
      open.insert(open.end(), (*children)[0].begin(), (*children)[0].end());
    }
    EXPECT_EQ(leaves.size(), oracle_.supervoxels().size());
    EXPECT_EQ(nodes, NodesInTable());
  }

  void ExpectNode(NodeId node, const std::vector<NodeId>& children) {
    ASSERT_FALSE(children.empty());
    const int layer = layout_.LayerOf(node);
    const auto parents = view_.Parents(children);
    ASSERT_TRUE(parents.ok());
    for (size_t i = 0; i < children.size(); ++i) {
      EXPECT_EQ((*parents)[i], node);
      EXPECT_LT(layout_.LayerOf(children[i]), layer);
      EXPECT_EQ(layout_.AncestorChunk(layout_.ChunkOf(children[i]), layer), layout_.ChunkOf(node));
    }
    const auto cross_edges = view_.CrossEdgesOf(std::vector<NodeId>{node});
    ASSERT_TRUE(cross_edges.ok());
    EXPECT_EQ(Sorted((*cross_edges)[0]), CrossEdgesOfLeaves(node)) << Value(node);
    if (children.size() == 1 && layer > graph::kL2Layer && layer < layout_.layer_count()) {
      EXPECT_TRUE((*cross_edges)[0].contains(layer)) << "node " << Value(node) << " skips too few layers";
    }
  }

  static CrossEdges Sorted(CrossEdges edges) {
    for (auto& [layer, ends] : edges) {
      std::ranges::sort(ends);
    }
    return edges;
  }

  CrossEdges CrossEdgesOfLeaves(NodeId node) const {
    const auto leaves = view_.Leaves(node, std::nullopt);
    EXPECT_TRUE(leaves.ok());
    const std::set<NodeId> own(leaves->begin(), leaves->end());
    CrossEdges expected;
    for (const auto& [ends, edge] : oracle_.edges()) {
      const EdgeEnds forward{NodeId{ends.first}, NodeId{ends.second}};
      const int layer = layout_.EdgeLayer(forward.node1, forward.node2);
      if (!edge.active || layer < layout_.LayerOf(node)) {
        continue;
      }
      for (const EdgeEnds& e : {forward, forward.Reversed()}) {
        if (own.contains(e.node1)) {
          expected[layer].push_back(e);
        }
      }
    }
    return Sorted(expected);
  }

  size_t NodesInTable() const {
    const auto rows = dataset_.table().ReadRange({.begin = "0", .end = "9"},
                                                 {.columns = {table::columns::kChild}, .cells_per_column = 0}, 0);
    EXPECT_TRUE(rows.ok());
    for (const table::Row& row : *rows) {
      EXPECT_EQ(row.Newest(table::columns::kChild)->time, dataset_.meta().ingested);
    }
    return rows->size();
  }

  // Ids given out from now on are new in every chunk of every layer.
  void ExpectFreshIds() {
    for (int layer = graph::kSupervoxelLayer; layer <= layout_.layer_count(); ++layer) {
      const ChunkPoint counts = layout_.ChunkCounts(layer);
      const ChunkAddress last{layer, {counts.x - 1, counts.y - 1, counts.z - 1}};
      const auto fresh = dataset_.ids().NewNodes(last, 1);
      ASSERT_TRUE(fresh.ok()) << fresh.status();
      EXPECT_FALSE(oracle_.supervoxels().contains(Value((*fresh)[0])));
      const auto row = dataset_.table().ReadRow(table::NodeRowKey(Value((*fresh)[0])), {});
      ASSERT_TRUE(row.ok());
      EXPECT_TRUE(row->cells.empty());
    }
  }

  Dataset& dataset_;
  const IdLayout& layout_;
  const GraphView view_;
  const Oracle& oracle_;
  std::set<NodeId> roots_;
};

class IngestTest : public testing::Test {
 protected:
  [[nodiscard]] std::string Path(const std::string& name) const { return absl::StrCat(folder_.path(), "/", name); }
  void WriteFile(const std::string& name, const std::string& text) const { std::ofstream(Path(name)) << text; }

  IngestOptions Options() const {
    IngestOptions options;
    options.project_folder = Path("project");
    options.labels = Path("labels.npy");
    options.voxel_size_nm = VoxelSizeNm{8, 8, 40};
    options.chunk_size = {16, 16, 16};
    return options;
  }

  // Ingests `labels` and compares the project with the model, now and opened again.
  void ExpectLikeOracle(const Array3<uint64_t>& labels, const IngestOptions& options, const LabelMap& map) {
    const auto source = volume::MakeArraySource(labels, {5, -6, 7}, std::nullopt);
    const auto report = IngestFrom(*source, options, Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
    Array3<uint64_t> fused = labels;
    map.FuseInPlace(fused.view());
    for (int round = 0; round < 2; ++round) {
      const auto dataset = Dataset::Open(options.project_folder);
      ASSERT_TRUE(dataset.ok()) << dataset.status();
      const VoxelPoint offset = options.voxel_offset.value_or(VoxelPoint{5, -6, 7});
      EXPECT_EQ((*dataset)->meta().volume, BoxAt(offset, labels.extent()));
      const Oracle oracle((*dataset)->layout(), fused, [&](uint64_t label) { return map.Object(label); });
      Comparison(**dataset, oracle).ExpectAll();
      ExpectReport(*report, oracle, (*dataset)->layout());
    }
    std::filesystem::remove_all(options.project_folder);
  }

  static void ExpectReport(const IngestReport& report, const Oracle& oracle, const IdLayout& layout) {
    int64_t inside = 0;
    int64_t between = 0;
    int64_t cross = 0;
    for (const auto& [ends, edge] : oracle.edges()) {
      ++(layout.EdgeLayer(NodeId{ends.first}, NodeId{ends.second}) == 1 ? inside : edge.cross ? cross : between);
    }
    EXPECT_EQ(report.voxels, oracle.ids().size());
    EXPECT_EQ(report.supervoxels, static_cast<int64_t>(oracle.supervoxels().size()));
    EXPECT_EQ(report.edges_inside, inside);
    EXPECT_EQ(report.edges_between, between);
    EXPECT_EQ(report.edges_cross, cross);
    EXPECT_EQ(report.roots, static_cast<int64_t>(oracle.objects().size()));
  }

  store::TemporaryFolder folder_;
};

TEST_F(IngestTest, RandomVolumesAreLikeTheModel) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 12; ++round) {
    const Extent3 extent{Random(random, 1, 37), Random(random, 1, 37), Random(random, 1, 37)};
    const Array3<uint64_t> labels = RandomBlobs(random, extent);
    IngestOptions options = Options();
    options.chunk_size = {Random(random, 3, 40), Random(random, 3, 20), Random(random, 2, 12)};
    options.threads = static_cast<int>(Random(random, 1, 4));
    if (round % 3 != 0) {
      options.voxel_offset =
          VoxelPoint{Random(random, -100, 100), Random(random, -100, 100), Random(random, -100, 100)};
    }
    SCOPED_TRACE(absl::StrCat("extent ", ToString(extent), " chunk size ", ToString(options.chunk_size)));
    std::vector<LabelObject> agglomeration;
    if (round % 2 == 1) {
      std::string text = "# a random agglomeration\n";
      for (uint64_t label = (uint64_t{1} << 40); label < (uint64_t{1} << 40) + 20; ++label) {
        agglomeration.push_back({label, 1 + random() % 6});
        absl::StrAppend(&text, label, ",", agglomeration.back().object, "\n");
      }
      WriteFile("agglomeration.csv", text);
      options.agglomeration_file = Path("agglomeration.csv");
    }
    const std::set<uint64_t> present(labels.data(), labels.data() + labels.size());
    std::vector<uint64_t> candidates(present.begin(), present.end());
    std::erase(candidates, 0);
    if (round % 4 >= 2 && candidates.size() >= 3) {
      std::ranges::shuffle(candidates, random);
      options.fuse = {{candidates[0], candidates[1]}, {candidates[2], candidates[1]}};
    }
    const auto map = LabelMap::Create(options.fuse, agglomeration);
    ASSERT_TRUE(map.ok());
    ExpectLikeOracle(labels, options, *map);
  }
}

TEST_F(IngestTest, OneVoxel) { ExpectLikeOracle(Array3<uint64_t>(Extent3{1, 1, 1}, 9), Options(), {}); }

TEST_F(IngestTest, NothingButBackground) { ExpectLikeOracle(Array3<uint64_t>(Extent3{20, 20, 20}, 0), Options(), {}); }

// One label that fills everything: cross edges on all 26 sides of a chunk, one root over many layers.
TEST_F(IngestTest, OneLabelInManyChunks) {
  IngestOptions options = Options();
  options.chunk_size = {2, 3, 4};
  ExpectLikeOracle(Array3<uint64_t>(Extent3{10, 11, 12}, 9), options, {});
}

// Two far corners: their nodes skip all layers between L2 and the roots.
TEST_F(IngestTest, LonelySupervoxelsSkipLayers) {
  Array3<uint64_t> labels(Extent3{32, 32, 32});
  labels[{0, 0, 0}] = 1;
  labels[{31, 31, 31}] = 2;
  IngestOptions options = Options();
  options.chunk_size = {4, 4, 4};
  ExpectLikeOracle(labels, options, {});
}

TEST_F(IngestTest, RealNeuropil) {
  const std::string path = volume::DataFile("pinky40_neuropil_8x8x40_128x128x128_u32.npy.zst");
  if (path.empty()) {
    GTEST_SKIP() << "the pinky40 cutout is not there";
  }
  const auto source = volume::OpenLabelSource(path);
  ASSERT_TRUE(source.ok()) << source.status();
  const Box box = SmallTests() ? BoxAt((*source)->bounds().lo, {64, 64, 40}) : (*source)->bounds();
  const auto labels = (*source)->ReadBox(box);
  ASSERT_TRUE(labels.ok()) << labels.status();
  // Fused: the two labels with the largest contact. One object: another touching pair and some third label.
  const std::vector<TouchingPair> pairs = TouchingPairs(labels->view(), *Options().voxel_size_nm);
  ASSERT_GT(pairs.size(), 10u);
  IngestOptions options = Options();
  options.chunk_size = {48, 64, 32};
  options.fuse = {{pairs.front().a, pairs.front().b}};
  WriteFile("agglomeration.csv", absl::StrCat(pairs[1].a, ",1\n", pairs[1].b, ",1\n", pairs[7].b, ",1\n"));
  options.agglomeration_file = Path("agglomeration.csv");
  const auto agglomeration = ReadAgglomeration(options.agglomeration_file);
  ASSERT_TRUE(agglomeration.ok());
  const auto map = LabelMap::Create(options.fuse, *agglomeration);
  ASSERT_TRUE(map.ok());
  ExpectLikeOracle(*labels, options, *map);
}

TEST_F(IngestTest, IdsDoNotDependOnThreads) {
  std::mt19937_64 random(TestSeed());
  const auto source = volume::MakeArraySource(RandomBlobs(random, {40, 40, 40}), {}, VoxelSizeNm{1, 1, 1});
  std::vector<std::vector<table::Row>> tables;
  for (const int threads : {1, 4}) {
    IngestOptions options = Options();
    options.project_folder = Path(absl::StrCat("threads", threads));
    options.chunk_size = {8, 8, 8};
    options.threads = threads;
    ASSERT_TRUE(IngestFrom(*source, options, Progress::Silent()).ok());
    const auto dataset = Dataset::Open(options.project_folder);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    const auto rows = (*dataset)->table().ReadRange({.begin = "0", .end = "9"}, {}, 0);
    ASSERT_TRUE(rows.ok());
    tables.push_back(*rows);
  }
  ASSERT_EQ(tables[0].size(), tables[1].size());
  for (size_t i = 0; i < tables[0].size(); ++i) {
    EXPECT_EQ(tables[0][i].key, tables[1][i].key);
    for (const auto& [column, cells] : tables[0][i].cells) {
      const table::Cell* other = tables[1][i].Newest(column);
      ASSERT_NE(other, nullptr);
      EXPECT_EQ(cells[0].value, other->value);
    }
  }
}

TEST_F(IngestTest, ReadsAFileAndDescribesTheVolume) {
  std::mt19937_64 random(TestSeed());
  const Array3<uint64_t> labels = RandomBlobs(random, {33, 20, 17});
  ASSERT_TRUE(volume::WriteNpy<uint64_t>(Path("labels.npy"), labels.view()).ok());
  const auto report = Ingest(Options(), Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->chunks, 3 * 2 * 2);
  const auto dataset = Dataset::Open(Options().project_folder);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const volume::Info& info = (*dataset)->segmentation().info();
  EXPECT_EQ(info.scales[0].key, "8_8_40");
  EXPECT_EQ(info.scales[0].encoding, volume::Encoding::kCompressedSegmentation);
  EXPECT_THAT((*dataset)->KvStoreSpec(), HasSubstr("ocdbt"));
}

// --- Requests that cannot be met ---

class IngestRefusal : public IngestTest {
 protected:
  // Expects this refusal, and that no project was begun.
  void ExpectRefused(const IngestOptions& options, absl::StatusCode code, const std::string& message) const {
    const auto source = volume::MakeArraySource(Array3<uint64_t>(Extent3{8, 8, 8}, 3), {}, std::nullopt);
    const absl::Status status = IngestFrom(*source, options, Progress::Silent()).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_FALSE(std::filesystem::exists(Path("project/project.json")));
  }
};

TEST_F(IngestRefusal, LabelsThatCannotBeRead) {
  EXPECT_EQ(Ingest(Options(), Progress::Silent()).status().code(), absl::StatusCode::kNotFound);
  WriteFile("labels.npy", "no array");
  EXPECT_EQ(Ingest(Options(), Progress::Silent()).status().code(), absl::StatusCode::kInvalidArgument);
  std::string npy("\x93NUMPY\x01\x00\x76\x00", 10);
  npy += "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1, 1), }";
  npy.resize(127, ' ');
  WriteFile("labels.npy", npy + "\n" + std::string(4, '\0'));
  const absl::Status status = Ingest(Options(), Progress::Silent()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("<f4"));
}

TEST_F(IngestRefusal, ChunkSizes) {
  IngestOptions options = Options();
  options.chunk_size = {16, 0, 16};
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, "chunk size 16,0,16");
  options.chunk_size = {-1, 16, 16};
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, "chunk size -1,16,16");
}

TEST_F(IngestRefusal, ChunksTooLargeForMemory) {
  // A volume that is not in memory: only its bounds are asked for.
  class Vast : public volume::LabelSource {
    [[nodiscard]] Box bounds() const override { return BoxAt({}, {100000, 100000, 100000}); }
    [[nodiscard]] std::optional<VoxelSizeNm> voxel_size_nm() const override { return std::nullopt; }
    [[nodiscard]] absl::StatusOr<Array3<uint64_t>> ReadBox(const Box&) const override {
      return absl::InternalError("not to be read");
    }
    [[nodiscard]] std::string Describe() const override { return "vast"; }
  };
  IngestOptions options = Options();
  options.chunk_size = {1024, 1024, 1024};
  const absl::Status status = IngestFrom(Vast(), options, Progress::Silent()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("too large"));
}

TEST_F(IngestRefusal, OptionsOutOfRange) {
  IngestOptions options = Options();
  options.voxel_size_nm.reset();
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, "how large a voxel is");
  options.voxel_size_nm = VoxelSizeNm{8, 0, 40};
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, "voxel size 8,0,40");
  options = Options();
  options.voxel_offset = VoxelPoint{0, INT64_MIN, 0};
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, "voxel offset");
  options = Options();
  options.threads = 0;
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, "0 threads");
  options = Options();
  options.graph_id = "a/b";
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, "'a/b' cannot be a graph id");
}

TEST_F(IngestRefusal, LabelsToFuse) {
  IngestOptions options = Options();
  options.fuse = {{3, 77}};
  ExpectRefused(options, absl::StatusCode::kNotFound, "no label 77");
  options.fuse = {{3, 3}};
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, "two different labels");
}

TEST_F(IngestRefusal, Agglomeration) {
  IngestOptions options = Options();
  options.agglomeration_file = Path("agglomeration.csv");
  ExpectRefused(options, absl::StatusCode::kNotFound, "agglomeration.csv");
  WriteFile("agglomeration.csv", "3,4\nthree,4\n");
  ExpectRefused(options, absl::StatusCode::kInvalidArgument, "line 2");
}

TEST_F(IngestRefusal, FolderThatHoldsSomething) {
  std::filesystem::create_directory(Path("project"));
  WriteFile("project/letter.txt", "dear reader");
  ExpectRefused(Options(), absl::StatusCode::kAlreadyExists, "not an empty folder");
  EXPECT_TRUE(std::filesystem::exists(Path("project/letter.txt")));
}

TEST_F(IngestRefusal, FolderThatHoldsAProject) {
  const auto source = volume::MakeArraySource(Array3<uint64_t>(Extent3{8, 8, 8}, 3), {}, std::nullopt);
  ASSERT_TRUE(IngestFrom(*source, Options(), Progress::Silent()).ok());
  const absl::Status status = IngestFrom(*source, Options(), Progress::Silent()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("holds a Cleave project already"));
  EXPECT_TRUE(Dataset::Open(Options().project_folder).ok());
}

// A source that fails in the middle, as a disk or a network does.
TEST_F(IngestRefusal, AnIngestThatFailsLeavesNothing) {
  class Failing : public volume::LabelSource {
   public:
    [[nodiscard]] Box bounds() const override { return BoxAt({}, {40, 40, 40}); }
    [[nodiscard]] std::optional<VoxelSizeNm> voxel_size_nm() const override { return std::nullopt; }
    [[nodiscard]] absl::StatusOr<Array3<uint64_t>> ReadBox(const Box& box) const override {
      if (box.lo.z > 16) {
        return absl::UnavailableError("the network is gone");
      }
      return Array3<uint64_t>(box.extent(), 5);
    }
    [[nodiscard]] std::string Describe() const override { return "failing"; }
  };
  const std::string folder = Options().project_folder;
  EXPECT_EQ(IngestFrom(Failing(), Options(), Progress::Silent()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(folder));
  std::filesystem::create_directory(folder);
  EXPECT_EQ(IngestFrom(Failing(), Options(), Progress::Silent()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_empty(folder)) << "a folder that was there stays";
}

}  // namespace
}  // namespace cleave::ingest
