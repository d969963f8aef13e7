// Goal: a project can be made, filled, sealed and opened again; edits of voxels go to the fork and every older moment
// stays readable; whatever is missing, unfinished, damaged or in use is refused with the promised code and a message
// that names it. Method: small projects in temporary folders.
#include "graph/dataset.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ocdbt/database.h"
#include "store/store.h"
#include "store/temporary_folder.h"
#include "table/columns.h"
#include "table/table.h"
#include "volume/volume.h"

namespace cleave::graph {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class DatasetTest : public testing::Test {
 protected:
  static GraphMeta Meta() {
    return {.graph_id = "g1",
            .volume = BoxAt({10, -20, 30}, {50, 40, 30}),
            .chunk_size = {16, 16, 16},
            .voxel_size_nm = {8, 8, 40},
            .ingested = absl::FromUnixMillis(1700000000000)};
  }

  [[nodiscard]] std::string Project() const { return folder_.path() + "/project"; }
  [[nodiscard]] std::string Below(const std::string& name) const { return absl::StrCat(Project(), "/", name); }

  // The same id in every voxel of `box`.
  static absl::Status Fill(Dataset& dataset, const Box& box, uint64_t id) {
    const Array3<uint64_t> voxels(box.extent(), id);
    return dataset.segmentation().WriteBox(0, box, voxels.view());
  }

  static uint64_t VoxelOf(const volume::Volume& volume) {
    const auto values = volume.ReadVoxels(0, std::vector<VoxelPoint>{{11, -19, 31}});
    return values.ok() ? (*values)[0] : UINT64_MAX;
  }

  void MakeSealedProject() {
    const auto dataset = Dataset::Create(Project(), Meta());
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    ASSERT_TRUE(Fill(**dataset, Meta().volume, 7).ok());
    ASSERT_TRUE((*dataset)->SealBase().ok());
  }

  [[nodiscard]] std::set<std::string> FilesBelow(const std::string& name) const {
    std::set<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(Below(name))) {
      if (entry.is_regular_file()) {
        files.insert(absl::StrCat(entry.path().string(), " ", entry.file_size()));
      }
    }
    return files;
  }

  void ExpectRefused(absl::StatusCode code, const std::string& message) const {
    const absl::Status status = Dataset::Open(Project()).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }

  store::TemporaryFolder folder_;
};

TEST_F(DatasetTest, IsAsItWasMadeWhenOpenedAgain) {
  MakeSealedProject();
  for (int round = 0; round < 2; ++round) {
    const auto dataset = Dataset::Open(Project());
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_EQ((*dataset)->meta(), Meta());
    EXPECT_EQ((*dataset)->layout().volume(), Meta().volume);
    EXPECT_EQ((*dataset)->segmentation().info().scales[0].key, "8_8_40");
    EXPECT_EQ((*dataset)->segmentation().info().scales[0].voxel_offset, Meta().volume.lo);
    EXPECT_EQ(VoxelOf((*dataset)->segmentation()), 7u);
  }
}

