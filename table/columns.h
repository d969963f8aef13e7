// The columns of a chunked graph's table, as KVDbClient 0.7 names them. After each: the row it stands on, the type of
// its cells and the functions of serializers.h that write and read them. "Array" is EncodeArray/DecodeArray;
// "compressed array" is EncodeCompressedArray/DecodeCompressedArray; "id text" is EncodeIdText/DecodeIdText.
//
// Families: 0 hierarchy, locks, operation status; 1 counters (one version is kept); 2 operation log; 3 data that may
// expire after 365 days; 4 cross-chunk, fake and split edges.
#pragma once

#include "absl/strings/str_cat.h"

#include "table/row_keys.h"
#include "table/table.h"

namespace cleave::table::columns {

// Layer of the node ids in a family of columns with one column a layer.
struct Layer {
  int value = 0;
};

// Hierarchy.
inline const Column kChild{"0", "children"};               // node of layer >= 2: compressed array of u64
inline const Column kParent{"0", "parents"};               // node below the top: one u64 (EncodeValue)
inline const Column kFormerParent{"0", "former_parents"};  // root: array of u64, the roots it was made from
inline const Column kNewParent{"0", "new_parents"};        // root: array of u64; there once the root is superseded
inline const Column kFormerIdentity{"0", "former_ids"};    // supervoxel: array of u64, what it was split from
inline const Column kNewIdentity{"0", "new_ids"};          // supervoxel: array of u64, what it was split into
inline const Column kStaleTimeStamp{"3", "stale_ts"};      // node: pickled time; a helper of migration
inline const Column kOperationId{"0", "operation_id"};     // root, new supervoxel, operation: id text

// Edges. Pairs are arrays of u64[n, 2], row by row.
[[nodiscard]] inline Column AtomicCrossChunkEdge(Layer layer) {  // L2 node of ingest: compressed array of pairs
  return {"3", absl::StrCat("atomic_cross_edges_", layer.value)};
}
[[nodiscard]] inline Column CrossChunkEdge(Layer layer) {  // node of at most that layer: compressed array of pairs
  return {"4", absl::StrCat("cross_edges_", layer.value)};
}
// On the row of edited edges of an L2 chunk (EditedEdgesRowKey).
inline const Column kFakeEdges{"4", "fake_edges"};                       // array of pairs
inline const Column kFakeEdgesVersion2{"3", "fake_edges"};               // the same in tables of version 2
inline const Column kSplitEdges{"4", "split_edges"};                     // array of pairs
inline const Column kAffinity{"0", "affinities"};                        // array of f32, one a split edge
inline const Column kArea{"0", "areas"};                                 // array of u64, one a split edge
inline const Column kCompactedSplitEdges{"4", "compacted_split_edges"};  // array of pairs
inline const Column kCompactedAffinity{"4", "compacted_affinities"};     // array of f32
inline const Column kCompactedArea{"4", "compacted_areas"};              // array of u64

// Concurrency.
inline const Column kCounter{"1", "counter"};                 // counter rows: i64 big-endian (Table::Increment)
inline const Column kLock{"0", "lock"};                       // root, chunk lock: id text of the operation
inline const Column kIndefiniteLock{"0", "indefinite_lock"};  // the same

// Operation log, on the row of the operation.
inline const Column kUserId{"2", "user"};                             // text
inline const Column kRootId{"2", "roots"};                            // array of u64
inline const Column kAddedEdge{"2", "added_edges"};                   // array of pairs
inline const Column kRemovedEdge{"2", "removed_edges"};               // array of pairs
inline const Column kOperationAffinity{"2", "affinities"};            // array of f32
inline const Column kSourceId{"2", "source_ids"};                     // array of u64
inline const Column kSinkId{"2", "sink_ids"};                         // array of u64
inline const Column kSourceCoordinate{"2", "source_coords"};          // array of i64[n, 3], voxels, (x, y, z)
inline const Column kSinkCoordinate{"2", "sink_coords"};              // array of i64[n, 3], voxels, (x, y, z)
inline const Column kBoundingBoxOffset{"2", "bb_offset"};             // array of i64[3], voxels, (x, y, z)
inline const Column kUndoOperationId{"2", "undo_operation_id"};       // id text
inline const Column kRedoOperationId{"2", "redo_operation_id"};       // id text
inline const Column kStatus{"0", "operation_status"};                 // pickled integer (pickle.h)
inline const Column kOperationException{"0", "operation_exception"};  // text
inline const Column kOperationTimeStamp{"0", "operation_ts"};         // pickled time (pickle.h)
inline const Column kL2ChunkLockScope{"0", "l2_chunk_lock_scope"};    // array of u64, L2 chunk ids

// The table itself.
inline const Column kMeta{"0", "meta"};        // row "meta": a pickle of the peer's own class; not read here
inline const Column kVersion{"0", "version"};  // row "version": text

}  // namespace cleave::table::columns
