// A small project with three objects, on each of which every kind of edit can be made. Not for product code.
//
// Chunks have 16 voxels along each axis. Places 0 and 1 lie in the same two chunks, place 2 in the two beside them. In
// each lies one object across both chunks: a long supervoxel family `a`; `b` and `d`, merged to it; `e`, merged to it
// and undone; and a bystander `c` that touches it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "edit/effects_testing.h"
#include "edit/operation_log.h"
#include "edit/plain_model_testing.h"
#include "edit/replay_testing.h"
#include "table/row_locks.h"

namespace cleave::edit {

enum class EditKind { kMerge, kGraphSplit, kSupervoxelSplit, kUndo, kRedo, kBatch, kPreviewCommit };
inline constexpr int kEditKinds = 7;
inline const char* NameOf(EditKind kind) {
  return std::array{
      "merge", "graph split", "supervoxel split", "undo", "redo", "batch", "preview commit"}[static_cast<size_t>(kind)];
}

inline constexpr int kPlaces = 3;

// Which voxels of one place lie in one object: the number of each voxel's object, in order of first appearance.
using PlaceState = std::vector<uint32_t>;
using PlaceStates = std::array<PlaceState, kPlaces>;

class PlacesProject {
 public:
  explicit PlacesProject(const std::string& folder) : origin_(folder + "/origin"), folder_(folder) {
    IngestLabels(origin_, Labels(), {.chunk_size = {16, 16, 16}, .voxel_size_nm = kModelVoxelSize});
    kept_ = Open(origin_);
    model_.emplace(*kept_.dataset);
    labels_ = ExportSupervoxels(*kept_.dataset);
    for (int place = 0; place < kPlaces; ++place) {
      Prepare(place);
    }
    std::vector<OperationRecord> log = OperationLog(kept_.dataset->table()).ReadAll().value();
    std::ranges::sort(log, {}, &OperationRecord::time);
    for (const OperationRecord& record : log) {
      Replay(*kept_.dataset, record, *model_, labels_);
      known_.insert(record.id);
    }
    pinned_time_ = log.back().time;
    pinned_generation_ = VoxelGeneration(*kept_.dataset).value();
    roots_ = RootsOf(*kept_.dataset, labels_);
    kept_.editor.reset();
    kept_.dataset.reset();
  }

  // A copy, open through `gate`.
  [[nodiscard]] std::unique_ptr<graph::Dataset> OpenCopy(const std::string& name, EffectGate& gate) const {
    const std::string to = absl::StrCat(folder_, "/", name);
    std::filesystem::remove_all(to);
    std::filesystem::copy(origin_, to, std::filesystem::copy_options::recursive);
    auto dataset = graph::Dataset::Open(to, Through(gate));
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return dataset.ok() ? *std::move(dataset) : nullptr;
  }

  // One edit of a kind in a place.
  [[nodiscard]] absl::Status Edit(Editor& editor, EditKind kind, int place, const std::string& user) const {
    const auto index = static_cast<size_t>(place);
    const SplitRequest cut{.sources = {InA(place, 5)}, .sinks = {InA(place, 20)}, .user = user};
    const MergeRequest merge{.source = InA(place, 7), .sink = VoxelPoint{7, Y(place) + 2, 12}, .user = user};
    switch (kind) {
      case EditKind::kMerge:
        return editor.Merge(merge).status();
      case EditKind::kGraphSplit:
        return editor.Split({.sources = {{5, Y(place) + 2, 2}}, .sinks = {InA(place, 20)}, .user = user}).status();
      case EditKind::kSupervoxelSplit:
        return editor.Split(cut).status();
      case EditKind::kUndo:
        return editor.Undo({.operation = to_undo_[index], .user = user}).status();
      case EditKind::kRedo:
        return editor.Redo({.operation = to_redo_[index], .user = user}).status();
      case EditKind::kBatch: {
        const auto report = editor.Run({.items = {merge, cut}, .as_a_whole = true});
        if (!report.ok() || report->done) {
          return report.status();
        }
        const auto why = std::ranges::find_if(
            report->items, [](const ItemReport& item) { return !absl::IsCancelled(item.status) && !item.status.ok(); });
        return why->status;
      }
      case EditKind::kPreviewCommit:
        return editor.CommitPreview(tokens_[index], user).status();
    }
    return absl::InternalError("no such kind");
  }

  [[nodiscard]] static PlaceStates StatesOf(const Array3<uint64_t>& labels,
                                            const std::map<uint64_t, uint64_t>& root_of) {
    PlaceStates states;
    for (int place = 0; place < kPlaces; ++place) {
      std::map<uint64_t, uint32_t> numbers;
      PlaceState& state = states[static_cast<size_t>(place)];
      for (int64_t z = 0; z < labels.extent().z; ++z) {
        for (int64_t y = Y(place) - 1; y < Y(place) + 7; ++y) {
          for (int64_t x = 0; x < labels.extent().x; ++x) {
            const uint64_t label = labels[{x, y, z}];
            const uint64_t root = label == 0 ? 0 : root_of.at(label);
            state.push_back(numbers.try_emplace(root, static_cast<uint32_t>(numbers.size())).first->second);
          }
        }
      }
    }
    return states;
  }

  // What a reader at now sees.
  [[nodiscard]] static PlaceStates LookNow(graph::Dataset& dataset) {
    const Array3<uint64_t> labels = ExportSupervoxels(dataset);
    return StatesOf(labels, RootsOf(dataset, labels));
  }

