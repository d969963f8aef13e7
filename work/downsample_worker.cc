#include "work/downsample_worker.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/time/clock.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "edit/operation_log.h"
#include "edit/safe_time.h"
#include "graph/scales.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "work/event_stream.h"

namespace cleave::work {
namespace {

using edit::EventRef;
using edit::OperationRecord;

constexpr int64_t kEventsPerStep = 1000;  // looked at
constexpr size_t kClaimsPerStep = 16;     // with voxels; boxes of edits that lie together are rewritten together
constexpr absl::Duration kOthersWait = absl::Milliseconds(20);

absl::StatusOr<std::vector<Box>> BoxesOf(graph::Dataset& dataset, const std::vector<EventRef>& events) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<OperationRecord> records, ReadEventRecords(dataset, events));
  std::vector<Box> boxes;
  for (const OperationRecord& record : records) {
    boxes.insert(boxes.end(), record.changed_boxes.begin(), record.changed_boxes.end());
  }
  return boxes;
}

// Of operations that were taken back; none for one whose row is gone.
absl::StatusOr<std::vector<Box>> RevertedBoxes(graph::Dataset& dataset, graph::OperationId operation) {
  const absl::StatusOr<OperationRecord> record = edit::OperationLog(dataset.table()).Read(operation);
  if (absl::IsNotFound(record.status())) {
    return std::vector<Box>();
  }
  CLEAVE_RETURN_IF_ERROR(record.status());
  return record->changed_boxes;
}

absl::StatusOr<bool> ScalesAreKept(graph::Dataset& dataset) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<absl::Time> filled, graph::ReadScalesFilled(dataset.table()));
  return filled.has_value();
}

}  // namespace

WorkDone& WorkDone::operator+=(const WorkDone& other) {
  events += other.events;
  blocks += other.blocks;
  chunks_written += other.chunks_written;
  return *this;
}

absl::StatusOr<DownsampleQueue> ReadDownsampleQueue(graph::Dataset& dataset) {
  DownsampleQueue queue;
  CLEAVE_ASSIGN_OR_RETURN(queue.kept, ScalesAreKept(dataset));
  CLEAVE_RETURN_IF_ERROR(edit::EnsureEventIndex(dataset.table()));
  CLEAVE_ASSIGN_OR_RETURN(queue.acknowledged, edit::ReadAcknowledged(dataset.table(), edit::kDownsampleGroup));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<EventRef> events, edit::ListEvents(dataset.table(), queue.acknowledged, 0));
  queue.events = std::ssize(events);
  queue.oldest = events.empty() ? absl::InfiniteFuture() : events.front().time;
  CLEAVE_ASSIGN_OR_RETURN(queue.boxes, BoxesOf(dataset, events));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::OperationId> reverted, edit::ListRevertedVoxels(dataset.table()));
  for (const graph::OperationId operation : reverted) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Box> boxes, RevertedBoxes(dataset, operation));
    queue.boxes.insert(queue.boxes.end(), boxes.begin(), boxes.end());
  }
  return queue;
}

absl::Status ReleaseDeadWorkers(graph::Dataset& dataset) {
  std::vector<table::RowMutation> rows;
  for (const table::RowRange& range : {table::DownsampleLockRowRange(), EventClaims::RowRange()}) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> held,
                            dataset.table().ReadRange(range, {.columns = {table::columns::kLock}}, 0));
    for (const table::Row& row : held) {
      rows.push_back({row.key, {table::DeleteCells{table::columns::kLock, std::nullopt}}});
    }
  }
  return rows.empty() ? absl::OkStatus() : dataset.table().ordered().Apply(rows);
}

DownsampleWorker::DownsampleWorker(graph::Dataset& dataset, const DownsampleOptions& options,
                                   std::unique_ptr<Downsampler> downsampler)
    : dataset_(dataset),
      options_(options),
      downsampler_(std::move(downsampler)),
      claims_(dataset.table(), *options.clock, edit::kDownsampleGroup, options.lock_expiry) {}

absl::StatusOr<std::unique_ptr<DownsampleWorker>> DownsampleWorker::Create(graph::Dataset& dataset,
                                                                           const DownsampleOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Downsampler> downsampler, Downsampler::Create(dataset, options));
  return std::unique_ptr<DownsampleWorker>(new DownsampleWorker(dataset, options, std::move(downsampler)));
}

absl::StatusOr<WorkDone> DownsampleWorker::Step() {
  CLEAVE_ASSIGN_OR_RETURN(const bool kept, ScalesAreKept(dataset_));
  if (!kept) {
    return WorkDone{};
  }
  CLEAVE_ASSIGN_OR_RETURN(WorkDone done, HandleReverted());
  CLEAVE_RETURN_IF_ERROR(edit::EnsureEventIndex(dataset_.table()));
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time acknowledged,
                          edit::ReadAcknowledged(dataset_.table(), edit::kDownsampleGroup));
  std::erase_if(handled_, [&](const EventRef& event) { return event.time <= acknowledged; });
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<EventRef> events,
                          edit::ListEvents(dataset_.table(), acknowledged, kEventsPerStep));
  if (events.empty()) {
    return done;
  }
  std::vector<EventRef> waiting;
  std::ranges::copy_if(events, std::back_inserter(waiting),
                       [&](const EventRef& event) { return !handled_.contains(event); });
  CLEAVE_ASSIGN_OR_RETURN(const WorkDone handled, HandleEvents(waiting));
  done += handled;
  CrashPoint("downsample.before_acknowledge");
  CLEAVE_RETURN_IF_ERROR(MoveOn(acknowledged, events).status());
  return done;
}

