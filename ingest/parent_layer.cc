// A batch of chunks:
//   1. All chunks are planned in parallel: this only reads.
//   2. In the order of chunks, every planned node gets its id. A chunk's counter is read when its first node comes, and
//      kept: nothing else gives out ids meanwhile.
//   3. Rows are encoded in parallel.
//   4. One atomic write: the rows, the counters, and the state.
#include "ingest/parent_layer.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/parallel.h"
#include "base/status.h"
#include "ingest/hierarchy_layers.h"
#include "ingest/node_rows.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::ingest {
namespace {

using graph::ChunkAddress;
using graph::Dataset;
using graph::IdLayout;
using graph::PlannedNode;
using graph::Segment;

constexpr int64_t kParentsPerThread = 8;  // in a batch, so that no thread waits for long

class ParentLayers {
 public:
  ParentLayers(const Workplace& workplace, Resumable resumable, IngestState& state)
      : dataset_(workplace.dataset),
        layout_(workplace.dataset.layout()),
        workplace_(workplace),
        resumable_(resumable),
        state_(state) {}

  absl::Status Make(LastLayer last_layer) {
    const int last = std::min(layout_.layer_count(), static_cast<int>(last_layer));
    for (; state_.layer <= last; ++state_.layer, state_.next_chunk = 0) {
      CLEAVE_RETURN_IF_ERROR(MakeLayer());
    }
    return absl::OkStatus();
  }

 private:
  using Parents = std::vector<NewParent>;  // of one chunk

  absl::Status MakeLayer() {
    const ChunkPoint counts = layout_.ChunkCounts(state_.layer);
    const int64_t chunk_count = counts.x * counts.y * counts.z;
    workplace_.progress.Begin(absl::StrCat("layer ", state_.layer), chunk_count, "chunks");
    workplace_.progress.Advance(state_.next_chunk);
    while (state_.next_chunk < chunk_count) {
      const int64_t begin = state_.next_chunk;
      std::vector<Parents> batch(
          static_cast<size_t>(std::min(kParentsPerThread * workplace_.threads, chunk_count - begin)));
      CLEAVE_RETURN_IF_ERROR(ForEach(batch, [&](size_t i) -> absl::Status {
        const int64_t index = begin + static_cast<int64_t>(i);
        const ChunkPoint position{index % counts.x, index / counts.x % counts.y, index / (counts.x * counts.y)};
        CLEAVE_ASSIGN_OR_RETURN(batch[i], PlanChunk({state_.layer, position}));
        return absl::OkStatus();
      }));
      CrashPoint("ingest.parents_planned");
      CLEAVE_RETURN_IF_ERROR(WriteBatch(std::move(batch)));
      CrashPoint("ingest.parents_written");
    }
    workplace_.progress.End();
    return absl::OkStatus();
  }

  // body(i) for every index of `items`, in parallel.
  template <typename Item, typename Body>
  absl::Status ForEach(const std::vector<Item>& items, Body body) const {
    return ParallelFor(static_cast<int64_t>(items.size()), workplace_.threads, [&](int64_t i) {
      return workplace_.clock.Time(Step::kParents, [&] { return body(static_cast<size_t>(i)); });
    });
  }

  absl::StatusOr<Parents> PlanChunk(const ChunkAddress& chunk) const {
    std::vector<ChildNode> children;
    for (const ChunkAddress& child_chunk : layout_.ChildChunks(chunk)) {
      CLEAVE_ASSIGN_OR_RETURN(std::vector<ChildNode> nodes, ReadNodes(layout_, dataset_.table(), child_chunk));
      std::ranges::move(nodes, std::back_inserter(children));
    }
    absl::StatusOr<Parents> parents = PlanParents(layout_, chunk, children);
    if (!parents.ok()) {
      return Annotate(parents.status(), absl::StrCat("chunk ", ToString(chunk.position), " of layer ", chunk.layer));
    }
    return parents;
  }

