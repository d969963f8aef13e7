#include "cli/split_preview.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "cli/json_text.h"
#include "cli/labels.h"
#include "cli/picture.h"
#include "cli/png.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/kept_preview.h"
#include "edit/preview_sides.h"
#include "volume/npy.h"

namespace cleave::cli {
namespace {

constexpr Extent3 kSurroundings{32, 32, 2};

std::vector<VoxelPoint> PointsOf(const edit::OperationRecord& record) {
  std::vector<VoxelPoint> points = record.sources;
  points.insert(points.end(), record.sinks.begin(), record.sinks.end());
  for (const edit::SidePoint& point : record.more_points) {
    points.push_back(point.point);
  }
  return points;
}

// The cut and the points, with what is near.
Box ShownBox(const graph::Dataset& dataset, const edit::OperationRecord& record, const edit::EditReport& report) {
  const std::vector<VoxelPoint> points = PointsOf(record);
  Box box = BoxAt(points.front(), {1, 1, 1});
  for (const VoxelPoint point : points) {
    box = Envelope(box, BoxAt(point, {1, 1, 1}));
  }
  for (const Box& changed : report.changed_boxes) {
    box = Envelope(box, changed);
  }
  return Intersect(Grow(box, kSurroundings), dataset.meta().volume);
}

// The section between the first two points: sides over the objects as they are.
absl::Status WriteSidesPicture(graph::Dataset& dataset, const edit::OperationRecord& record, const Box& box,
                               const Array3<uint8_t>& sides, const std::string& path) {
  const int64_t z = (record.sources.front().z + record.sinks.front().z) / 2;
  Box section = box;
  section.lo.z = z;
  section.hi.z = z + 1;
  CLEAVE_ASSIGN_OR_RETURN(const LabelReader reader, LabelReader::Open(dataset, {}, LabelKind::kRoots));
  CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> labels, reader.Read(section));
  for (int64_t y = 0; y < labels.extent().y; ++y) {
    const uint8_t* side = sides.view().Row(y, z - box.lo.z);
    uint64_t* row = labels.view().Row(y, 0);
    for (int64_t x = 0; x < labels.extent().x; ++x) {
      row[x] = side[x] == edit::kNoSide ? row[x] : side[x];
    }
  }
  PictureOptions options{.highlighted = {}, .marks = {}};
  for (int side = 1; side <= edit::SideCountOf(record); ++side) {
    options.highlighted.push_back(static_cast<uint64_t>(side));
  }
  options.scale = ReadableScale(section.extent());
  for (const VoxelPoint point : PointsOf(record)) {
    options.marks.push_back({point, std::ranges::count(record.sources, point) > 0});
  }
  return WritePng(path, DrawLabels(std::as_const(labels).view(), section.lo, options));
}

}  // namespace

absl::Status ShowSplitPreview(graph::Dataset& dataset, const edit::EditReport& report, const SplitPreviewFiles& files,
                              Json& json) {
  CLEAVE_ASSIGN_OR_RETURN(const edit::PlannedOperation planned,
                          edit::ReadPreview(dataset, absl::Now(), report.preview_token));
  const int side_count = edit::SideCountOf(planned.record);
  json["chunks"] = Json::array();
  for (const edit::ChunkSides& sides : edit::SidesByChunk(dataset.layout(), report.fragments, side_count)) {
    json["chunks"].push_back({{"chunk", {sides.chunk.x, sides.chunk.y, sides.chunk.z}},
                              {"source_voxels", sides.voxels[0]},
                              {"sink_voxels", sides.voxels[1]},
                              {"voxels", sides.voxels}});
  }
  json["sides"] = nullptr;
  json["picture"] = nullptr;
  if (files.sides.empty() && files.picture.empty()) {
    return absl::OkStatus();
  }
  if (planned.record.sources.empty()) {
    return absl::InvalidArgumentError("--sides and --picture show a split between points; this one is of given edges");
  }
  const Box box = ShownBox(dataset, planned.record, report);
  CLEAVE_ASSIGN_OR_RETURN(const Array3<uint8_t> sides,
                          edit::SidesInBox(dataset, planned.plan, side_count, report.supervoxel_components, box));
  if (!files.sides.empty()) {
    CLEAVE_RETURN_IF_ERROR(volume::WriteNpy<uint8_t>(files.sides, sides.view()));
    json["sides"] = {{"file", files.sides}, {"box", ToJson(box)}};
  }
  if (!files.picture.empty()) {
    CLEAVE_RETURN_IF_ERROR(WriteSidesPicture(dataset, planned.record, box, sides, files.picture));
    json["picture"] = files.picture;
  }
  return absl::OkStatus();
}

}  // namespace cleave::cli
