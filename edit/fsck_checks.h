// The parts of fsck: what they share, and one function for each thing that is looked through.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/progress.h"
#include "edit/event_index.h"
#include "edit/fsck.h"
#include "edit/fsck_history.h"
#include "edit/operation_log.h"
#include "graph/dataset.h"
#include "store/store.h"
#include "table/row_keys.h"
#include "table/table.h"
#include "volume/volume.h"

namespace cleave::edit {

// The dataset as it would be after a repair: what a plan is judged by before anything is written.
struct FsckOverlay {
  const table::TableReader* table = nullptr;       // nullptr: the stored table
  std::span<const store::KeyedWrite> voxels = {};  // over the newest version of the database
  // What the segmentation then shows under the same keys: in a project over an original, a chunk without a key is the
  // original's.
  std::span<const store::KeyedWrite> shown = {};
  // What the repair's event will have in the queue of the downsample workers.
  std::span<const Box> changed = {};
};

// As Fsck, of the dataset with the overlay.
[[nodiscard]] absl::StatusOr<FsckReport> FsckOver(graph::Dataset& dataset, const FsckOverlay& overlay,
                                                  const FsckOptions& options, Progress& progress);

// Collects what is found. Thread-safe.
class FsckFindings {
 public:
  explicit FsckFindings(int64_t findings_max) : findings_max_(findings_max) {}

  void Count(int invariant, int64_t checked);
  void Add(FsckFinding finding);
  // Findings in a fixed order, whatever order threads came in.
  [[nodiscard]] FsckReport Take();

 private:
  const int64_t findings_max_;
  std::mutex mutex_;
  FsckReport report_;
};

// The chunks whose voxels an operation may have written.
[[nodiscard]] std::set<ChunkPoint> ChunksWrittenBy(const graph::IdLayout& layout, const OperationRecord& record);

// Bytes of one stored chunk of the finest scale that no operation explains.
struct ForeignChange {
  std::string key;
  ChunkPoint chunk;  // of the volume's own grid
  Box box;
  uint64_t expected_generation = 0;  // the version in which an operation, or ingest, wrote what should still be there
  uint64_t seen_generation = 0;      // a version that holds something else
  bool built_upon = false;           // a later operation cut what it found there
};
[[nodiscard]] absl::StatusOr<std::vector<ForeignChange>> FindForeignChanges(graph::Dataset& dataset,
                                                                            std::span<const OperationRecord> log,
                                                                            const GenerationSpan& span,
                                                                            std::span<const store::KeyedWrite> overlay);

[[nodiscard]] inline std::string NodeKey(graph::NodeId id) { return table::NodeRowKey(Value(id)); }

// A cell of lineage that an operation's row implies.
struct LineageCell {
  graph::NodeId node{};
  table::Column column;
  std::string value;
  std::string words;  // "node 17: replaced by 18, 19"
};
// From which supervoxel each fragment of the log came, by its own row or, where that is damaged, by its former's.
using FormerOf = absl::flat_hash_map<graph::NodeId, graph::NodeId>;
[[nodiscard]] absl::StatusOr<FormerOf> FormersOf(const graph::IdLayout& layout, const table::TableReader& reader,
                                                 std::span<const OperationRecord> log);
// All of them have the operation's time. Fragments whose former is not known are left out.
[[nodiscard]] std::vector<LineageCell> LineageOf(const OperationRecord& record, const FormerOf& former_of);

// What the log says of events and their rows do not.
struct EventDifference {
  std::vector<EventRef> missing;
  std::vector<EventRef> invented;
};
// Operations from before the index, where it is not whole, are not missing; those whose row cannot be read are not
// invented.
[[nodiscard]] absl::StatusOr<EventDifference> CompareEvents(const table::TableReader& table,
                                                            std::span<const OperationRecord> log,
                                                            const std::set<graph::OperationId>& unreadable);

// Whether the rows of its new roots say that the operation has been carried out.
[[nodiscard]] absl::StatusOr<bool> HasTakenEffect(const table::TableReader& reader, const OperationRecord& record);

// One run of fsck. Thread-safe, but for Prepare, which comes first.
class FsckRun {
 public:
  FsckRun(graph::Dataset& dataset, const FsckOverlay& overlay, const FsckOptions& options, Progress& progress)
      : dataset_(dataset),
        overlay_(overlay),
        table_(overlay.table != nullptr ? *overlay.table : dataset.table()),
        options_(options),
        progress_(progress),
        findings_(options.findings_max),
        edited_rows_(dataset.meta().ingested, kEditedRowsBytes) {}

