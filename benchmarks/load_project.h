// The project that server_load_benchmark serves, and what it knows of it before it is served: ids, points, pairs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "base/progress.h"
#include "base/status.h"
#include "graph/dataset.h"
#include "graph/descend.h"
#include "ingest/contact_seeds.h"
#include "ingest/fuse.h"
#include "ingest/ingest.h"
#include "volume/label_source.h"
#include "volume/neuropil.h"
#include "volume/npy.h"
#include "volume/volume.h"

namespace cleave {

struct LoadProject {
  std::string source;                      // of the labels
  Extent3 extent;                          // of the volume, from the origin
  std::vector<graph::NodeId> supervoxels;  // all of them, with
  std::vector<graph::NodeId> roots;        // the root of each
  std::vector<VoxelPoint> points;          // in the foreground, anywhere
  std::vector<ingest::ContactSeeds>
      fused;  // points of two neurites that are one supervoxel family: to be cut in voxels
  std::vector<ingest::ContactSeeds> apart;  // of two that are two objects: to be merged and split again
};

struct LoadProjectOptions {
  std::string folder;  // of the project, made by MakeLoadProject
  std::string data;    // folder of the real volume
  int64_t size = 512;  // edge of the cube, in voxels
  int64_t fused = 0;   // pairs wanted; fewer where the volume does not have them
  int64_t apart = 0;
};

inline constexpr VoxelSizeNm kLoadVoxelSize{8, 8, 40};

inline absl::StatusOr<Array3<uint64_t>> LoadLabels(const LoadProjectOptions& options, std::string& source) {
  const std::string path = options.data + "/pinky40_neuropil_8x8x40_512x512x512_u32.npy.zst";
  const int64_t size = options.size;
  if (!std::filesystem::exists(path)) {
    std::cerr << "NO REAL DATA: " << path << " is not there, so these are figures of GENERATED neuropil\n";
    source = "generated neuropil";
    return volume::MakeNeuropil({.extent = {size, size, size}});
  }
  source = "pinky40 neuropil, real";
  CLEAVE_ASSIGN_OR_RETURN(const Array3<uint32_t> whole, volume::ReadNpy<uint32_t>(path));
  const int64_t lo = (whole.extent().x - size) / 2;
  Array3<uint64_t> labels({size, size, size});
  CopyArray(whole.view().Crop(BoxAt({lo, lo, lo}, labels.extent())), labels.view());
  return labels;
}

// Pairs of neurites that touch, no neurite in two of them, whose seeds lie well inside.
struct ChosenPairs {
  std::vector<ingest::FusePair> labels;
  std::vector<ingest::ContactSeeds> seeds;
};

inline ChosenPairs ChooseLoadPairs(const Array3<uint64_t>& labels, int64_t count) {
  constexpr int64_t kVoxelsMin = 2'000;
  constexpr int64_t kVoxelsMax = 3'000'000;
  constexpr double kDepthMinNm = 60;
  absl::flat_hash_map<uint64_t, int64_t> voxels;
  for (int64_t i = 0; i < labels.size(); ++i) {
    ++voxels[labels.data()[i]];
  }
  const auto fits = [&](uint64_t label) { return voxels[label] >= kVoxelsMin && voxels[label] <= kVoxelsMax; };
  std::set<uint64_t> used;
  std::vector<ingest::FusePair> candidates;
  for (const ingest::TouchingPair& pair : ingest::TouchingPairs(labels.view(), kLoadVoxelSize)) {
    if (fits(pair.a) && fits(pair.b) && !used.contains(pair.a) && !used.contains(pair.b)) {
      used.insert({pair.a, pair.b});
      candidates.push_back({pair.a, pair.b});
    }
  }
  const auto seeds = ingest::SuggestSeeds(labels.view(), candidates, kLoadVoxelSize);
  ChosenPairs chosen;
  for (size_t i = 0; i < candidates.size() && std::ssize(chosen.labels) < count; ++i) {
    if (seeds[i].has_value() && std::min(seeds[i]->source_depth_nm, seeds[i]->sink_depth_nm) >= kDepthMinNm) {
      chosen.labels.push_back(candidates[i]);
      chosen.seeds.push_back(*seeds[i]);
    }
  }
  return chosen;
}

inline absl::Status ReadLoadProject(const LoadProjectOptions& options, LoadProject& project) {
  CLEAVE_ASSIGN_OR_RETURN(const auto dataset, graph::Dataset::Open(options.folder));
  const graph::GraphView view = dataset->Now();
  for (const ChunkPoint chunk : dataset->layout().ChunksOverlapping(dataset->layout().volume())) {
    CLEAVE_ASSIGN_OR_RETURN(const auto content, graph::ReadL2Chunk(view, chunk));
    for (const graph::L2Content& l2 : content) {
      project.supervoxels.insert(project.supervoxels.end(), l2.supervoxels.begin(), l2.supervoxels.end());
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(project.roots, view.Roots(project.supervoxels));
  std::mt19937_64 random(2);
  std::vector<VoxelPoint> anywhere(40'000);
  for (VoxelPoint& point : anywhere) {
    for (int axis = 0; axis < 3; ++axis) {
      point[axis] = static_cast<int64_t>(random() % static_cast<uint64_t>(options.size));
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto labels, dataset->segmentation().ReadVoxels(volume::kFinestScale, anywhere));
  for (size_t i = 0; i < anywhere.size(); ++i) {
    if (labels[i] != 0) {
      project.points.push_back(anywhere[i]);
    }
  }
  return absl::OkStatus();
}

// Ingests the volume, in this process, and closes the project again.
inline absl::StatusOr<LoadProject> MakeLoadProject(const LoadProjectOptions& options) {
  LoadProject project;
  project.extent = {options.size, options.size, options.size};
  CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> labels, LoadLabels(options, project.source));
  const ChosenPairs pairs = ChooseLoadPairs(labels, options.fused + options.apart);
  // Every third or so is for the other use, so that both have large and small ones.
  ingest::IngestOptions ingest;
  ingest.project_folder = options.folder;
  ingest.voxel_size_nm = kLoadVoxelSize;
  for (size_t i = 0; i < pairs.labels.size(); ++i) {
    const auto share = [&](int64_t wanted, const auto& list) {
      return static_cast<double>(list.size()) / static_cast<double>(std::max<int64_t>(wanted, 1));
    };
    if (std::ssize(project.fused) < options.fused &&
        (std::ssize(project.apart) >= options.apart ||
         share(options.fused, project.fused) <= share(options.apart, project.apart))) {
      project.fused.push_back(pairs.seeds[i]);
      ingest.fuse.push_back(pairs.labels[i]);
    } else {
      project.apart.push_back(pairs.seeds[i]);
    }
  }
  const auto source = volume::MakeArraySource(std::move(labels), {}, kLoadVoxelSize);
  CLEAVE_RETURN_IF_ERROR(ingest::IngestFrom(*source, ingest, Progress::Silent()).status());
  CLEAVE_RETURN_IF_ERROR(ReadLoadProject(options, project));
  return project;
}

}  // namespace cleave
