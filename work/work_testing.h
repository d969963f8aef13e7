// What the tests of this room share: projects with several scales, and what must be true of them. Not for product code.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "volume/downsample.h"
#include "work/downsample_worker.h"
#include "work/event_stream.h"

namespace cleave::work {

inline constexpr Extent3 kSmallExtent{80, 64, 40};

// A project of blobs in storage chunks of 16 voxels along an axis, so that several scales have several chunks.
inline void MakeProject(const std::string& folder, std::mt19937_64& random, VoxelPoint offset = {},
                        Extent3 extent = kSmallExtent) {
  edit::IngestLabels(folder, edit::RandomBlobs(random, extent, 12),
                     {.chunk_size = {16, 16, 16}, .voxel_size_nm = {8, 8, 20}, .voxel_offset = offset});
}

// Every scale equals a fresh downsample of the finest, by plain arrays.
inline void ExpectFreshScales(graph::Dataset& dataset) {
  const volume::Volume& volume = dataset.segmentation();
  const std::vector<volume::Scale>& scales = volume.info().scales;
  Array3<uint64_t> fine = volume.ReadBox(0, scales[0].bounds()).value();
  for (int scale = 1; scale < volume.scale_count(); ++scale) {
    const volume::Scale& finer = scales[static_cast<size_t>(scale - 1)];
    const volume::Scale& coarser = scales[static_cast<size_t>(scale)];
    const auto ratio = [](double a, double b) { return static_cast<int64_t>(a / b + 0.5); };
    const Extent3 factor{ratio(coarser.resolution.x, finer.resolution.x),
                         ratio(coarser.resolution.y, finer.resolution.y),
                         ratio(coarser.resolution.z, finer.resolution.z)};
    Array3<uint64_t> expected(coarser.size);
    volume::DownsampleLabels(std::as_const(fine).view(), finer.voxel_offset, factor, expected.view());
    const auto stored = volume.ReadBox(scale, coarser.bounds());
    ASSERT_TRUE(stored.ok()) << stored.status();
    int64_t wrong = 0;
    for (int64_t i = 0; i < expected.size(); ++i) {
      wrong += expected.data()[i] == stored->data()[i] ? 0 : 1;
    }
    EXPECT_EQ(wrong, 0) << "voxels of scale " << scale;
    fine = std::move(expected);
  }
}

// Events are the successful operations of the log, each once, by time.
inline void ExpectEventsEqualLog(graph::Dataset& dataset) {
  std::vector<edit::OperationRecord> log = edit::OperationLog(dataset.table()).ReadAll().value();
  std::erase_if(log, [](const auto& record) { return record.status != edit::OperationStatus::kSuccess; });
  std::ranges::sort(log, {}, &edit::OperationRecord::time);
  const auto page = ReadEvents(dataset, {}, 0);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->events.size(), log.size());
  for (size_t i = 0; i < log.size(); ++i) {
    EXPECT_EQ(page->events[i].id, log[i].id);
    EXPECT_EQ(page->events[i].old_roots, log[i].old_roots);
    EXPECT_EQ(page->events[i].new_roots, log[i].new_roots);
    EXPECT_EQ(page->events[i].changed_boxes, log[i].changed_boxes);
  }
}

// Random edits by points: a split where both lie in one object, else a merge; now and then an undo.
class RandomEditor {
 public:
  RandomEditor(edit::OpenProject& project, uint64_t seed) : project_(project), random_(seed) {}

  absl::StatusOr<edit::EditReport> EditOnce() {
    const VoxelPoint p = Point();
    const VoxelPoint q = Point();
    if (random_() % 8 == 0 && last_ != graph::OperationId{}) {
      return project_.editor->Undo({.operation = std::exchange(last_, {}), .user = "test"});
    }
    auto report = edit::RootAt(*project_.dataset, p) == edit::RootAt(*project_.dataset, q)
                      ? project_.editor->Split({.sources = {p}, .sinks = {q}, .user = "test"})
                      : project_.editor->Merge({.source = p, .sink = q, .user = "test"});
    if (report.ok()) {
      last_ = report->operation;
    }
    return report;
  }

 private:
  VoxelPoint Point() {
    const Box box = project_.dataset->meta().volume;
    const auto pick = [&](int64_t lo, int64_t hi) {
      return lo + static_cast<int64_t>(random_() % static_cast<uint64_t>(hi - lo));
    };
    return {pick(box.lo.x, box.hi.x), pick(box.lo.y, box.hi.y), pick(box.lo.z, box.hi.z)};
  }

  edit::OpenProject& project_;
  std::mt19937_64 random_;
  graph::OperationId last_{};
};

// Edits until `splits` of them changed voxels.
inline void EditUntilVoxelsChange(edit::OpenProject& project, uint64_t seed, int splits) {
  RandomEditor editor(project, seed);
  for (int tries = 0; splits > 0 && tries < 400; ++tries) {
    const auto report = editor.EditOnce();
    splits -= report.ok() && !report->changed_boxes.empty() ? 1 : 0;
  }
  ASSERT_EQ(splits, 0) << "no edits that change voxels";
}

}  // namespace cleave::work
