// What a plan reads: the stored project, with what earlier plans of the same batch will write laid over it.
//
// A draft of a single edit is the stored project itself. In a batch that is done as a whole, every plan that is added
// changes what the next one sees: rows, supervoxels of points, edges.
//
// Rows of added plans get a provisional time, far in the future and one millisecond apart, so that cells of two plans
// in one column stay two cells. A later plan may copy such a cell with its time (the parents of a supervoxel that it
// cuts); FinalTimes gives those cells the time that the operation gets when it is committed.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "edit/plan.h"
#include "edit/voxel_split.h"
#include "graph/dataset.h"
#include "graph/graph_view.h"
#include "graph/ids.h"
#include "graph/local_graph.h"
#include "table/overlay_table.h"

namespace cleave::edit {

// Not thread-safe. The dataset must outlive it.
class Draft {
 public:
  explicit Draft(graph::Dataset& dataset) : dataset_(dataset) {}

  [[nodiscard]] graph::Dataset& dataset() const { return dataset_; }
  [[nodiscard]] const graph::IdLayout& layout() const { return dataset_.layout(); }
  [[nodiscard]] const table::TableReader& reader() const;
  [[nodiscard]] graph::GraphView Now() const { return {layout(), reader(), absl::InfiniteFuture()}; }
  [[nodiscard]] const volume::Volume& segmentation() const;
  [[nodiscard]] absl::StatusOr<graph::LocalGraph> LoadLocalGraph(std::span<const graph::NodeId> l2_nodes,
                                                                 graph::OuterEdges outer) const;

  // Lays the plan over the draft. Conditions of its voxel writes that speak of chunks of an earlier plan of the batch
  // are taken off: the store will not hold those before the batch is applied, and the chunks are locked until then.
  [[nodiscard]] absl::Status Add(Plan& plan);
  // Whether a cell with this time is one that an earlier plan of the batch will write: not to be stored before the
  // flip.
  [[nodiscard]] static bool IsProvisional(absl::Time time);
  // Puts `times[i]` into the cells of `plan` that were copied from the i-th plan that was added.
  static void FinalTimes(std::span<const absl::Time> times, Plan& plan);

 private:
  graph::Dataset& dataset_;
  std::optional<table::OverlayTable> rows_;
  std::unique_ptr<PlannedVolume> voxels_;
  absl::flat_hash_set<std::string> planned_chunks_;
  int64_t plan_count_ = 0;
};

}  // namespace cleave::edit
