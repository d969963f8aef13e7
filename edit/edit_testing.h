// What the tests of this room share: projects made from labels, and what they hold, as plain arrays. Not for product
// code.
#pragma once

#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/array.h"
#include "base/geometry.h"
#include "base/progress.h"
#include "edit/apply.h"
#include "edit/editor.h"
#include "edit/fsck.h"
#include "graph/dataset.h"
#include "graph/ids.h"
#include "ingest/ingest.h"
#include "store/temporary_folder.h"
#include "volume/label_source.h"
#include "volume/volume.h"

namespace cleave::edit {

struct ProjectOptions {
  Extent3 chunk_size{32, 32, 32};
  VoxelSizeNm voxel_size_nm{8, 8, 40};
  VoxelPoint voxel_offset = {};
  std::vector<ingest::FusePair> fuse = {};
};

// Ingests `labels` into `folder`, which must not exist yet.
inline void IngestLabels(const std::string& folder, const Array3<uint64_t>& labels, const ProjectOptions& options) {
  const std::unique_ptr<volume::LabelSource> source =
      volume::MakeArraySource(labels, options.voxel_offset, options.voxel_size_nm);
  ingest::IngestOptions ingest_options;
  ingest_options.project_folder = folder;
  ingest_options.chunk_size = options.chunk_size;
  ingest_options.fuse = options.fuse;
  const auto report = ingest::IngestFrom(*source, ingest_options, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
}

// A project that is open for edits.
struct OpenProject {
  std::unique_ptr<graph::Dataset> dataset;
  std::unique_ptr<Editor> editor;
};

inline OpenProject Open(const std::string& folder, const EditorOptions& options = {}) {
  OpenProject project;
  absl::StatusOr<std::unique_ptr<graph::Dataset>> dataset = graph::Dataset::Open(folder);
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  if (!dataset.ok()) {
    return project;
  }
  project.dataset = *std::move(dataset);
  absl::StatusOr<std::unique_ptr<Editor>> editor = Editor::Open(*project.dataset, options);
  EXPECT_TRUE(editor.ok()) << editor.status();
  if (editor.ok()) {
    project.editor = *std::move(editor);
  }
  return project;
}

// The supervoxels of the whole volume, now or in a generation.
inline Array3<uint64_t> ExportSupervoxels(graph::Dataset& dataset, std::optional<uint64_t> generation = {}) {
  const auto volume = dataset.SegmentationAt({.generation = generation, .time = std::nullopt});
  EXPECT_TRUE(volume.ok()) << volume.status();
  absl::StatusOr<Array3<uint64_t>> labels = (*volume)->ReadBox(0, dataset.meta().volume);
  EXPECT_TRUE(labels.ok()) << labels.status();
  return *std::move(labels);
}

// The root of every supervoxel in `supervoxels` at a time.
inline std::map<uint64_t, uint64_t> RootsOf(graph::Dataset& dataset, const Array3<uint64_t>& supervoxels,
                                            absl::Time time = absl::InfiniteFuture()) {
  std::set<uint64_t> ids;
  uint64_t last = 0;
  for (int64_t i = 0; i < supervoxels.size(); ++i) {
    if (supervoxels.data()[i] != last) {
      last = supervoxels.data()[i];
      ids.insert(last);
    }
  }
  ids.erase(0);
  const std::vector<uint64_t> list(ids.begin(), ids.end());
  const auto roots = dataset.View(time).Roots(graph::ToNodeIds(list));
  EXPECT_TRUE(roots.ok()) << roots.status();
  std::map<uint64_t, uint64_t> root_of;
  for (size_t i = 0; i < list.size(); ++i) {
    root_of[list[i]] = Value((*roots)[i]);
  }
  return root_of;
}

inline uint64_t RootAt(graph::Dataset& dataset, VoxelPoint point) {
  const auto labels = dataset.segmentation().ReadVoxels(0, {{point}});
  EXPECT_TRUE(labels.ok()) << labels.status();
  const auto roots = dataset.Now().Roots(graph::ToNodeIds(*labels));
  EXPECT_TRUE(roots.ok()) << roots.status();
  return Value(roots->front());
}

// All of fsck; every finding fails the test.
inline void ExpectClean(graph::Dataset& dataset, const FsckOptions& options = {}) {
  const absl::StatusOr<FsckReport> report = Fsck(dataset, options, Progress::Silent());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->total_found(), 0);
  for (const FsckFinding& finding : report->findings) {
    ADD_FAILURE() << "invariant " << finding.invariant << ": " << finding.what;
  }
}

// Invariant 5 by plain arrays: every voxel of a cut supervoxel belongs to one of its fragments, no other voxel changed.
inline void ExpectOnlyMoved(const Array3<uint64_t>& before, const Array3<uint64_t>& after,
                            const std::vector<Fragment>& fragments) {
  std::map<uint64_t, uint64_t> former_of;
  std::set<uint64_t> formers;
  std::map<uint64_t, int64_t> voxels;
  for (const Fragment& fragment : fragments) {
    former_of[Value(fragment.id)] = Value(fragment.former);
    formers.insert(Value(fragment.former));
  }
  int64_t wrong = 0;
  ASSERT_EQ(before.size(), after.size());
  // In runs of equal pairs.
  for (int64_t i = 0; i < before.size();) {
    const uint64_t from = before.data()[i];
    const uint64_t to = after.data()[i];
    const int64_t begin = i;
    while (i < before.size() && before.data()[i] == from && after.data()[i] == to) {
      ++i;
    }
    const bool moved = formers.contains(from);
    const bool right = moved ? former_of.contains(to) && former_of[to] == from : from == to;
    wrong += right ? 0 : i - begin;
    if (moved) {
      voxels[to] += i - begin;
    }
  }
  EXPECT_EQ(wrong, 0) << "voxels moved where they must not";
  for (const Fragment& fragment : fragments) {
    EXPECT_EQ(voxels[Value(fragment.id)], fragment.voxel_count);
  }
}

// Blobs around random centres that fill the extent and touch on irregular borders: labels 1 to `count`, a twentieth of
// the voxels background.
inline Array3<uint64_t> RandomBlobs(std::mt19937_64& random, Extent3 extent, int count) {
  struct Centre {
    VoxelPoint point;
    double weight;
  };
  std::vector<Centre> centres;
  for (int i = 0; i < count; ++i) {
    centres.push_back({{static_cast<int64_t>(random() % static_cast<uint64_t>(extent.x)),
                        static_cast<int64_t>(random() % static_cast<uint64_t>(extent.y)),
                        static_cast<int64_t>(random() % static_cast<uint64_t>(extent.z))},
                       1.0 + static_cast<double>(random() % 100) / 60});
  }
  Array3<uint64_t> labels(extent);
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      for (int64_t x = 0; x < extent.x; ++x) {
        double best = 1e300;
        for (size_t i = 0; i < centres.size(); ++i) {
          const VoxelPoint d = VoxelPoint{x, y, z} - centres[i].point;
          const double distance = static_cast<double>(d.x * d.x + d.y * d.y + d.z * d.z) * centres[i].weight;
          if (distance < best) {
            best = distance;
            labels[{x, y, z}] = i + 1;
          }
        }
        if (random() % 20 == 0) {
          labels[{x, y, z}] = 0;
        }
      }
    }
  }
  return labels;
}

}  // namespace cleave::edit
