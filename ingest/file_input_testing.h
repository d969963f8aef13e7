// The field's input of a random volume, written to a folder; and what a project holds, to be compared. For tests.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "graph/dataset.h"
#include "ingest/chunk_components.h"
#include "ingest/file_ingest.h"
#include "ingest/oracle_testing.h"
#include "table/table.h"
#include "volume/label_source.h"
#include "volume/npy.h"
#include "volume/test_labels.h"
#include "volume/volume.h"

namespace cleave::ingest {

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// All rows of nodes and counters: what must not depend on how an ingest went.
inline std::vector<table::Row> RowsOf(graph::Dataset& dataset) {
  std::vector<table::Row> rows;
  for (const auto& range : {table::RowRange{"0", "9"}, table::RowRange{"f", "ingest"}}) {
    auto part = dataset.table().ReadRange(range, {}, 0);
    EXPECT_TRUE(part.ok()) << part.status();
    rows.insert(rows.end(), part->begin(), part->end());
  }
  return rows;
}

inline void ExpectSameRows(const std::vector<table::Row>& a, const std::vector<table::Row>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].key, b[i].key);
    ASSERT_EQ(a[i].cells.size(), b[i].cells.size()) << a[i].key;
    for (const auto& [column, cells] : a[i].cells) {
      const auto other = b[i].cells.find(column);
      ASSERT_NE(other, b[i].cells.end()) << a[i].key << ' ' << column.qualifier;
      ASSERT_EQ(cells.size(), other->second.size()) << a[i].key << ' ' << column.qualifier;
      EXPECT_EQ(cells[0].value, other->second[0].value) << a[i].key << ' ' << column.qualifier;
    }
  }
}

// What one project holds.
struct Contents {
  std::vector<table::Row> rows;
  std::vector<uint64_t> voxels;
  std::map<ChunkPoint, graph::ChunkEdges> edges;
};

inline Contents ContentsOf(const std::string& project) {
  const auto dataset = graph::Dataset::Open(project);
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  Contents contents;
  if (dataset.ok()) {
    contents.rows = RowsOf(**dataset);
    const auto voxels = (*dataset)->segmentation().ReadBox(0, (*dataset)->meta().volume);
    EXPECT_TRUE(voxels.ok()) << voxels.status();
    contents.voxels.assign(voxels->data(), voxels->data() + voxels->size());
    for (const ChunkPoint chunk : (*dataset)->layout().ChunksOverlapping((*dataset)->meta().volume)) {
      contents.edges[chunk] = (*dataset)->edges().Read(chunk).value();
    }
  }
  return contents;
}

inline void ExpectSame(const Contents& a, const Contents& b) {
  ExpectSameRows(a.rows, b.rows);
  EXPECT_EQ(a.voxels, b.voxels);
  ASSERT_EQ(a.edges.size(), b.edges.size());
  for (const auto& [chunk, edges] : a.edges) {
    EXPECT_EQ(edges.in, b.edges.at(chunk).in);
    EXPECT_EQ(edges.between, b.edges.at(chunk).between);
    EXPECT_EQ(edges.cross, b.edges.at(chunk).cross);
  }
}

// FOLDER/from_labels is a project of labels; FOLDER/seg.npy, edges/ and components/ are the same as the field's input.
class FileInput {
 public:
  FileInput(std::string folder, Extent3 chunk_size) : folder_(std::move(folder)), chunk_size_(chunk_size) {}

  void Make(std::mt19937_64& random, Extent3 extent) {
    std::string text;
    for (uint64_t label = (uint64_t{1} << 40); label < (uint64_t{1} << 40) + 20; ++label) {
      absl::StrAppend(&text, label, ",", 1 + random() % 6, "\n");
    }
    WriteBytes(Path("agglomeration.csv"), text);
    IngestOptions options = Options("from_labels").base;
    options.agglomeration_file = Path("agglomeration.csv");
    options.voxel_size_nm = VoxelSizeNm{8, 8, 40};
    const auto source = volume::MakeArraySource(RandomBlobs(random, extent), {}, std::nullopt);
    const auto report = IngestFrom(*source, options, Progress::Silent());
    ASSERT_TRUE(report.ok()) << report.status();
    const auto dataset = graph::Dataset::Open(options.project_folder);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    const auto ids = (*dataset)->segmentation().ReadBox(0, (*dataset)->meta().volume);
    ASSERT_TRUE(ids.ok());
    ASSERT_TRUE(volume::WriteNpy<uint64_t>(Path("seg.npy"), ids->view()).ok());
    std::filesystem::create_directory(Path("edges"));
    if (std::filesystem::exists(Path("from_labels/edges"))) {  // a volume of one piece has no edge
      std::filesystem::copy(Path("from_labels/edges"), Path("edges"), std::filesystem::copy_options::recursive);
    }
    WriteComponents(**dataset, *ids);
  }

  [[nodiscard]] std::string Path(const std::string& name) const { return absl::StrCat(folder_, "/", name); }
  [[nodiscard]] FileIngestOptions Options(const std::string& project) const {
    FileIngestOptions options;
    options.base.project_folder = Path(project);
    options.base.labels = Path("seg.npy");
    options.base.voxel_size_nm = VoxelSizeNm{8, 8, 40};
    options.base.chunk_size = chunk_size_;
    options.base.threads = 2;
    options.edges = Path("edges");
    options.components = Path("components");
    return options;
  }

 private:
  // Supervoxels of one root are one component, in the file of every chunk in whose surroundings they lie.
  void WriteComponents(graph::Dataset& dataset, const Array3<uint64_t>& ids) const {
    std::set<graph::NodeId> distinct;
    for (int64_t i = 0; i < ids.size(); ++i) {
      distinct.insert(graph::NodeId{ids.data()[i]});
    }
    distinct.erase(graph::NodeId{});
    const std::vector<graph::NodeId> supervoxels(distinct.begin(), distinct.end());
    const auto roots = dataset.Now().Roots(supervoxels);
    ASSERT_TRUE(roots.ok());
    std::map<ChunkPoint, std::map<graph::NodeId, Component>> files;
    for (size_t i = 0; i < supervoxels.size(); ++i) {
      const ChunkPoint chunk = dataset.layout().ChunkOf(supervoxels[i]).position;
      for (int64_t step = 0; step < 27; ++step) {
        files[chunk + ChunkPoint{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1}][(*roots)[i]].push_back(supervoxels[i]);
      }
    }
    std::filesystem::create_directory(Path("components"));
    for (const ChunkPoint chunk : dataset.layout().ChunksOverlapping(dataset.meta().volume)) {
      std::vector<Component> components;
      for (const auto& [root, component] : files[chunk]) {
        components.push_back(component);
      }
      WriteBytes(Path(absl::StrCat("components/", ComponentsFileName(chunk))), EncodeComponents(components));
    }
  }

  std::string folder_;
  Extent3 chunk_size_;
};

}  // namespace cleave::ingest
