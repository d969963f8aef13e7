// Looks through a whole dataset for anything that must always be true and is not: what `cleave fsck` runs, and the
// tests.
//
// The invariants, by the numbers of the project's design:
//   1  every voxel's supervoxel has a chain of parents to exactly one root, now and at every past time; every
//      supervoxel of the graph has voxels
//   2  a supervoxel's voxels lie in the chunk its id names; one born in a cut is a single 26-connected component
//   3  parents and children agree, in both directions; every cell can be decoded, and those that never change stand
//      once; a fresh supervoxel is, before its operation, an alias: it leads to the root of what it came from; the
//      lineage of roots and supervoxels is what the log says
//   4  roots are the connected components of active edges: an L2 node's supervoxels are joined inside their chunk, a
//      higher node's children by the edges of their layer, both ends of an active edge list it and share an ancestor,
//      and it is an edge of the segmentation or of an edit
//   5  an edit moves voxels from the supervoxels it cut to their fragments, and changes nothing else in their chunks;
//      nobody else changes voxels
//   6  after a successful split no source and sink share a root
//   7  no lock and no operation in flight is left behind; every operation's row says how it ended
//   8  every coarser scale is the downsample of the finest, but where the queue of the downsample workers still has
//   voxels
//      (newest state only; nothing to look at in a project whose coarser scales were never filled)
//   9  events are the successful operations by their times: none is missing and none invented
//
// Past times are those just before and at each operation, and the time of ingest. Voxels at a time are those of the
// newest version written by an operation up to it. A part of the graph that did not change is looked at once.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "graph/dataset.h"

namespace cleave::edit {

inline constexpr int kInvariantCount = 9;

struct FsckOptions {
  bool check_voxels = true;      // 1 and 2: reads every voxel once, and chunks that edits changed once per change
  bool check_hierarchy = true;   // 3 and 4
  bool check_operations = true;  // 5 and 6
  bool check_locks = true;       // 7
  bool check_scales = true;      // 8: reads every voxel of every scale once; not while operations may run
  bool check_events = true;      // 9; likewise
  // How many of the newest operations have their times looked at, and the time of ingest; older times are left out. 0:
  // only the newest state.
  int64_t past_operations_max = 1000;
  // How many findings are reported in full; all are counted.
  int64_t findings_max = 100;
  // Whether operations run meanwhile: then locks are findings only where nobody in flight holds them.
  bool operations_may_run = false;
  int threads = DefaultThreadCount();
};

struct FsckFinding {
  int invariant = 0;
  std::string what;
  std::vector<uint64_t> ids;  // nodes or operations that it is about
  std::optional<Box> where;   // voxels of scale 0
  std::string advice;         // what to do about it
};

struct FsckReport {
  // At [n - 1], of invariant n: how many cases were looked at, and how many broke it.
  std::array<int64_t, kInvariantCount> checked = {};
  std::array<int64_t, kInvariantCount> found = {};
  int64_t times = 0;  // moments that were looked at, now among them
  std::vector<FsckFinding> findings;

  [[nodiscard]] int64_t total_found() const;
  [[nodiscard]] bool clean() const { return total_found() == 0; }
};

// A few words for people on what an invariant says. REQUIRES: 1 <= invariant <= kInvariantCount.
[[nodiscard]] absl::string_view DescribeInvariant(int invariant);

// Read-only. Uses several threads; memory is a few chunks a thread. What is wrong in the data is a finding; an error is
// only what keeps it from being read, such as DATA_LOSS that names a damaged object.
[[nodiscard]] absl::StatusOr<FsckReport> Fsck(graph::Dataset& dataset, const FsckOptions& options, Progress& progress);

}  // namespace cleave::edit
