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

// The cut and the points, with what is near.
Box ShownBox(const graph::Dataset& dataset, const edit::SplitRequest& request, const edit::EditReport& report) {
  Box box = BoxAt(request.sources.front(), {1, 1, 1});
  for (const std::vector<VoxelPoint>* points : {&request.sources, &request.sinks}) {
    for (const VoxelPoint point : *points) {
      box = Envelope(box, BoxAt(point, {1, 1, 1}));
    }
  }
  for (const Box& changed : report.changed_boxes) {
    box = Envelope(box, changed);
  }
  return Intersect(Grow(box, kSurroundings), dataset.meta().volume);
}

// The section between the first two points: sides over the objects as they are.
absl::Status WriteSidesPicture(graph::Dataset& dataset, const edit::SplitRequest& request, const Box& box,
                               const Array3<uint8_t>& sides, const std::string& path) {
  const int64_t z = (request.sources.front().z + request.sinks.front().z) / 2;
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
  PictureOptions options{.highlighted = {edit::kSourceSide, edit::kSinkSide}, .marks = {}};
  options.scale = ReadableScale(section.extent());
  for (const VoxelPoint point : request.sources) {
    options.marks.push_back({point, true});
  }
  for (const VoxelPoint point : request.sinks) {
    options.marks.push_back({point, false});
  }
  return WritePng(path, DrawLabels(std::as_const(labels).view(), section.lo, options));
}

}  // namespace

absl::Status ShowSplitPreview(graph::Dataset& dataset, const edit::SplitRequest& request,
                              const edit::EditReport& report, const SplitPreviewFiles& files, Json& json) {
  json["chunks"] = Json::array();
  for (const edit::ChunkSides& sides : edit::SidesByChunk(dataset.layout(), report.fragments)) {
    json["chunks"].push_back({{"chunk", {sides.chunk.x, sides.chunk.y, sides.chunk.z}},
                              {"source_voxels", sides.source_voxels},
                              {"sink_voxels", sides.sink_voxels}});
  }
  json["sides"] = nullptr;
  json["picture"] = nullptr;
  if (files.sides.empty() && files.picture.empty()) {
    return absl::OkStatus();
  }
  if (request.sources.empty()) {
    return absl::InvalidArgumentError("--sides and --picture show a split between points; this one is of given edges");
  }
  CLEAVE_ASSIGN_OR_RETURN(const edit::PlannedOperation planned,
                          edit::ReadPreview(dataset, absl::Now(), report.preview_token));
  const Box box = ShownBox(dataset, request, report);
  CLEAVE_ASSIGN_OR_RETURN(const Array3<uint8_t> sides,
                          edit::SidesInBox(dataset, planned.plan, report.supervoxel_components, box));
  if (!files.sides.empty()) {
    CLEAVE_RETURN_IF_ERROR(volume::WriteNpy<uint8_t>(files.sides, sides.view()));
    json["sides"] = {{"file", files.sides}, {"box", ToJson(box)}};
  }
  if (!files.picture.empty()) {
    CLEAVE_RETURN_IF_ERROR(WriteSidesPicture(dataset, request, box, sides, files.picture));
    json["picture"] = files.picture;
  }
  return absl::OkStatus();
}

}  // namespace cleave::cli