TEST_F(DatasetTest, VoxelEditsGoToTheForkAndOlderMomentsStay) {
  MakeSealedProject();
  const std::set<std::string> base_files = FilesBelow("ocdbt/base");
  auto dataset = Dataset::Open(Project());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto before = (*dataset)->database().Newest();
  ASSERT_TRUE(before.ok());
  ASSERT_TRUE(Fill(**dataset, BoxAt(Meta().volume.lo, {20, 20, 20}), 8).ok());
  EXPECT_EQ(VoxelOf((*dataset)->segmentation()), 8u);
  dataset->reset();
  dataset = Dataset::Open(Project());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(VoxelOf((*dataset)->segmentation()), 8u);
  EXPECT_EQ(FilesBelow("ocdbt/base"), base_files);

  const auto newest = (*dataset)->SegmentationAt({});
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(VoxelOf(**newest), 8u);
  const auto by_generation = (*dataset)->SegmentationAt({.generation = before->generation().value, .time = {}});
  ASSERT_TRUE(by_generation.ok()) << by_generation.status();
  EXPECT_EQ(VoxelOf(**by_generation), 7u);
  const auto by_time = (*dataset)->SegmentationAt({.generation = {}, .time = before->version().commit_time});
  ASSERT_TRUE(by_time.ok()) << by_time.status();
  EXPECT_EQ(VoxelOf(**by_time), 7u);
  ASSERT_TRUE(Fill(**dataset, Meta().volume, 0).ok());
  EXPECT_EQ(VoxelOf(**newest), 8u) << "a moment does not move";
  const Array3<uint64_t> voxels(Meta().volume.extent(), 9);
  EXPECT_FALSE((*newest)->WriteBox(0, Meta().volume, voxels.view()).ok()) << "a moment is read-only";

  EXPECT_EQ((*dataset)->SegmentationAt({.generation = 999, .time = {}}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ((*dataset)->SegmentationAt({.generation = {}, .time = absl::UnixEpoch()}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(DatasetTest, TheForksSpecificationNamesBothFolders) {
  MakeSealedProject();
  const auto dataset = Dataset::Open(Project());
  ASSERT_TRUE(dataset.ok());
  EXPECT_THAT((*dataset)->KvStoreSpec(), HasSubstr("ocdbt/base"));
  EXPECT_THAT((*dataset)->KvStoreSpec(), HasSubstr("ocdbt/g1"));
}

TEST_F(DatasetTest, StorageChunksDivideGraphChunks) {
  const std::pair<int64_t, int64_t> sizes[] = {{1, 1},    {16, 16},  {64, 64},   {96, 48},   {97, 97},  {100, 50},
                                               {128, 64}, {130, 65}, {509, 509}, {1000, 50}, {2048, 64}};
  int project = 0;
  for (const auto& [graph_chunk, storage_chunk] : sizes) {
    GraphMeta meta = Meta();
    meta.chunk_size = {graph_chunk, 16, 16};
    const auto dataset = Dataset::Create(absl::StrCat(Project(), project++), meta);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_EQ((*dataset)->segmentation().info().scales[0].chunk_size, (Extent3{storage_chunk, 16, 16}));
  }
}

TEST_F(DatasetTest, RowsOfIngestAreThereAfterSealing) {
  const table::Column column = table::columns::kParent;
  const table::RowMutation row{"00000000000000000001", {table::SetCell{column, Meta().ingested, "12345678"}}};
  {
    const auto dataset = Dataset::Create(Project(), Meta());
    ASSERT_TRUE(dataset.ok());
    ASSERT_TRUE((*dataset)->ApplyUnsynced(std::vector<table::RowMutation>{row}).ok());
    ASSERT_TRUE((*dataset)->SealBase().ok());
    ASSERT_TRUE((*dataset)->SealBase().ok()) << "sealing twice is sealing once";
    EXPECT_EQ((*dataset)->ApplyUnsynced(std::vector<table::RowMutation>{row}).code(),
              absl::StatusCode::kFailedPrecondition);
  }
  const auto dataset = Dataset::Open(Project());
  ASSERT_TRUE(dataset.ok());
  const auto read = (*dataset)->table().ReadRow(row.key, {});
  ASSERT_TRUE(read.ok());
  ASSERT_NE(read->Newest(column), nullptr);
  EXPECT_EQ(read->Newest(column)->value, "12345678");
}

TEST_F(DatasetTest, RelativeFoldersWork) {
  const fs::path here = fs::current_path();
  fs::current_path(folder_.path());
  EXPECT_TRUE(Dataset::Create("project", Meta()).ok());
  fs::current_path(here);
  EXPECT_TRUE(fs::exists(Below("project.json")));
}

TEST_F(DatasetTest, IsFilledBesideTheProcessThatHasTheTable) {
  EXPECT_EQ(Dataset::OpenWithoutTable(Project()).status().code(), absl::StatusCode::kNotFound);
  {
    const auto owner = Dataset::Create(Project(), Meta());
    ASSERT_TRUE(owner.ok()) << owner.status();
    const auto beside = Dataset::OpenWithoutTable(Project());
    ASSERT_TRUE(beside.ok()) << beside.status();
    EXPECT_EQ((*beside)->meta(), Meta());
    EXPECT_FALSE((*beside)->sealed());
    ASSERT_TRUE(Fill(**beside, Meta().volume, 7).ok());
    EXPECT_EQ(VoxelOf((*owner)->segmentation()), 7u);
    const table::RowMutation row{"key", {table::SetCell{table::columns::kParent, Meta().ingested, "12345678"}}};
    EXPECT_EQ((*beside)->table().Apply({&row, 1}).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ((*beside)->ApplyUnsynced({&row, 1}).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ((*beside)->table().ReadRow("key", {}).status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ((*beside)->SealBase().code(), absl::StatusCode::kFailedPrecondition);
    ASSERT_TRUE((*owner)->SealBase().ok());
  }
  EXPECT_EQ(Dataset::OpenWithoutTable(Project()).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(VoxelOf((*Dataset::Open(Project()))->segmentation()), 7u);
}

// --- What is refused ---

TEST_F(DatasetTest, NoProject) {
  ExpectRefused(absl::StatusCode::kNotFound, Project() + " is not a Cleave project (no project.json)");
  fs::create_directory(Project());
  ExpectRefused(absl::StatusCode::kNotFound, "is not a Cleave project");
  EXPECT_TRUE(fs::is_empty(Project())) << "opening leaves nothing behind";
}

TEST_F(DatasetTest, UnfinishedIngest) {
  ASSERT_TRUE(Dataset::Create(Project(), Meta()).ok());
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "did not end");
  EXPECT_THAT(std::string(Dataset::Create(Project(), Meta()).status().message()), HasSubstr("delete it"));
  // The same where Create itself was cut short.
  fs::remove_all(Below("ocdbt"));
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "did not end");
  fs::remove_all(Below("table"));
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "did not end");
}

TEST_F(DatasetTest, InUse) {
  MakeSealedProject();
  const auto dataset = Dataset::Open(Project());
  ASSERT_TRUE(dataset.ok());
  ExpectRefused(absl::StatusCode::kUnavailable, Project() + " is in use");
}

TEST_F(DatasetTest, FolderInTheWay) {
  std::ofstream(Project()) << "a file";
  EXPECT_EQ(Dataset::Create(Project(), Meta()).status().code(), absl::StatusCode::kAlreadyExists);
  fs::remove(Project());
  fs::create_directory(Project());
  std::ofstream(Below("letter")) << "dear reader";
  EXPECT_EQ(Dataset::Create(Project(), Meta()).status().code(), absl::StatusCode::kAlreadyExists);
  fs::remove(Below("letter"));
  EXPECT_TRUE(Dataset::Create(Project(), Meta()).ok()) << "an empty folder will do";
}

TEST_F(DatasetTest, DamagedProjectFile) {
  MakeSealedProject();
  std::ofstream(Below("project.json")) << "{";
  ExpectRefused(absl::StatusCode::kDataLoss, "project.json");
}

TEST_F(DatasetTest, LostTable) {
  MakeSealedProject();
  fs::remove_all(Below("table"));
  ExpectRefused(absl::StatusCode::kDataLoss, "table");
}

TEST_F(DatasetTest, ForkThatWasNeverMadeIsMade) {
  MakeSealedProject();
  fs::remove_all(Below("ocdbt/g1"));  // as after a crash between sealing and forking
  const auto dataset = Dataset::Open(Project());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(VoxelOf((*dataset)->segmentation()), 7u);
}

TEST_F(DatasetTest, ForkThatLostItsManifest) {
  MakeSealedProject();
  {
    const auto dataset = Dataset::Open(Project());
    ASSERT_TRUE(dataset.ok());
    ASSERT_TRUE(Fill(**dataset, BoxAt(Meta().volume.lo, {20, 20, 20}), 8).ok());
  }
  fs::remove(Below("ocdbt/g1/manifest.ocdbt"));
  ExpectRefused(absl::StatusCode::kDataLoss, "ocdbt/g1");
}

}  // namespace
}  // namespace cleave::graph
