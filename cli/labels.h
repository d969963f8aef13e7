// The segmentation at one instant, as supervoxels or as objects.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/array.h"
#include "base/geometry.h"
#include "edit/instant.h"
#include "graph/dataset.h"
#include "volume/volume.h"

namespace cleave::cli {

enum class LabelKind { kSupervoxels, kRoots };

// "supervoxels" or "roots"; INVALID_ARGUMENT for anything else.
[[nodiscard]] absl::StatusOr<LabelKind> ParseLabelKind(absl::string_view text);

// Reads boxes of ids. The dataset must outlive it. Not thread-safe.
class LabelReader {
 public:
  // NOT_FOUND when the instant's generation does not exist.
  [[nodiscard]] static absl::StatusOr<LabelReader> Open(graph::Dataset& dataset, const edit::Instant& instant,
                                                        LabelKind kind);
  // OUT_OF_RANGE when the box leaves the volume; DATA_LOSS naming a damaged object, or a supervoxel without a root.
  [[nodiscard]] absl::StatusOr<Array3<uint64_t>> Read(const Box& box) const;

 private:
  LabelReader(graph::Dataset& dataset, const edit::Instant& instant, LabelKind kind,
              std::unique_ptr<volume::Volume> voxels)
      : dataset_(dataset), instant_(instant), kind_(kind), voxels_(std::move(voxels)) {}

  graph::Dataset& dataset_;
  const edit::Instant instant_;
  const LabelKind kind_;
  std::unique_ptr<volume::Volume> voxels_;
};

// Replaces every supervoxel by its root in `view`; 0 stays 0.
[[nodiscard]] absl::Status MapToRoots(const graph::GraphView& view, ArrayView3<uint64_t> labels);

}  // namespace cleave::cli
