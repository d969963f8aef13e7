// A second project that begins as another one is now, or was at a past time, and goes its own way from there: a copy to
// try things on, or a way back from many edits without undoing them one by one.
//
//   1. The voxels are those of the version that belongs to the time (instant.h), with the history up to it.
//   2. All files that never change are shared as links (graph::Dataset::CopyTo); so a branch of the present is made in
//      the time that it takes to link files, whatever they hold.
//   3. For a past time, what came later is taken out of the new table: operations after it, with their events and marks
//      on others, and every cell of the graph that is later. Counters stay, so that no id is given twice in the two.
//   4. Consumers of events begin anew, but for the coarser scales' own place: it stays for the present, and is taken
//   back
//      to the beginning for a past time, since scales of the last edits may have been made after it.
//   5. Meshes of mesh workers: mesh/branch_meshes.h.
// What fsck mended stays mended. Past states before the time are the same in both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "edit/operation_log.h"
#include "graph/dataset.h"

namespace cleave::edit {

struct BranchReport {
  absl::Time time;          // of the last operation that is in it; of ingest if there is none
  uint64_t generation = 0;  // of the voxel store
  int64_t operation_count = 0;
  int64_t dropped_count = 0;  // operations that came later, failed ones among them
  std::string graph_id;
  std::string dynamic_mesh_dir;  // of its single meshes; "" where the project has no record of meshes
  graph::Dataset::CopiedFiles files;
};

// `folder` must not exist or be empty. `at`: none for the present. INVALID_ARGUMENT for a time before ingest;
// FAILED_PRECONDITION while an operation is in flight, or when its like was left behind; else errors as
// Dataset::CopyTo.
[[nodiscard]] absl::StatusOr<BranchReport> BranchProject(graph::Dataset& dataset, const std::string& folder,
                                                         std::optional<absl::Time> at);

// A graph of its own, `graph_id`, that begins as this one is: as a branch of the present, and
//   1. its fork writes under the name of the new graph, over the base and all that this one has written;
//   2. meshes of nodes that edits make go to a folder of its own, "dynamic_" + `graph_id`; shards are shared;
//   3. the record of the graph for others (row "meta") has the new name.
// So both may stand in one table, bucket or folder of meshes one day and write none of the other's files. Errors as
// BranchProject; INVALID_ARGUMENT for what cannot name a graph, or is this one's name; FAILED_PRECONDITION for a name
// that an earlier one had, or whose meshes are there.
[[nodiscard]] absl::StatusOr<BranchReport> CopyProject(graph::Dataset& dataset, const std::string& folder,
                                                       const std::string& graph_id);

// How two projects that were one have gone apart, by their logs.
struct LogDifference {
  int64_t common_count = 0;                 // operations that both have
  absl::Time common_until;                  // the time of the last of these; InfinitePast if there is none
  std::vector<OperationRecord> only_first;  // successful ones, by time
  std::vector<OperationRecord> only_second;
};
// FAILED_PRECONDITION when they are not of one ingest. Names of copies may differ.
[[nodiscard]] absl::StatusOr<LogDifference> DiffProjects(graph::Dataset& first, graph::Dataset& second);

}  // namespace cleave::edit