  [[nodiscard]] absl::Status Prepare();
  [[nodiscard]] absl::Status CheckVoxels();
  [[nodiscard]] absl::Status CheckHierarchy();
  [[nodiscard]] absl::Status CheckLineage();
  [[nodiscard]] absl::Status CheckOperations();
  [[nodiscard]] absl::Status CheckLocks();
  [[nodiscard]] absl::Status CheckScales();
  [[nodiscard]] absl::Status CheckEvents();
  [[nodiscard]] FsckReport Take();

 private:
  friend class VoxelCheck;
  friend class HierarchyCheck;

  // The segmentation at a generation; lives as long as the run.
  [[nodiscard]] absl::StatusOr<const volume::Volume*> VolumeAt(uint64_t generation);
  [[nodiscard]] absl::StatusOr<std::unique_ptr<volume::Volume>> OpenVolume(uint64_t generation);
  [[nodiscard]] graph::GraphView View(absl::Time time) const { return {dataset_.layout(), table_, time}; }
  [[nodiscard]] absl::Status CheckVoxelsOfChunk(ChunkPoint chunk);
  [[nodiscard]] absl::Status CheckNodesOfChunk(const graph::ChunkAddress& chunk);
  [[nodiscard]] absl::Status CheckMovedVoxels(uint64_t generation, const std::vector<const OperationRecord*>& records);
  [[nodiscard]] absl::Status CheckForeignVoxels();
  [[nodiscard]] absl::Status CheckSplitApart(const OperationRecord& record);
  [[nodiscard]] absl::StatusOr<std::vector<Box>> WaitingBoxes() const;
  [[nodiscard]] absl::Status CheckEnded(const std::set<uint64_t>& running);
  [[nodiscard]] uint64_t GenerationAt(absl::Time time) const;
  // Whether a supervoxel is in the voxels at a moment although others stood for it, or for what it was cut from later,
  // because an undo gave them back since and no version tells the times apart: in a graph that was loaded with the
  // segmentation of the end. REQUIRES: `histories` has the supervoxel and what it ever came from.
  [[nodiscard]] bool CameBackUnseen(const NodeHistories& histories, graph::NodeId supervoxel,
                                    const Moment& moment) const;
  // Whether the supervoxels that were found at the points of a split are those of its log, as far as that can be told.
  [[nodiscard]] absl::StatusOr<bool> AgreesWithLog(const OperationRecord& record,
                                                   const std::vector<graph::NodeId>& found,
                                                   const std::vector<graph::NodeId>& logged);
  // Of each supervoxel; 0 where it leads to none, whatever the rows hold.
  [[nodiscard]] absl::StatusOr<std::vector<graph::NodeId>> RootsAt(std::span<const graph::NodeId> supervoxels,
                                                                   absl::Time time);

  static constexpr size_t kEditedRowsBytes = size_t{256} << 20;

  graph::Dataset& dataset_;
  const FsckOverlay& overlay_;
  const table::TableReader& table_;
  const FsckOptions& options_;
  Progress& progress_;
  FsckFindings findings_;
  EditedRows edited_rows_;
  std::vector<OperationRecord> log_;
  std::set<graph::OperationId> unreadable_;  // whose rows are not in log_
  GenerationSpan span_;
  std::vector<Moment> moments_;
  std::vector<Moment> versions_;  // from each time on, the newest version that an operation wrote; ascending
  std::map<ChunkPoint, std::vector<uint64_t>> changes_;  // generations that changed voxels of a chunk, ascending
  std::mutex volumes_mutex_;
  std::map<uint64_t, std::unique_ptr<volume::Volume>> volumes_;
};

}  // namespace cleave::edit
