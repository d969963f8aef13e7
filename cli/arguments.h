// Arguments as people write them, read into the types of the other rooms. All functions are pure.
//
// Errors are INVALID_ARGUMENT and quote the text; Named() adds which option it was.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/geometry.h"
#include "base/status.h"
#include "graph/edges.h"
#include "graph/ids.h"
#include "ingest/label_map.h"

namespace cleave::cli {

// "X,Y,Z": integers, with spaces or not; negative ones too.
[[nodiscard]] absl::StatusOr<VoxelPoint> ParsePoint(absl::string_view text);
[[nodiscard]] absl::StatusOr<std::vector<VoxelPoint>> ParsePoints(const std::vector<std::string>& texts);
// "X,Y,Z": positive integers.
[[nodiscard]] absl::StatusOr<Extent3> ParseExtent(absl::string_view text);
// "X,Y,Z": positive numbers, nm.
[[nodiscard]] absl::StatusOr<VoxelSizeNm> ParseVoxelSize(absl::string_view text);
// "X0,Y0,Z0,X1,Y1,Z1": the first voxel, and one past the last; not empty.
[[nodiscard]] absl::StatusOr<Box> ParseBox(absl::string_view text);
// RFC 3339 with a time zone, or seconds since 1970 with or without a fraction.
[[nodiscard]] absl::StatusOr<absl::Time> ParseTime(absl::string_view text);
// A decimal number; whether it can name a node is for the graph to say.
[[nodiscard]] absl::StatusOr<graph::NodeId> ParseNodeId(absl::string_view text);
[[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> ParseNodeIds(const std::vector<std::string>& texts);
// "A,B": two supervoxels.
[[nodiscard]] absl::StatusOr<graph::EdgeEnds> ParseEdge(absl::string_view text);
[[nodiscard]] absl::StatusOr<std::vector<graph::EdgeEnds>> ParseEdges(const std::vector<std::string>& texts);
// The number of an operation, from 1.
[[nodiscard]] absl::StatusOr<graph::OperationId> ParseOperation(absl::string_view text);
[[nodiscard]] absl::StatusOr<std::vector<graph::OperationId>> ParseOperations(const std::vector<std::string>& texts);
// "SIDE:REST": a side of a split from 1 to 64, and what follows.
struct SidedText {
  int side = 0;
  absl::string_view rest;
};
[[nodiscard]] absl::StatusOr<SidedText> ParseSided(absl::string_view text);
// "A,B": two labels.
[[nodiscard]] absl::StatusOr<ingest::FusePair> ParseFusePair(absl::string_view text);

// The value, or its error with the option's name in front.
template <typename T>
[[nodiscard]] absl::StatusOr<T> Named(absl::string_view option, absl::StatusOr<T> value) {
  if (!value.ok()) {
    return Annotate(value.status(), option);
  }
  return value;
}

}  // namespace cleave::cli
