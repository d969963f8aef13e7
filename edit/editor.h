// Edits of a dataset: merges and splits, each planned whole, committed by one write, and finished by whoever finds it.
//
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Editor> editor, Editor::Open(*dataset));
//   CLEAVE_ASSIGN_OR_RETURN(const EditReport report, editor->Split({.sources = {p}, .sinks = {q}}));
//
// Points are voxels of scale 0. The supervoxel of a point is what the segmentation holds there now.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/stages.h"
#include "edit/operation_log.h"
#include "edit/plan.h"
#include "edit/split_plan.h"
#include "graph/dataset.h"
#include "graph/ids.h"

namespace cleave::edit {

struct MergeRequest {
  VoxelPoint source;
  VoxelPoint sink;
  std::string user;
};

struct SplitRequest {
  std::vector<VoxelPoint> sources;
  std::vector<VoxelPoint> sinks;
  std::string user;
};

struct EditReport {
  graph::OperationId operation{};  // 0 for a preview
  OperationKind kind = OperationKind::kSplit;
  absl::Time time;
  std::vector<graph::NodeId> old_roots;
  std::vector<graph::NodeId> new_roots;
  std::vector<graph::NodeId> new_l2_nodes;
  std::vector<Fragment> fragments;
  std::vector<graph::EdgeEnds> added_edges;
  std::vector<graph::EdgeEnds> removed_edges;
  // Split: the supervoxels around the cut, by what holds them together: the sources', the sinks', then the rest.
  std::vector<std::vector<graph::NodeId>> supervoxel_components;
  std::vector<Box> changed_boxes;
  int64_t changed_chunk_count = 0;
  // The version of the voxel store that holds the edit; for an edit of the graph alone, and for a preview, the version
  // that was there.
  uint64_t generation = 0;
  Stages stages;
};

struct RecoveredOperation {
  graph::OperationId id{};
  bool rolled_forward = false;  // else it had not reached its commit point and is now marked as failed
};

struct EditorOptions {
  Clock* clock = &Clock::System();
  // How often, and how far apart, an operation asks for a lock that another one holds.
  int lock_tries = 7;
  absl::Duration lock_wait = absl::Milliseconds(500);
};

// Thread-safe. The dataset must outlive the editor.
class Editor {
 public:
  // Finishes first what an earlier process left behind (Recover).
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Editor>> Open(graph::Dataset& dataset,
                                                                    const EditorOptions& options = {});

  // Errors that changed nothing: INVALID_ARGUMENT and OUT_OF_RANGE for points that cannot be used,
  // FAILED_PRECONDITION where the present state refuses the edit, UNAVAILABLE for locks held by others. From the first
  // lock on, a refused operation has a row in the log that says why.
  [[nodiscard]] absl::StatusOr<EditReport> Merge(const MergeRequest& request);
  [[nodiscard]] absl::StatusOr<EditReport> Split(const SplitRequest& request);
  // What Split would do: the same plan, thrown away. Ids in the report are not those a later split gets.
  [[nodiscard]] absl::StatusOr<EditReport> PreviewSplit(const SplitRequest& request);

  // What Open recovered.
  [[nodiscard]] const std::vector<RecoveredOperation>& recovered() const { return recovered_; }

 private:
  Editor(graph::Dataset& dataset, const EditorOptions& options) : dataset_(dataset), options_(options) {}

  [[nodiscard]] absl::Status Recover();
  [[nodiscard]] absl::StatusOr<std::vector<MarkedPoint>> LookUp(const std::vector<VoxelPoint>& points) const;
  [[nodiscard]] absl::StatusOr<SplitRequirements> Resolve(const SplitRequest& request) const;

  graph::Dataset& dataset_;
  const EditorOptions options_;
  std::vector<RecoveredOperation> recovered_;
};

}  // namespace cleave::edit