  // The segments that are taken in a chunk so far, to be counted on.
  absl::StatusOr<uint64_t*> UsedIn(const ChunkAddress& chunk) {
    const auto [used, is_new] = used_.emplace(chunk, 0);
    if (is_new) {
      CLEAVE_ASSIGN_OR_RETURN(
          const table::Row row,
          dataset_.table().ReadRow(table::ChunkCounterRowKey(Value(layout_.MakeNode(chunk, Segment{0}))),
                                   {.columns = {table::columns::kCounter}, .cells_per_column = 1}));
      if (const table::Cell* cell = row.Newest(table::columns::kCounter)) {
        CLEAVE_ASSIGN_OR_RETURN(const int64_t count, table::DecodeCounter(cell->value));
        used->second = static_cast<uint64_t>(count);
      }
    }
    return &used->second;
  }

  absl::StatusOr<PlannedNode> GiveId(NewParent parent) {
    CLEAVE_ASSIGN_OR_RETURN(uint64_t * used, UsedIn(parent.chunk));
    if (*used >= Value(layout_.SegmentLimit(parent.chunk.layer))) {
      return absl::ResourceExhaustedError(absl::StrCat("chunk ", ToString(parent.chunk.position), " of layer ",
                                                       parent.chunk.layer, " has no ids left"));
    }
    touched_.insert(parent.chunk);
    state_.roots += parent.chunk.layer == layout_.layer_count() ? 1 : 0;
    return PlannedNode{layout_.MakeNode(parent.chunk, Segment{++*used}), std::move(parent.children),
                       std::move(parent.cross_edges)};
  }

  absl::Status WriteBatch(std::vector<Parents> batch) {
    std::vector<std::vector<PlannedNode>> nodes(batch.size());
    for (size_t i = 0; i < batch.size(); ++i) {
      for (NewParent& parent : batch[i]) {
        CLEAVE_ASSIGN_OR_RETURN(PlannedNode node, GiveId(std::move(parent)));
        nodes[i].push_back(std::move(node));
      }
    }
    std::vector<std::vector<table::RowMutation>> parts(batch.size());
    CLEAVE_RETURN_IF_ERROR(ForEach(nodes, [&](size_t i) {
      for (const PlannedNode& node : nodes[i]) {
        AppendNodeRows(node, dataset_.meta().ingested, parts[i]);
      }
      return absl::OkStatus();
    }));
    std::vector<table::RowMutation> rows;
    for (std::vector<table::RowMutation>& part : parts) {
      std::ranges::move(part, std::back_inserter(rows));
    }
    for (const ChunkAddress& chunk : touched_) {
      AppendCounterRow(layout_, chunk, Segment{used_.at(chunk)}, dataset_.meta().ingested, rows);
    }
    touched_.clear();
    state_.next_chunk += static_cast<int64_t>(batch.size());
    CLEAVE_RETURN_IF_ERROR(workplace_.clock.Time(Step::kParents, [&] { return Apply(std::move(rows)); }));
    workplace_.progress.Advance(static_cast<int64_t>(batch.size()));
    return absl::OkStatus();
  }

  absl::Status Apply(std::vector<table::RowMutation> rows) const {
    if (resumable_ == Resumable::kNo) {
      return dataset_.ApplyUnsynced(rows);
    }
    rows.push_back(IngestStateRow(state_));
    return dataset_.table().ordered().Apply(rows);
  }

  Dataset& dataset_;
  const IdLayout& layout_;
  const Workplace& workplace_;
  const Resumable resumable_;
  IngestState& state_;
  std::map<ChunkAddress, uint64_t> used_;
  std::set<ChunkAddress> touched_;  // chunks that got nodes in this batch
};

}  // namespace

absl::Status MakeParentLayers(const Workplace& workplace, Resumable resumable, IngestState& state,
                              LastLayer last_layer) {
  return ParentLayers(workplace, resumable, state).Make(last_layer);
}

}  // namespace cleave::ingest
