// Keeps the coarser scales of a project true to its edits: reads the events of the group "downsample" and rewrites what
// is above their voxel boxes (downsample.h).
//
//   DownsampleWorker worker(dataset, {});
//   CLEAVE_ASSIGN_OR_RETURN(const WorkDone done, worker.Drain());          // until nothing is left
//
// Several workers share the events (event_claims.h). An event is handled as soon as its operation has succeeded, also
// while an operation with an earlier time is still in flight: what a worker does depends on the voxels alone, not on
// the order. The group's offset moves on only over events that nothing can come before any more, and that all have been
// handled; so after a crash some are handled again, which writes nothing where it is done.
//
// Voxels also change when an operator takes an operation back after it had written them (edit/take_back.h). Its boxes
// are in the queue like an event's, under a row of their own.
//
// A project whose coarser scales were never filled (graph/scales.h) is left as it is until FillScales.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/progress.h"
#include "edit/event_index.h"
#include "graph/dataset.h"
#include "work/downsample.h"
#include "work/event_claims.h"

namespace cleave::work {

struct WorkDone {
  int64_t events = 0;  // handled, with or without voxels
  int64_t blocks = 0;
  int64_t chunks_written = 0;
  WorkDone& operator+=(const WorkDone& other);
};

// What waits in the queue of the coarser scales.
struct DownsampleQueue {
  bool kept = false;                           // whether the project keeps its coarser scales at all
  int64_t events = 0;                          // not handled, or handled but not yet passed by the offset
  std::vector<Box> boxes;                      // of these, and of operations that were taken back; voxels of scale 0
  absl::Time acknowledged;                     // the group's offset
  absl::Time oldest = absl::InfiniteFuture();  // of the events
};
[[nodiscard]] absl::StatusOr<DownsampleQueue> ReadDownsampleQueue(graph::Dataset& dataset);

// Gives free what workers of a process that has ended held. For the start of the only process that has the dataset
// open: elsewhere such locks expire.
[[nodiscard]] absl::Status ReleaseDeadWorkers(graph::Dataset& dataset);

// Not thread-safe, but for Stop; several workers may work on one dataset, which must outlive them.
class DownsampleWorker {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<DownsampleWorker>> Create(graph::Dataset& dataset,
                                                                                const DownsampleOptions& options);

  // Handles some of what waits and returns how much; nothing when there is nothing that others do not work on.
  [[nodiscard]] absl::StatusOr<WorkDone> Step();
  // Steps until nothing waits. UNAVAILABLE when another worker holds an event for longer than a claim lives.
  [[nodiscard]] absl::StatusOr<WorkDone> Drain();
  // Makes all coarser scales anew, writes what is not as it should be, and says that they are kept from now on.
  [[nodiscard]] absl::StatusOr<WorkDone> FillScales(Progress& progress);
  void Stop() { downsampler_->Stop(); }

 private:
  DownsampleWorker(graph::Dataset& dataset, const DownsampleOptions& options, std::unique_ptr<Downsampler> downsampler);
  [[nodiscard]] absl::StatusOr<WorkDone> HandleReverted();
  [[nodiscard]] absl::StatusOr<WorkDone> HandleEvents(const std::vector<edit::EventRef>& waiting);
  // Moves the offset over what is handled, as far as it may; whether it moved.
  [[nodiscard]] absl::StatusOr<bool> MoveOn(absl::Time acknowledged, const std::vector<edit::EventRef>& listed);

  graph::Dataset& dataset_;
  const DownsampleOptions options_;
  std::unique_ptr<Downsampler> downsampler_;
  EventClaims claims_;
  std::set<edit::EventRef> handled_;  // later than the group's offset
};

}  // namespace cleave::work
