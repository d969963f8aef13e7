// A small project and its routes, for tests that ask them directly.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/progress.h"
#include "edit/editor.h"
#include "graph/dataset.h"
#include "ingest/ingest.h"
#include "server/routes.h"
#include "volume/label_source.h"

namespace cleave::server {

// Two objects side by side along x, fused into one label: 1 for x < 20 and x >= 20, joined by a bridge.
class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/cleave_server_test_", getpid());
    std::filesystem::remove_all(folder_);
    Array3<uint64_t> labels({40, 24, 24});
    for (int64_t z = 4; z < 20; ++z) {
      for (int64_t y = 4; y < 20; ++y) {
        for (int64_t x = 2; x < 38; ++x) {
          const bool bridge = x >= 18 && x < 22 && y >= 10 && y < 13 && z >= 10 && z < 13;
          labels[{x, y, z}] = x < 18 || x >= 22 || bridge ? 7 : 0;
        }
      }
    }
    const auto source = volume::MakeArraySource(std::move(labels), {0, 0, 0}, VoxelSizeNm{8, 8, 40});
    ingest::IngestOptions options;
    options.project_folder = folder_;
    options.voxel_size_nm = {8, 8, 40};
    options.chunk_size = {32, 32, 32};
    ASSERT_TRUE(ingest::IngestFrom(*source, options, Progress::Silent()).ok());
    dataset_ = graph::Dataset::Open(folder_).value();
    editor_ = edit::Editor::Open(*dataset_).value();
    routes_ = std::make_unique<Routes>(*dataset_, *editor_, RouteOptions{});
  }
  void TearDown() override {
    routes_.reset();
    editor_.reset();
    dataset_.reset();
    std::filesystem::remove_all(folder_);
  }

  Response Get(const std::string& path, std::map<std::string, std::string> query = {}) {
    return routes_->Answer({.method = "GET", .path = path, .query = std::move(query), .host = "h:1"});
  }
  Response Post(const std::string& path, const std::string& body) {
    return routes_->Answer({.method = "POST", .path = path, .host = "h:1", .body = body});
  }

  static constexpr char kTable[] = "/segmentation/api/v1/table/graph/";
  static constexpr char kSplit[] = R"({"sources":[[0,80,96,480]],"sinks":[[0,240,96,480]]})";
  std::string folder_;
  std::unique_ptr<graph::Dataset> dataset_;
  std::unique_ptr<edit::Editor> editor_;
  std::unique_ptr<Routes> routes_;
};

}  // namespace cleave::server
