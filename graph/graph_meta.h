// What a graph is: the content of a project's project.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/geometry.h"
#include "volume/original.h"

namespace cleave::graph {

// No coordinate of a volume, and no chunk size, is larger: sums of a few of them cannot overflow.
inline constexpr int64_t kVoxelCoordinateMax = int64_t{1} << 48;

// Voxels of the coarsest scale are then 2^23 times as long as those of the finest: more than any volume needs.
inline constexpr int kScaleCountMax = 24;

struct GraphMeta {
  std::string graph_id = "graph";
  Box volume;          // voxels of scale 0
  Extent3 chunk_size;  // voxels of an L2 chunk
  VoxelSizeNm voxel_size_nm;
  absl::Time ingested;  // the time of every cell that ingest wrote; whole milliseconds
  // Of an overlay: the volume whose chunks are read where none was edited. Else the project has a copy of all voxels.
  std::optional<volume::OriginalVolume> original = {};
  // Scales of the volume, the finest among them; 0: as many as volume::ScalePyramid makes.
  int scale_count = 0;

  friend bool operator==(const GraphMeta&, const GraphMeta&) = default;
};

// INVALID_ARGUMENT, saying which member is wrong and why: a graph id that cannot name a folder (letters, digits, '_'
// and '-' can; "base" is taken), a voxel size that is not positive, a volume and chunk size that IdLayout refuses, a
// time that is not finite, a number of scales outside of 0 to kScaleCountMax, an original whose URL is no text or whose
// chunks are not those of the volume, or lie in two chunks of the graph.
[[nodiscard]] absl::Status ValidateGraphMeta(const GraphMeta& meta);

// JSON text for people to read, with a format version: 1, or 2 for an overlay, so that a program which does not know of
// originals refuses it. REQUIRES: ValidateGraphMeta(meta) is OK. The time is cut to
// whole milliseconds.
[[nodiscard]] std::string EncodeGraphMeta(const GraphMeta& meta);
// DATA_LOSS names the member that is missing or wrong; FAILED_PRECONDITION for a version that this program is too old
// to read. Members that it does not know are ignored.
[[nodiscard]] absl::StatusOr<GraphMeta> DecodeGraphMeta(absl::string_view json);

}  // namespace cleave::graph
