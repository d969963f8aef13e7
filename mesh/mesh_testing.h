// A small project with nodes of every layer, and shards as mesh workers write them. Not for product code.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/progress.h"
#include "graph/dataset.h"
#include "ingest/ingest.h"
#include "mesh/sharded_index.h"
#include "store/temporary_folder.h"
#include "volume/label_source.h"

namespace cleave::mesh {

// Four chunks along x: layers 2 (4 chunks), 3 (2), 4. A beam goes through all, a crumb lies in the first alone.
class MeshProjectTest : public testing::Test {
 protected:
  static constexpr int64_t kChunk = 16;

  void SetUp() override {
    Array3<uint64_t> labels({4 * kChunk, kChunk, kChunk});
    for (int64_t x = 0; x < 4 * kChunk; ++x) {
      for (int64_t y = 4; y < 8; ++y) {
        for (int64_t z = 4; z < 8; ++z) {
          labels[{x, y, z}] = 1;
        }
      }
    }
    labels[{2, 12, 12}] = 2;
    const auto source = volume::MakeArraySource(std::move(labels), {0, 0, 0}, VoxelSizeNm{8, 8, 40});
    ingest::IngestOptions options;
    options.project_folder = folder_.path() + "/p";
    options.voxel_size_nm = {8, 8, 40};
    options.chunk_size = {kChunk, kChunk, kChunk};
    ASSERT_TRUE(ingest::IngestFrom(*source, options, Progress::Silent()).ok());
    Reopen();
    const auto roots = [&](uint64_t segment) {
      return dataset_->layout().MakeNode({dataset_->layout().layer_count(), {0, 0, 0}}, graph::Segment{segment});
    };
    ASSERT_EQ(dataset_->layout().layer_count(), 4);
    for (uint64_t segment = 1; segment < 600 && Value(beam_) * Value(crumb_) == 0; ++segment) {
      const graph::NodeId one[] = {roots(segment)};
      const size_t children = dataset_->Now().Children(one).value()[0].size();
      beam_ = children == 2 ? one[0] : beam_;
      crumb_ = children == 1 ? one[0] : crumb_;
    }
    ASSERT_NE(Value(beam_), 0U);
    ASSERT_NE(Value(crumb_), 0U);
  }
  void Reopen() {
    dataset_.reset();
    dataset_ = graph::Dataset::Open(folder_.path() + "/p").value();
  }
  [[nodiscard]] std::vector<graph::NodeId> ChildrenOf(graph::NodeId node) const {
    const graph::NodeId one[] = {node};
    return dataset_->Now().Children(one).value()[0];
  }

  store::TemporaryFolder folder_;
  std::unique_ptr<graph::Dataset> dataset_;
  graph::NodeId beam_{};
  graph::NodeId crumb_{};
};

inline void AppendNumber(std::string& bytes, uint64_t number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

// The bytes of one shard file, for `spec` without gzip; all meshes must belong into it.
inline std::string MakeShard(const ShardingSpec& spec, const std::map<graph::NodeId, std::string>& meshes) {
  std::map<uint64_t, std::map<graph::NodeId, std::string>> by_minishard;
  for (const auto& [node, mesh] : meshes) {
    by_minishard[PlaceOf(spec, node).minishard][node] = mesh;
  }
  std::string index;
  std::string body;
  for (uint64_t minishard = 0; minishard < uint64_t{1} << spec.minishard_bits; ++minishard) {
    std::string keys;
    std::string offsets;
    std::string sizes;
    uint64_t last_key = 0;
    const uint64_t first_offset = body.size();
    for (const auto& [node, mesh] : by_minishard[minishard]) {
      AppendNumber(keys, Value(node) - last_key);
      AppendNumber(offsets, last_key == 0 ? first_offset : 0);
      AppendNumber(sizes, mesh.size());
      last_key = Value(node);
      body += mesh;
    }
    AppendNumber(index, body.size());
    body += keys + offsets + sizes;
    AppendNumber(index, body.size());
  }
  return index + body;
}

}  // namespace cleave::mesh
