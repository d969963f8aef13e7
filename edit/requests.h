// What can be asked of an Editor, and what it answers. Points are voxels of scale 0; the supervoxel of a point is what
// the segmentation holds there now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "base/geometry.h"
#include "base/stages.h"
#include "edit/operation_log.h"
#include "edit/paint.h"
#include "edit/plan.h"
#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::edit {

// What every edit may say beside itself.
struct EditTerms {
  // A name the client gives to this edit. Asked again with the same key, the edit is not done again: its first result
  // is returned. The same key for another edit is refused. At most 256 bytes.
  std::string key;
  // Edit protected objects too; that ends their protection, and the log names them.
  bool override_protection = false;
};

// Joins objects at two points, or by edges.
struct MergeRequest {
  // Both or none. Without edges, the supervoxels at the points are joined.
  std::optional<VoxelPoint> source = {};
  std::optional<VoxelPoint> sink = {};
  std::string user = {};
  // Pairs of supervoxels. All of them together must make one object. Inactive edges between the pieces that a pair
  // would join take its place; where there are none, the pair is stored as a fake edge.
  std::vector<graph::EdgeEnds> edges = {};
  std::vector<float> affinities = {};  // for the log; none, or one per edge
  // Ends may lie in one object already; the edge is then stored all the same.
  bool allow_same_segment_merge = false;
  // Refuse ends that lie more than so many chunks apart on any axis.
  std::optional<int64_t> chebyshev_distance_max_chunks = {};
  EditTerms terms = {};
};

// Parts one object: between points or paint, where a cut is computed (a multicut), or by edges that are given.
struct SplitRequest {
  std::vector<VoxelPoint> sources = {};
  std::vector<VoxelPoint> sinks = {};
  std::string user = {};
  std::vector<graph::EdgeEnds> edges = {};  // pairs of supervoxels; no points then
  bool augment_paths = true;                // cut/graph_cut.h
  bool refuse_isolating_cut = true;         // the same
  // Further sides: each ends in other objects than all the rest. At most 62. A side needs points or paint.
  std::vector<std::vector<VoxelPoint>> more_sides = {};
  Paint paint = {};
  EditTerms terms = {};
};

// Takes back, or does again, a merge or split. An undo or redo stands for what it was about: the undo of an undo is a
// redo.
struct InverseRequest {
  graph::OperationId operation{};
  std::string user = {};
  // Undo of a split that cut supervoxels in voxels: give the voxels their old ids back, too.
  bool voxels = false;
  EditTerms terms = {};
};
struct UndoRequest : InverseRequest {};
struct RedoRequest : InverseRequest {};

struct EditReport {
  graph::OperationId operation{};  // 0 for a preview and in a dry run
  std::string preview_token;       // of a preview: commits exactly what the report tells
  OperationKind kind = OperationKind::kSplit;
  graph::OperationId target{};  // undo, redo: the merge or split that it was about
  bool repeated = false;        // the answer to a request that was carried out before, under the same key
  absl::Time time;
  std::vector<graph::NodeId> old_roots;  // those that the edit replaced
  std::vector<graph::NodeId> new_roots;
  std::vector<graph::NodeId> new_l2_nodes;
  std::vector<Fragment> fragments;
  std::vector<Restored> restored;  // an undo with voxels
  std::vector<graph::EdgeEnds> added_edges;
  std::vector<graph::EdgeEnds> removed_edges;
  std::vector<graph::NodeId> overridden;  // protected roots among the old ones
  // Split between points: the supervoxels around the cut, by what holds them together: the sources', the sinks', those
  // of further sides, then the rest. Not in a repeated answer.
  std::vector<std::vector<graph::NodeId>> supervoxel_components;
  std::vector<Box> changed_boxes;
  int64_t changed_chunk_count = 0;
  // The version of the voxel store that holds the edit; for an edit of the graph alone, and for a preview, the version
  // that was there.
  uint64_t generation = 0;
  Stages stages;
};

using BatchItem = std::variant<MergeRequest, SplitRequest, UndoRequest, RedoRequest>;

struct BatchRequest {
  std::vector<BatchItem> items = {};
  // All or none: each item sees what those before it do, all are committed by one write, as operations of their own
  // with consecutive times. Else each item stands for itself, and those that fail do not stop the rest.
  bool as_a_whole = false;
  // As EditTerms::key, for the batch. An item without a key of its own gets one of this and its number, so that the
  // same batch, sent again, does what is not done yet, and returns the first results of the rest.
  std::string key = {};
};

struct ItemReport {
  absl::Status status;  // why it was refused
  EditReport edit;      // if the status is OK
};

struct BatchReport {
  // Whether everything was done. As a whole: either this, or nothing was.
  bool done = false;
  std::vector<ItemReport> items;  // one per item, in order. As a whole and not done: one says why, the rest CANCELLED.
};

// Undoes the merges and splits of one user that stand, the newest first. Undos and redos of his are not looked at.
struct RollbackRequest {
  std::string user;
  absl::Time since = absl::InfinitePast();  // only operations at or after this time
  std::vector<graph::OperationId> skip = {};
  std::string as_user = {};  // whom the log names as the one who undid; empty: the user himself, as the field does
  EditTerms terms = {};      // the key of an undo is this one and the operation's number
};

struct RollbackItem {
  graph::OperationId operation{};
  absl::Status status;  // why it could not be undone; the rest went on
  EditReport edit;      // if the status is OK
};

}  // namespace cleave::edit