absl::StatusOr<WorkDone> DownsampleWorker::HandleReverted() {
  WorkDone done;
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::OperationId> reverted, edit::ListRevertedVoxels(dataset_.table()));
  for (const graph::OperationId operation : reverted) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Box> boxes, RevertedBoxes(dataset_, operation));
    CLEAVE_ASSIGN_OR_RETURN(const DownsampleCounts counts, downsampler_->Update(boxes));
    const table::RowMutation rows[] = {edit::RemoveRevertedVoxelsRow(operation)};
    CLEAVE_RETURN_IF_ERROR(dataset_.table().ordered().Apply(rows));
    done += {1, counts.blocks, counts.chunks_written};
  }
  return done;
}

absl::StatusOr<WorkDone> DownsampleWorker::HandleEvents(const std::vector<EventRef>& waiting) {
  WorkDone done;
  CLEAVE_ASSIGN_OR_RETURN(const std::set<EventRef> by_others, claims_.Handled(waiting));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<OperationRecord> records, ReadEventRecords(dataset_, waiting));
  std::vector<EventRef> with_voxels;
  for (size_t i = 0; i < waiting.size(); ++i) {
    if (by_others.contains(waiting[i])) {
      handled_.insert(waiting[i]);
    } else if (records[i].changed_boxes.empty()) {
      handled_.insert(waiting[i]);
      ++done.events;
    } else {
      with_voxels.push_back(waiting[i]);
    }
  }
  if (with_voxels.empty()) {
    return done;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<EventRef> mine, claims_.Claim(with_voxels, kClaimsPerStep));
  absl::StatusOr<std::vector<Box>> boxes = BoxesOf(dataset_, mine);
  absl::StatusOr<DownsampleCounts> counts =
      boxes.ok() ? downsampler_->Update(*boxes) : absl::StatusOr<DownsampleCounts>(boxes.status());
  if (!counts.ok()) {
    claims_.GiveBack();
    return counts.status();
  }
  CrashPoint("downsample.updated");
  CLEAVE_RETURN_IF_ERROR(claims_.Finish());
  handled_.insert(mine.begin(), mine.end());
  done += {std::ssize(mine), counts->blocks, counts->chunks_written};
  return done;
}

absl::StatusOr<bool> DownsampleWorker::MoveOn(absl::Time acknowledged, const std::vector<EventRef>& listed) {
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time safe, SafeTimeOf(dataset_, listed));
  // What came before the last of them since they were listed must not be passed.
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<EventRef> events,
                          edit::ListEvents(dataset_.table(), acknowledged, kEventsPerStep));
  const auto end = std::ranges::find_if(
      events, [&](const EventRef& event) { return event.time > safe || !handled_.contains(event); });
  std::vector<EventRef> passed(events.begin(), end);
  while (!passed.empty() && end != events.end() && passed.back().time == end->time) {
    passed.pop_back();  // of one time all or none
  }
  if (passed.empty()) {
    return false;
  }
  CLEAVE_RETURN_IF_ERROR(edit::Acknowledge(dataset_.table(), edit::kDownsampleGroup, passed.back().time));
  CLEAVE_RETURN_IF_ERROR(claims_.Forget(passed));
  return true;
}

absl::StatusOr<WorkDone> DownsampleWorker::Drain() {
  WorkDone done;
  absl::Time give_up = absl::Now() + 2 * options_.lock_expiry;
  for (;;) {
    CLEAVE_ASSIGN_OR_RETURN(const WorkDone step, Step());
    done += step;
    CLEAVE_ASSIGN_OR_RETURN(const bool kept, ScalesAreKept(dataset_));
    CLEAVE_ASSIGN_OR_RETURN(const absl::Time acknowledged,
                            edit::ReadAcknowledged(dataset_.table(), edit::kDownsampleGroup));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<EventRef> left, edit::ListEvents(dataset_.table(), acknowledged, 0));
    const bool all_handled = std::ranges::all_of(left, [&](const EventRef& event) { return handled_.contains(event); });
    if (!kept || all_handled) {  // those that are handled wait for an operation in flight
      return done;
    }
    if (step.events > 0) {
      give_up = absl::Now() + 2 * options_.lock_expiry;
    } else if (absl::Now() > give_up) {
      return absl::UnavailableError("another worker holds events of the queue for longer than a claim lives");
    } else {
      absl::SleepFor(kOthersWait);
    }
  }
}

absl::StatusOr<WorkDone> DownsampleWorker::FillScales(Progress& progress) {
  CLEAVE_RETURN_IF_ERROR(edit::EnsureEventIndex(dataset_.table()));
  // What ends from here on has an event that stays in the queue.
  CLEAVE_ASSIGN_OR_RETURN(const edit::SafeTime safe,
                          edit::FindSafeTime(dataset_.table(), *options_.clock, dataset_.meta().ingested));
  CLEAVE_ASSIGN_OR_RETURN(const DownsampleCounts counts, downsampler_->UpdateAll(progress));
  const table::RowMutation rows[] = {graph::ScalesFilledRow(safe.time)};
  CLEAVE_RETURN_IF_ERROR(dataset_.table().Apply(rows));
  CLEAVE_RETURN_IF_ERROR(edit::Acknowledge(dataset_.table(), edit::kDownsampleGroup, safe.time));
  return WorkDone{0, counts.blocks, counts.chunks_written};
}

}  // namespace cleave::work
