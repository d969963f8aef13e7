// What happened to objects: the operation log seen from an object, and the differences between two times.
//
// Every answer is bounded; one that was cut says how to ask for the rest.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/geometry.h"
#include "edit/log_pages.h"
#include "edit/operation_log.h"
#include "graph/edges.h"
#include "graph/graph_view.h"
#include "graph/ids.h"
#include "graph/lineage.h"

namespace cleave::edit {

// One operation in the past of an object.
struct ObjectChange {
  OperationRecord operation;
  std::vector<graph::NodeId> before_roots;
  std::vector<graph::NodeId> after_roots;
  bool is_merge = false;
  // Whether the supervoxels at the operation's points are part of the object: all of them for a merge, any for a split.
  bool in_neuron = false;
  // A merge: these supervoxels were of different objects when the graph was ingested. A split: they are of different
  // objects now. Other operations did what another one undid, or what never mattered.
  bool is_relevant = false;
};

struct ChangeQuery {
  graph::NodeId root{};
  std::vector<graph::NodeId> continue_from = {};  // of an answer that was cut
  absl::Time not_before = absl::InfinitePast();   // leaves out former objects made before
  bool filtered = false;                          // only changes that are both in the neuron and relevant
  int64_t roots_max = graph::kLineageRootsMax;    // former objects looked at for one answer
};
struct ChangeLog {
  std::vector<ObjectChange> changes;         // ascending by operation
  std::vector<graph::NodeId> past_roots;     // ascending; the former objects looked at, without the root itself
  std::vector<graph::NodeId> continue_from;  // not empty when the answer was cut
};
// The operations that made an object and all it was made from. `view` is the present; `ingested` the time of ingest.
// A supervoxel that was cut meanwhile counts by its fragments. An operation at the border of two answers may be in
// both. NOT_FOUND when there is no such object.
[[nodiscard]] absl::StatusOr<ChangeLog> ReadChangeLog(const graph::GraphView& view, absl::Time ingested,
                                                      const ChangeQuery& query);

struct ChangeCount {
  int64_t splits = 0;
  int64_t merges = 0;
  friend bool operator==(const ChangeCount&, const ChangeCount&) = default;
};
struct ChangeSummary {
  ChangeCount all;
  std::map<std::string, ChangeCount> by_user;
  std::vector<graph::OperationId> operations;  // ascending
};
[[nodiscard]] ChangeSummary Summarize(const ChangeLog& log);

// What one merge joined: supervoxel pairs, and the points that were clicked (voxels).
struct MergeEntry {
  graph::OperationId operation{};
  std::vector<graph::EdgeEnds> edges;
  std::vector<VoxelPoint> sources;
  std::vector<VoxelPoint> sinks;
};
[[nodiscard]] std::vector<MergeEntry> MergesOf(const ChangeLog& log);

// How the set of objects at `window.after` became the one at `window.until`.
struct DeltaRoots {
  std::vector<graph::NodeId> old_roots;    // there at `after`, gone at `until`; ascending
  std::vector<graph::NodeId> new_roots;    // not there at `after`, there at `until`; ascending
  std::optional<graph::OperationId> next;  // go on from this operation; nullopt at the end. Pages do not overlap
};
// Operations that are looked at: `operations_max` from `from` on. All pages together are the difference.
[[nodiscard]] absl::StatusOr<DeltaRoots> ReadDeltaRoots(const graph::GraphView& view, const LogWindow& window,
                                                        graph::OperationId from, int64_t operations_max);
// The objects that operations of the window made or replaced, those that lived for a moment included. (PyChunkedGraph:
// get_proofread_root_ids.)
[[nodiscard]] absl::StatusOr<DeltaRoots> ReadProofreadRoots(const graph::GraphView& view, const LogWindow& window,
                                                            graph::OperationId from, int64_t operations_max);

struct UserQuery {
  std::string user;
  LogWindow window = {};
  bool include_undone = false;  // and undo and redo themselves
  graph::OperationId from{};
  int64_t operations_max = 1'000;  // of all users, looked at for one answer
};
[[nodiscard]] absl::StatusOr<LogPage> ReadUserOperations(const table::TableReader& reader, const UserQuery& query);

// When an object was made: its last edit, or the ingest. NOT_FOUND when there is none.
[[nodiscard]] absl::StatusOr<absl::Time> LastEditOf(const graph::GraphView& view, graph::NodeId root);

// The oldest time worth asking about: half a second before the first successful operation, but not before ingest; the
// time of ingest where there was no operation.
[[nodiscard]] absl::StatusOr<absl::Time> OldestTime(const table::TableReader& reader, absl::Time ingested);

}  // namespace cleave::edit
