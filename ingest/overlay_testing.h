// What the tests of overlays share: an original on disk, made of the supervoxels of a project that is a copy. Not for
// product code.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/array.h"
#include "store/store.h"
#include "volume/volume.h"

namespace cleave::ingest {

struct OriginalOptions {
  Extent3 chunk_size{16, 16, 16};
  volume::Encoding encoding = volume::Encoding::kCompressedSegmentation;
  VoxelPoint voxel_offset = {};
  VoxelSizeNm voxel_size_nm{8, 8, 40};
  std::string scale_key = "s0";
};

// Writes a precomputed volume of one scale to `folder`, and returns its URL. Chunks of background have no file.
inline std::string WriteOriginal(const std::string& folder, const Array3<uint64_t>& ids,
                                 const OriginalOptions& options) {
  volume::Scale scale;
  scale.key = options.scale_key;
  scale.resolution = options.voxel_size_nm;
  scale.size = ids.extent();
  scale.voxel_offset = options.voxel_offset;
  scale.chunk_size = options.chunk_size;
  scale.encoding = options.encoding;
  volume::Info info;
  info.scales = {scale};
  std::string url = absl::StrCat("file://", folder, "/");
  auto opened = store::OpenStore(url);
  EXPECT_TRUE(opened.ok()) << opened.status();
  const auto made = volume::Volume::Create(std::shared_ptr<store::Store>(*std::move(opened)), "", info);
  EXPECT_TRUE(made.ok()) << made.status();
  const absl::Status written = (*made)->WriteBox(0, scale.bounds(), ids.view());
  EXPECT_TRUE(written.ok()) << written;
  return url;
}

// The supervoxels and their labels, as lines for IngestOptions::pieces_file.
inline void WritePieces(const std::string& path, const Array3<uint64_t>& ids, const Array3<uint64_t>& labels) {
  std::map<uint64_t, uint64_t> label_of;
  for (int64_t i = 0; i < ids.size(); ++i) {
    if (ids.data()[i] != 0) {
      label_of[ids.data()[i]] = labels.data()[i];
    }
  }
  std::ofstream file(path);
  for (const auto& [id, label] : label_of) {
    file << id << ',' << label << '\n';
  }
}

// The content of every file below a folder, by its path.
inline std::map<std::string, std::string> FilesIn(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      std::ifstream file(entry.path(), std::ios::binary);
      files[entry.path().string()] = {std::istreambuf_iterator<char>(file), {}};
    }
  }
  return files;
}

}  // namespace cleave::ingest
