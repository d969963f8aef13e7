// The `info` object of a neuroglancer-precomputed multiscale volume: what its voxels are and how each scale is stored.
//
//   CLEAVE_ASSIGN_OR_RETURN(Info info, ParseInfo(json_text));
//   info.scales[0].chunk_size;             // (x, y, z), as everything here
//   const std::string text = FormatInfo(info);
//
// Source of the rules: Neuroglancer's `precomputed/volume.md`, and what TensorStore's driver accepts.
// Plain values; no function here keeps state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/geometry.h"

namespace cleave::volume {

enum class DataType { kUint8, kInt8, kUint16, kInt16, kUint32, kInt32, kUint64, kFloat32 };

// How the bytes of a chunk hold its voxels. Only these two are lossless for 64-bit labels.
enum class Encoding { kRaw, kCompressedSegmentation };

// One resolution of a volume.
struct Scale {
  std::string key;          // the folder of the chunks, relative to the info object, such as "8_8_40"
  VoxelSizeNm resolution;   // the size of a voxel
  Extent3 size;             // voxels along each axis
  VoxelPoint voxel_offset;  // the first voxel; the chunk lattice starts here
  Extent3 chunk_size{64, 64, 64};
  Encoding encoding = Encoding::kRaw;
  Extent3 block_size{8, 8, 8};  // of compressed_segmentation; without meaning for raw
  // The members that this reader does not know, a JSON object's text; written back as they were. Empty: none.
  std::string other_members;

  [[nodiscard]] Box bounds() const { return BoxAt(voxel_offset, size); }
  friend bool operator==(const Scale&, const Scale&) = default;
};

struct Info {
  DataType data_type = DataType::kUint64;
  std::string type = "segmentation";  // or "image"
  std::vector<Scale> scales;          // finest first
  // As in Scale: "mesh", "skeletons", "segment_properties" and whatever else stands beside the scales.
  std::string other_members;

  friend bool operator==(const Info&, const Info&) = default;
};

// Reads an info object. INVALID_ARGUMENT names the member that is wrong and what was expected of it; UNIMPLEMENTED
// names the scale that is stored in a way this reader does not have (sharded, lossy encodings, several channels).
[[nodiscard]] absl::StatusOr<Info> ParseInfo(absl::string_view json_text);

// Compact JSON, members in bytewise order. REQUIRES: ValidateInfo(info) is OK.
[[nodiscard]] std::string FormatInfo(const Info& info);

// What ParseInfo checks, for an Info made by hand: positive sizes, distinct keys, an encoding that fits the data type.
[[nodiscard]] absl::Status ValidateInfo(const Info& info);

// The name TensorStore and CloudVolume give a scale by default: "8_8_40" for 8 x 8 x 40 nm.
[[nodiscard]] std::string DefaultScaleKey(const VoxelSizeNm& resolution);

// "uint64" and the like, as written in an info object.
[[nodiscard]] absl::string_view DataTypeName(DataType type);
// Bytes of one voxel.
[[nodiscard]] int64_t DataTypeSize(DataType type);
[[nodiscard]] absl::string_view EncodingName(Encoding encoding);

}  // namespace cleave::volume
