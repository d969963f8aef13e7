#include "cli/labels.h"

#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "volume/volume.h"

namespace cleave::cli {
namespace {

// Calls visit(row) for each row of voxels along x.
template <typename Visit>
void ForEachRow(ArrayView3<uint64_t> labels, Visit visit) {
  const Extent3 extent = labels.extent();
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      visit(std::span(labels.Row(y, z), static_cast<size_t>(extent.x)));
    }
  }
}

}  // namespace

absl::StatusOr<LabelKind> ParseLabelKind(absl::string_view text) {
  if (text == "supervoxels") {
    return LabelKind::kSupervoxels;
  }
  if (text == "roots") {
    return LabelKind::kRoots;
  }
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is neither 'supervoxels' nor 'roots'"));
}

absl::StatusOr<LabelReader> LabelReader::Open(graph::Dataset& dataset, const edit::Instant& instant, LabelKind kind) {
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<volume::Volume> voxels, dataset.SegmentationAt(instant.voxels()));
  return LabelReader(dataset, instant, kind, std::move(voxels));
}

absl::StatusOr<Array3<uint64_t>> LabelReader::Read(const Box& box) const {
  CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> labels, voxels_->ReadBox(volume::kFinestScale, box));
  if (kind_ == LabelKind::kRoots) {
    CLEAVE_RETURN_IF_ERROR(MapToRoots(dataset_.View(instant_.graph_time), labels.view()));
  }
  return labels;
}

absl::Status MapToRoots(const graph::GraphView& view, ArrayView3<uint64_t> labels) {
  absl::flat_hash_map<uint64_t, uint64_t> root_of;
  ForEachRow(labels, [&](std::span<uint64_t> row) {
    uint64_t last = 0;
    for (const uint64_t label : row) {
      if (label != last) {
        last = label;
        root_of.try_emplace(label, 0);
      }
    }
  });
  root_of.erase(0);
  std::vector<graph::NodeId> supervoxels;
  for (const auto& [supervoxel, root] : root_of) {
    supervoxels.push_back(graph::NodeId{supervoxel});
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::NodeId> roots, view.Roots(supervoxels));
  for (size_t i = 0; i < roots.size(); ++i) {
    if (roots[i] == graph::NodeId{}) {
      return absl::DataLossError(
          absl::StrCat("supervoxel ", Value(supervoxels[i]), " has voxels but no root; run `cleave fsck`"));
    }
    root_of[Value(supervoxels[i])] = Value(roots[i]);
  }
  root_of[0] = 0;
  ForEachRow(labels, [&](std::span<uint64_t> row) {
    uint64_t last = 0;
    uint64_t root = 0;
    for (uint64_t& label : row) {
      if (label != last) {
        last = label;
        root = root_of[label];
      }
      label = root;
    }
  });
  return absl::OkStatus();
}

}  // namespace cleave::cli
