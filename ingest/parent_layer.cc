#include "ingest/parent_layer.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/parallel.h"
#include "base/status.h"
#include "ingest/hierarchy_layers.h"
#include "ingest/node_rows.h"

namespace cleave::ingest {
namespace {

using graph::ChunkAddress;
using graph::Dataset;
using graph::NodeId;

constexpr int64_t kParentsPerThread = 8;  // in a batch, so that no thread waits for long

absl::StatusOr<std::vector<NewParent>> PlanChunk(Dataset& dataset, const ChunkAddress& chunk) {
  std::vector<ChildNode> children;
  for (const ChunkAddress& child_chunk : dataset.layout().ChildChunks(chunk)) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<ChildNode> nodes, ReadNodes(dataset.layout(), dataset.table(), child_chunk));
    std::ranges::move(nodes, std::back_inserter(children));
  }
  return PlanParents(dataset.layout(), chunk, children);
}

// Names the planned nodes of a batch of chunks, writes their rows, and returns how many are roots.
absl::StatusOr<int64_t> WriteParents(Dataset& dataset, std::vector<std::vector<NewParent>> batch) {
  std::map<ChunkAddress, std::vector<NewParent*>> by_chunk;
  for (std::vector<NewParent>& parents : batch) {
    for (NewParent& parent : parents) {
      by_chunk[parent.chunk].push_back(&parent);
    }
  }
  int64_t roots = 0;
  std::vector<table::RowMutation> rows;
  for (const auto& [chunk, parents] : by_chunk) {
    const auto count = static_cast<int64_t>(parents.size());
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, dataset.ids().NewNodes(chunk, count));
    for (size_t i = 0; i < parents.size(); ++i) {
      AppendNodeRows({ids[i], std::move(parents[i]->children), std::move(parents[i]->cross_edges)},
                     dataset.meta().ingested, rows);
    }
    roots += chunk.layer == dataset.layout().layer_count() ? count : 0;
  }
  CLEAVE_RETURN_IF_ERROR(dataset.ApplyUnsynced(rows));
  return roots;
}

}  // namespace

absl::StatusOr<int64_t> MakeParentLayer(const Workplace& workplace, int layer) {
  Dataset& dataset = workplace.dataset;
  const ChunkPoint counts = dataset.layout().ChunkCounts(layer);
  const int64_t chunk_count = counts.x * counts.y * counts.z;
  const int64_t batch_size = kParentsPerThread * workplace.threads;
  int64_t roots = 0;
  workplace.progress.Begin(absl::StrCat("layer ", layer), chunk_count, "chunks");
  for (int64_t begin = 0; begin < chunk_count; begin += batch_size) {
    std::vector<std::vector<NewParent>> batch(static_cast<size_t>(std::min(batch_size, chunk_count - begin)));
    const auto plan = [&](int64_t i) -> absl::Status {
      const int64_t index = begin + i;
      const ChunkPoint position{index % counts.x, index / counts.x % counts.y, index / (counts.x * counts.y)};
      CLEAVE_ASSIGN_OR_RETURN(batch[static_cast<size_t>(i)], workplace.clock.Time(Step::kParents, [&] {
        return PlanChunk(dataset, {layer, position});
      }));
      workplace.progress.Advance(1);
      return absl::OkStatus();
    };
    CLEAVE_RETURN_IF_ERROR(ParallelFor(static_cast<int64_t>(batch.size()), workplace.threads, plan));
    CLEAVE_ASSIGN_OR_RETURN(const int64_t new_roots, workplace.clock.Time(Step::kParents, [&] {
      return WriteParents(dataset, std::move(batch));
    }));
    roots += new_roots;
  }
  workplace.progress.End();
  return roots;
}

}  // namespace cleave::ingest
