// One edit of whatever kind, as the editor carries it out: which roots it needs, and how it is planned.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/stages.h"
#include "edit/draft.h"
#include "edit/operation_log.h"
#include "edit/plan.h"
#include "edit/requests.h"
#include "edit/split_plan.h"
#include "graph/ids.h"

namespace cleave::edit {

// No task in particular.
inline constexpr size_t kNoTask = static_cast<size_t>(-1);

// How to plan beyond reading: locks L2 chunks before their voxels are read; empty for a preview.
using LockChunks = std::function<absl::Status(std::span<const ChunkPoint>)>;

// Not thread-safe. Resolve, then Plan, on the same draft; both may be called again when the state has changed.
class Task {
 public:
  virtual ~Task() = default;

  [[nodiscard]] virtual OperationKind kind() const = 0;
  [[nodiscard]] virtual const std::string& user() const = 0;
  [[nodiscard]] virtual const EditTerms& terms() const = 0;
  // Two requests with the same text are the same request. The key is no part of it.
  [[nodiscard]] virtual std::string Text() const = 0;

  // The roots that the edit replaces, ascending: those of the supervoxels that it names. INVALID_ARGUMENT and
  // OUT_OF_RANGE for a request that is wrong in itself, FAILED_PRECONDITION where the draft's state does not allow it.
  [[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> Resolve(const Draft& draft);
  // The same without a look at whether the state allows it: what to lock for a task that will see another state.
  [[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> RootsToLock(const Draft& draft);

  // What the edit changes; fills in what `record` (whose id is set) says about the request and its edges. Errors as
  // Resolve, and those of `lock_chunks`.
  [[nodiscard]] virtual absl::StatusOr<cleave::edit::Plan> Plan(const Draft& draft, const LockChunks& lock_chunks,
                                                                OperationRecord& record, Stages& stages) = 0;

 protected:
  // The supervoxels that the edit names, as the draft has them. The task keeps what it found for Check and Plan.
  [[nodiscard]] virtual absl::StatusOr<std::vector<graph::NodeId>> Look(const Draft& draft) = 0;
  // `roots`: one per supervoxel that Look returned.
  [[nodiscard]] virtual absl::Status Check(const Draft& draft, const std::vector<graph::NodeId>& supervoxels,
                                           const std::vector<graph::NodeId>& roots) = 0;
};

[[nodiscard]] std::unique_ptr<Task> MakeMergeTask(MergeRequest request);
[[nodiscard]] std::unique_ptr<Task> MakeSplitTask(SplitRequest request);
// Between points, where families that an earlier split cut are cut as it did.
[[nodiscard]] std::unique_ptr<Task> MakeSplitAgainTask(SplitRequest request, EarlierSplit earlier);
[[nodiscard]] std::unique_ptr<Task> MakeUndoTask(UndoRequest request);
[[nodiscard]] std::unique_ptr<Task> MakeRedoTask(RedoRequest request);
[[nodiscard]] std::unique_ptr<Task> MakeTask(const BatchItem& item);
// The plan of a preview: kept_preview.h.
struct PlannedOperation;
[[nodiscard]] std::unique_ptr<Task> MakePreviewTask(std::string token, PlannedOperation planned);

// The supervoxels at some points. INVALID_ARGUMENT for background, OUT_OF_RANGE outside the volume.
[[nodiscard]] absl::StatusOr<std::vector<MarkedPoint>> LookUpPoints(const Draft& draft,
                                                                    const std::vector<VoxelPoint>& points);
// INVALID_ARGUMENT for a side without points, or a point on two. Sides are sources, sinks, and any further ones.
[[nodiscard]] absl::Status CheckSides(const std::vector<std::vector<VoxelPoint>>& sides);
// INVALID_ARGUMENT for a pair of one supervoxel with itself; else as RequireSupervoxels.
[[nodiscard]] absl::Status CheckEdges(const Draft& draft, const std::vector<graph::EdgeEnds>& edges);
// Pieces of Task::Text.
[[nodiscard]] std::string TextOf(const std::vector<VoxelPoint>& points);
[[nodiscard]] std::string TextOf(const std::vector<graph::EdgeEnds>& edges);

}  // namespace cleave::edit
