// Goal: a dataset file says what its author meant, or which line is wrong; what is stored of it is read alike anywhere.
// Method: one file with every key, the shortest ones, and a table of wrong ones with what the message must name.
#include "ingest/dataset_file.h"

#include <fstream>

#include "gmock/gmock.h"

#include "store/temporary_folder.h"

namespace cleave::ingest {
namespace {

using testing::HasSubstr;

constexpr char kAll[] = R"(
project: demo
time: 2026-01-31T12:00:00.25+01:00
graph:
  id: g1
  chunk-size: [256, 128, 64]
  edges: /data/edges
  components: https://host/components/
voxels:
  segmentation: ../seg/labels.npy
  resolution: [8, 8, 40.5]
  offset: [-4, 0, 7]
  base: overlay
  scales: 3
jobs: {chunks: 4, redis: "redis://:secret@host:7000/3"}
mesh:
  dir: meshes
  max_layer: 6
  lods: [1, 2]
)";

TEST(DatasetFile, ReadsEveryKey) {
  const auto dataset = ParseDatasetFile(kAll, "/home/ana");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const IngestOptions& base = dataset->options.base;
  EXPECT_EQ(base.project_folder, "/home/ana/demo");
  EXPECT_EQ(dataset->time, absl::FromUnixMillis(1769857200250));
  EXPECT_EQ(base.graph_id, "g1");
  EXPECT_EQ(base.chunk_size, (Extent3{256, 128, 64}));
  EXPECT_EQ(dataset->options.edges, "/data/edges");
  EXPECT_EQ(dataset->options.components, "https://host/components/");
  EXPECT_EQ(base.labels, "/home/seg/labels.npy");
  EXPECT_EQ(base.voxel_size_nm, (VoxelSizeNm{8, 8, 40.5}));
  EXPECT_EQ(base.voxel_offset, (VoxelPoint{-4, 0, 7}));
  EXPECT_EQ(base.base, BaseKind::kOverlay);
  EXPECT_EQ(base.scales, 3);
  EXPECT_EQ(dataset->chunks_per_job, 4);
  EXPECT_EQ(dataset->redis, "redis://:secret@host:7000/3");
  EXPECT_EQ(dataset->mesh, R"({"dir":"meshes","max_layer":"6","lods":["1","2"]})");
  const std::string stored = EncodeDatasetFile(*dataset);
  const auto again = ParseDatasetFile(stored, "/elsewhere");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(EncodeDatasetFile(*again), stored);
  EXPECT_EQ(again->options.base.labels, base.labels);
}

TEST(DatasetFile, NeedsLittle) {
  const auto dataset = ParseDatasetFile(
      "project: /p\nvoxels: {segmentation: a.npy}\ngraph: {fuse: [[1, 2], [18446744073709551615, 4]], agglomeration: "
      "o.csv}\n",
      "/d");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_FALSE(dataset->from_chunk_files());
  EXPECT_FALSE(dataset->time.has_value());
  ASSERT_EQ(dataset->options.base.fuse.size(), 2u);
  EXPECT_EQ(dataset->options.base.fuse[1].a, UINT64_MAX);
  EXPECT_EQ(dataset->options.base.agglomeration_file, "/d/o.csv");
  EXPECT_EQ(dataset->options.base.chunk_size, IngestOptions().chunk_size);
}

TEST(DatasetFile, SaysWhatIsWrongAndWhere) {
  const std::string begin = "project: /p\nvoxels:\n  segmentation: a.npy\n";
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"", {"map"}},
      {"[1", {"line 1"}},
      {"project: /p\n", {"the file lacks 'voxels'"}},
      {"project: /p\nvoxels: {base: copy}\n", {"line 2", "voxels lacks 'segmentation'"}},
      {begin + "project: /q\n", {"line 4", "'project' stands there twice"}},
      {begin + "graphs: {}\n", {"line 4", "the file has no key 'graphs'"}},
      {begin + "graph:\n  chunksize: [1, 2, 3]\n", {"line 5", "graph has no key 'chunksize'"}},
      {begin + "graph:\n  chunk-size: [1, 2]\n", {"line 5", "chunk-size", "[x, y, z]"}},
      {begin + "graph:\n  chunk-size: [1, 2, x]\n", {"line 5", "whole number"}},
      {begin + "graph: 7\n", {"line 4", "graph is to be a map"}},
      {begin + "  scales: 99\n", {"line 4", "from 1 to 24"}},
      {begin + "  base: mirror\n", {"line 4", "'copy' or 'overlay'"}},
      {begin + "  resolution: [8, 8, inf]\n", {"line 4", "three numbers"}},
      {begin + "time: noon\n", {"line 4", "2026-01-31T12:00:00Z"}},
      {begin + "jobs: {chunks: 0}\n", {"line 4", "from 1"}},
      {begin + "mesh: none\n", {"line 4", "map"}},
      {begin + "graph:\n  fuse: [[1]]\n", {"line 5", "pairs"}},
      {begin + "graph: {edges: /e}\n", {"graph lacks 'chunk-size'"}},
      {begin + "graph: {components: /c}\n", {"'components' without 'edges'"}},
      {begin + "graph: {edges: /e, chunk-size: [8, 8, 8], fuse: [[1, 2]]}\n", {"are for labels"}}};
  for (const auto& [text, says] : cases) {
    const absl::Status status = ParseDatasetFile(text, "/d").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text << status;
    for (const std::string& part : says) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(part)) << text;
    }
  }
}

TEST(DatasetFile, OnDiskPathsAreFromItsFolder) {
  const store::TemporaryFolder folder;
  EXPECT_EQ(ReadDatasetFile(folder.path() + "/none.yaml").status().code(), absl::StatusCode::kNotFound);
  std::ofstream(folder.path() + "/d.yaml") << "project: p\nvoxels: {segmentation: s.npy}\n";
  const auto dataset = ReadDatasetFile(folder.path() + "/d.yaml");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->options.base.project_folder, folder.path() + "/p");
  std::ofstream(folder.path() + "/d.yaml") << "projekt: p\n";
  EXPECT_THAT(std::string(ReadDatasetFile(folder.path() + "/d.yaml").status().message()), HasSubstr("/d.yaml: line 1"));
}

}  // namespace
}  // namespace cleave::ingest
