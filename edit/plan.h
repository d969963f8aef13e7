// What one edit will change, whole, before anything is stored.
//
// A plan is made read-only (but for id counters, which may keep gaps). Its rows and chunks become an intent (intent.h),
// and the intent is applied (apply.h). Cells without a time get the operation's time when the intent is written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "base/geometry.h"
#include "graph/ids.h"
#include "store/store.h"
#include "table/table.h"

namespace cleave::edit {

// A supervoxel born in a voxel cut.
struct Fragment {
  graph::NodeId id{};
  graph::NodeId former{};  // the supervoxel it is a part of
  int side = 0;            // 1: sources, 2: sinks, 3 and more: further sides
  int64_t voxel_count = 0;
  friend bool operator==(const Fragment&, const Fragment&) = default;
};

// A fragment that gives its voxels back to the supervoxel it was cut from.
struct Restored {
  graph::NodeId fragment{};
  graph::NodeId supervoxel{};
  friend bool operator==(const Restored&, const Restored&) = default;
};

// The supervoxels that are made again; ascending, each once.
[[nodiscard]] std::vector<graph::NodeId> SupervoxelsOf(const std::vector<Restored>& restored);

struct Plan {
  // Rows that nothing points to yet: new nodes, and fresh supervoxels as aliases of what they came from.
  std::vector<table::RowMutation> prepare;
  // Chunks of the versioned segmentation, each on condition that it is still the one that was read.
  std::vector<store::KeyedWrite> voxels;
  // Rows that turn the new state on: parents, lineage, edges, the operation's result.
  std::vector<table::RowMutation> flip;

  std::vector<graph::NodeId> old_roots;
  std::vector<graph::NodeId> new_roots;
  std::vector<Fragment> fragments;
  std::vector<Restored> restored;
  std::vector<graph::NodeId> new_l2_nodes;
  // The L2 chunks that are locked while voxels and edges change: those rewritten and one chunk around them.
  std::vector<ChunkPoint> chunk_scope;
  // Turn the graph before the voxels are written (apply.h): where old ids come back, which before lead elsewhere.
  bool graph_first = false;
  // The smallest boxes, one per voxel cut, that hold all changed voxels.
  std::vector<Box> changed_boxes;
  // A split between points: the supervoxels of the region after the cut, by what holds them together: those of each
  // side, then the rest.
  std::vector<std::vector<graph::NodeId>> supervoxel_components;
};

}  // namespace cleave::edit
