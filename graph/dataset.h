// One project on disk (or in buckets): the graph's table, the segmentation's versioned store, the edge files, the
// intents.
//
//   PROJECT/
//     project.json               what the graph is: GraphMeta
//     table/                     the embedded table
//     edges/                     edge files of ingest (edges.h), immutable
//     ocdbt/base/                the base segmentation, immutable once sealed; of an overlay its info alone
//     ocdbt/GRAPH_ID/            the fork: its own manifest and GRAPH_ID_d/ data files
//     intents/                   plans of operations that are committed but perhaps not yet applied
//     previews/                  plans that were shown and can be committed for an hour
//     meshes/                    what mesh workers make, unless they have a folder elsewhere (mesh/mesh_meta.h)
//
// An overlay (GraphMeta::original) has no copy of the voxels: a chunk that the fork does not have is read from the
// original, at every generation. Chunks have the same size and encoding in both; coarser scales are the fork's alone.
//
// A dataset is opened by one process at a time (the embedded table is locked). Thread-safe, but for SealBase, which
// runs alone. References that it hands out live as long as it does, those to the segmentation and its database until
// SealBase.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "graph/edges.h"
#include "graph/graph_meta.h"
#include "graph/graph_view.h"
#include "graph/id_allocator.h"
#include "graph/ids.h"

namespace cleave::ocdbt {
class Database;
}
namespace cleave::store {
class Store;
}
namespace cleave::table {
class Table;
struct RowMutation;
}  // namespace cleave::table
namespace cleave::volume {
class Volume;
}

namespace cleave::graph {

// A moment of the segmentation: a generation of the versioned store or a commit time; neither: the newest.
struct VoxelMoment {
  std::optional<uint64_t> generation;
  std::optional<absl::Time> time;
};

// What is put between a dataset and its table and stores: by tests to count, stop and order every effect, by recordings
// to note what is read.
struct DatasetSeams {
  // Over the dataset's table, which outlives what is returned. Empty: nothing.
  std::function<std::unique_ptr<table::Table>(table::Table& table)> table = {};
  // `name`: of stores of files "intents", "previews", "meshes", "fork" and "edges"; "voxels" is what the segmentation
  // is read through, where a key is a chunk: changes of voxels do not pass it. Empty: nothing.
  std::function<std::shared_ptr<store::Store>(absl::string_view name, std::shared_ptr<store::Store> store)> store = {};
};

class Dataset {
 public:
  ~Dataset();

  // Makes the folders, an empty table and an empty base. The base is unsealed: it can be filled, and takes
  // no edits. ALREADY_EXISTS when the folder holds a project (or anything else); INVALID_ARGUMENT as ValidateGraphMeta;
  // of an overlay the errors of volume::OpenOriginal. The base's chunks are 64 voxels along an axis, or as near to it
  // as divides an L2 chunk: none lies in two of these. The scales of volume::ScalePyramid are declared; ingest
  // fills them all (scales.h).
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Dataset>> Create(const std::string& folder,
                                                                       const GraphMeta& meta);
  // Create, or what a Create or an ingest that was stopped has left: its base is unsealed, and what is missing is made.
  // Of a project that is whole: Open. FAILED_PRECONDITION, naming the member, when the stored meta differs from `meta`
  // in anything but the time of ingest; else errors as Create and Open.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Dataset>> CreateOrResume(const std::string& folder,
                                                                               const GraphMeta& meta);
  // What another process is making, opened beside it without the table, which that one has: to read and fill the base
  // and the edge files. Every call of the table, and SealBase, is FAILED_PRECONDITION. NOT_FOUND when the
  // folder is no project, or its base is not made yet; FAILED_PRECONDITION when the base is sealed.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Dataset>> OpenWithoutTable(const std::string& folder);
  // Opens a project whose base is sealed, and its fork. NOT_FOUND when the folder is not a project; FAILED_PRECONDITION
  // when its ingest never ended, or the original of an overlay has changed; UNAVAILABLE when another process has it
  // open; DATA_LOSS naming what is damaged.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& folder,
                                                                     const DatasetSeams& seams = {});

  [[nodiscard]] const GraphMeta& meta() const;
  // Whether ingest has ended.
  [[nodiscard]] bool sealed() const;
  [[nodiscard]] const IdLayout& layout() const;
  [[nodiscard]] table::Table& table();
  [[nodiscard]] EdgeFiles& edges();
  [[nodiscard]] IdAllocator& ids();
  [[nodiscard]] store::Store& intents();
  [[nodiscard]] store::Store& previews();
  // The project's own folder of meshes, which need not exist. Writes of meshes are others'.
  [[nodiscard]] const std::shared_ptr<store::Store>& meshes();
  // The segmentation, newest version: the base before SealBase, the fork after.
  [[nodiscard]] volume::Volume& segmentation();
  // The versioned store under it; writes of several chunks are one commit.
  [[nodiscard]] ocdbt::Database& database();
  // The files of that store as they lie, to be read by others: the base's, and the fork's, whose own lie over the
  // base's in one folder. FAILED_PRECONDITION before SealBase for the fork's.
  [[nodiscard]] const store::Store& base_files() const;
  [[nodiscard]] absl::StatusOr<const store::Store*> ForkFiles() const;
  // The segmentation at a moment, read-only. NOT_FOUND when the store has no such version.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<volume::Volume>> SegmentationAt(const VoxelMoment& moment) const;
  // The version of the segmentation that ingest ended with: the newest of the base, which never changes once sealed.
  [[nodiscard]] absl::StatusOr<uint64_t> BaseGeneration() const;
  // TensorStore's kvstore specification of the fork, JSON text. Of an overlay it shows the present version, read-only,
  // and none that comes later: every chunk that was edited has a layer of its own. Empty when it cannot be given
  // (store/fall_through_store.h).
  [[nodiscard]] std::string KvStoreSpec() const;

  // Ingest only: rows in one atomic step, visible when it returns, on disk only after SealBase. FAILED_PRECONDITION
  // once the base is sealed.
  [[nodiscard]] absl::Status ApplyUnsynced(std::span<const table::RowMutation> mutations);
  // Ends ingest: the base never changes again, and the fork is made. Idempotent.
  [[nodiscard]] absl::Status SealBase();

  // Makes a project of its own of the same graph in `folder`, which must not exist or be empty: rows, edge files and
  // the voxels up to the version `last` of the segmentation. Files that never change are linked where the file system
  // can, else copied; what either project writes later is its own. `trim` may change the new table before the project
  // counts as one. Nobody may write meanwhile. Errors: ALREADY_EXISTS, NOT_FOUND for the version, those of `trim` and
  // of the file system; after any of these the folder holds no project.
  //
  // `graph_id`: the name of the new graph, "" for that of this one. A fork of another name writes under its own prefix,
  // and reads what this one wrote as a part of its base. FAILED_PRECONDITION for a name that the graph, or one that it
  // was copied from, had before: the files of that one are in the base.
  struct CopiedFiles {
    int64_t linked = 0;
    int64_t copied = 0;
  };
  [[nodiscard]] absl::StatusOr<CopiedFiles> CopyTo(const std::string& folder, uint64_t last,
                                                   const std::function<absl::Status(table::Table&)>& trim,
                                                   const std::string& graph_id = "") const;

  // The stored graph at a time.
  [[nodiscard]] GraphView View(absl::Time at) const;
  [[nodiscard]] GraphView Now() const { return View(absl::InfiniteFuture()); }

 private:
  Dataset();
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Dataset>> OpenUnsealed(const std::string& folder);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cleave::graph