  // What a reader sees who holds on to the state before all edits.
  void ExpectThePast(graph::Dataset& dataset) const {
    const Array3<uint64_t> labels = ExportSupervoxels(dataset, pinned_generation_);
    EXPECT_TRUE(std::equal(labels.data(), labels.data() + labels.size(), labels_.data())) << "old voxels changed";
    EXPECT_EQ(RootsOf(dataset, labels, pinned_time_), roots_) << "old roots changed";
  }

  // The edits that were made, in order, each with what the plain model says of it. Those of a batch that was done as a
  // whole count as one. Expects that nothing is locked or in flight, and that fsck finds nothing.
  struct Step {
    std::string user;
    PlaceStates states;
  };
  [[nodiscard]] std::vector<Step> ReplayAll(graph::Dataset& dataset) const {
    const auto locks = table::ListLocks(dataset.table(), {.begin = "", .end = ""});
    EXPECT_TRUE(locks.ok() && locks->empty()) << "row " << locks->front().key << " is locked";
    EXPECT_TRUE(OperationLog(dataset.table()).ListInFlight()->empty());
    EXPECT_TRUE(dataset.intents().List({})->empty());
    ExpectClean(dataset);
    std::vector<Step> steps = {{"", StatesOf(labels_, roots_)}};
    PlainModel model = *model_;
    Array3<uint64_t> labels = labels_;
    std::vector<OperationRecord> log = OperationLog(dataset.table()).ReadAll().value();
    std::ranges::sort(log, {}, &OperationRecord::time);
    std::map<graph::OperationId, graph::OperationId> last_of_batch;
    for (const OperationRecord& record : log) {
      if (record.batch != graph::OperationId{}) {
        last_of_batch[record.batch] = record.id;
      }
    }
    for (const OperationRecord& record : log) {
      EXPECT_TRUE(record.status == OperationStatus::kSuccess || record.status == OperationStatus::kException)
          << "operation " << Value(record.id) << " is " << Name(record.status);
      if (known_.contains(record.id) || record.status != OperationStatus::kSuccess) {
        continue;
      }
      Replay(dataset, record, model, labels);
      if (record.batch == graph::OperationId{} || last_of_batch[record.batch] == record.id) {
        steps.push_back({record.user, StatesOf(labels, RootsOf(dataset, labels, record.time))});
      }
    }
    const Array3<uint64_t> now = ExportSupervoxels(dataset);
    EXPECT_TRUE(std::equal(now.data(), now.data() + now.size(), labels.data()))
        << "the voxels are not those that the operations wrote";
    EXPECT_EQ(model.Differences(dataset), "");
    return steps;
  }

 private:
  static int64_t Y(int place) { return 1 + 8 * place; }
  static VoxelPoint InA(int place, int64_t x) { return {x, Y(place) + 2, 7}; }

  static Array3<uint64_t> Labels() {
    Array3<uint64_t> labels({32, 24, 16});
    const auto fill = [&](const Box& box, uint64_t label) {
      for (int64_t z = box.lo.z; z < box.hi.z; ++z) {
        for (int64_t y = box.lo.y; y < box.hi.y; ++y) {
          for (int64_t x = box.lo.x; x < box.hi.x; ++x) {
            labels[{x, y, z}] = label;
          }
        }
      }
    };
    for (int place = 0; place < kPlaces; ++place) {
      const int64_t y = Y(place);
      const auto first = static_cast<uint64_t>(10 * place + 1);
      fill({{4, y, 4}, {28, y + 6, 12}}, first);       // a
      fill({{4, y, 2}, {10, y + 6, 4}}, first + 1);    // b
      fill({{6, y, 12}, {21, y + 6, 14}}, first + 2);  // c
      fill({{12, y, 2}, {16, y + 6, 4}}, first + 3);   // d
      fill({{18, y, 2}, {24, y + 6, 4}}, first + 4);   // e
    }
    return labels;
  }

  void Prepare(int place) {
    const auto index = static_cast<size_t>(place);
    Editor& editor = *kept_.editor;
    const auto merge = [&](int64_t x) {
      const auto report = editor.Merge({.source = VoxelPoint{x, Y(place) + 2, 2}, .sink = InA(place, x)});
      EXPECT_TRUE(report.ok()) << report.status();
      return report->operation;
    };
    static_cast<void>(merge(5));
    to_undo_[index] = merge(13);
    to_redo_[index] = merge(20);
    const auto undone = editor.Undo({.operation = to_redo_[index]});
    EXPECT_TRUE(undone.ok()) << undone.status();
    const auto preview = editor.Preview(SplitRequest{.sources = {InA(place, 10)}, .sinks = {InA(place, 26)}});
    EXPECT_TRUE(preview.ok()) << preview.status();
    tokens_[index] = preview->preview_token;
  }

  const std::string origin_;
  const std::string folder_;
  OpenProject kept_;
  std::optional<PlainModel> model_;
  Array3<uint64_t> labels_;
  std::map<uint64_t, uint64_t> roots_;
  absl::Time pinned_time_;
  uint64_t pinned_generation_ = 0;
  std::set<graph::OperationId> known_;  // made before the test began
  std::array<graph::OperationId, kPlaces> to_undo_{};
  std::array<graph::OperationId, kPlaces> to_redo_{};
  std::array<std::string, kPlaces> tokens_;
};

}  // namespace cleave::edit
