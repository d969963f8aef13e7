#include "edit/apply.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "edit/lock_keys.h"
#include "edit/operation_turns.h"
#include "ocdbt/database.h"
#include "store/store.h"
#include "table/row_keys.h"
#include "table/row_locks.h"
#include "table/table.h"

namespace cleave::edit {
namespace {

ocdbt::WriteBatch BatchOf(const Intent& intent) {
  ocdbt::WriteBatch batch;
  for (const store::KeyedWrite& write : intent.voxels) {
    if (write.value.has_value()) {
      batch.Put(write.key, *write.value, write.if_generation);
    } else {
      batch.Delete(write.key, write.if_generation);
    }
  }
  batch.Put(VoxelMarkerKey(intent.operation), "", store::Generation::Absent());
  return batch;
}

absl::StatusOr<bool> HoldsMarker(const ocdbt::Snapshot& snapshot, graph::OperationId operation) {
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, snapshot.Read(VoxelMarkerKey(operation)));
  return read.value.has_value();
}

// The version that holds the operation's voxels.
absl::StatusOr<uint64_t> WriteVoxels(graph::Dataset& dataset, const Intent& intent) {
  const absl::StatusOr<ocdbt::CommitResult> committed = dataset.database().Commit(BatchOf(intent));
  if (committed.ok()) {
    return committed->generation.value;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> generation,
                          FindVoxelGeneration(dataset.database(), intent.operation));
  if (generation.has_value()) {
    return *generation;  // written before, by this process or by another
  }
  if (absl::IsAborted(committed.status())) {
    return absl::InternalError(absl::StrCat(
        "operation ", Value(intent.operation),
        " holds its chunk locks, yet a chunk has changed since it was read: ", committed.status().message()));
  }
  return committed.status();
}

absl::Status TakenBack(const Intent& intent) {
  return absl::AbortedError(absl::StrCat("operation ", Value(intent.operation), " was taken back; send it again"));
}

}  // namespace

std::string VoxelMarkerKey(graph::OperationId operation) {
  return absl::StrFormat("cleave/operation/%020d", Value(operation));
}

// A binary search, since a marker stays.
absl::StatusOr<std::optional<uint64_t>> FindVoxelGeneration(ocdbt::Database& database, graph::OperationId operation) {
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, database.Newest());
  CLEAVE_ASSIGN_OR_RETURN(const bool written, HoldsMarker(newest, operation));
  if (!written) {
    return std::nullopt;
  }
  uint64_t without = 0;
  uint64_t with = newest.generation().value;
  while (with - without > 1) {
    const uint64_t middle = without + (with - without) / 2;
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot snapshot, database.At(ocdbt::GenerationNumber{middle}));
    CLEAVE_ASSIGN_OR_RETURN(const bool holds, HoldsMarker(snapshot, operation));
    (holds ? with : without) = middle;
  }
  return with;
}

absl::StatusOr<uint64_t> VoxelGeneration(graph::Dataset& dataset) {
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, dataset.database().Newest());
  return newest.generation().value;
}

std::vector<const Intent*> IntentParts(const Intent& intent) {
  std::vector<const Intent*> parts = {&intent};
  for (const Intent& follower : intent.followers) {
    parts.push_back(&follower);
  }
  return parts;
}

absl::Status RemovePrepared(graph::Dataset& dataset, const Intent& intent) {
  std::vector<table::RowMutation> rows;
  for (const Intent* part : IntentParts(intent)) {
    for (const table::RowMutation& prepared : part->prepare) {
      table::RowMutation& row = rows.emplace_back(table::RowMutation{prepared.key, {}});
      for (const table::Change& change : prepared.changes) {
        if (const auto* set = std::get_if<table::SetCell>(&change)) {
          row.changes.emplace_back(table::DeleteCells{set->column, set->time});
        }
      }
    }
  }
  return dataset.table().ordered().Apply(rows);
}

absl::StatusOr<std::vector<OperationRecord>> ApplyIntent(graph::Dataset& dataset, const Intent& intent,
                                                         Stages& stages) {
  const Stages::Scope scope(stages, "apply");
  const std::vector<const Intent*> parts = IntentParts(intent);
  OperationLog log(dataset.table());
  std::vector<OperationRecord> records;
  std::vector<table::RowMutation> prepare;
  std::vector<table::RowMutation> flip;
  for (const Intent* part : parts) {
    CLEAVE_ASSIGN_OR_RETURN(OperationRecord record, log.Read(part->operation));
    records.push_back(std::move(record));
    prepare.insert(prepare.end(), part->prepare.begin(), part->prepare.end());
    flip.insert(flip.end(), part->flip.begin(), part->flip.end());
  }
  if (records.front().status == OperationStatus::kSuccess) {
    return records;
  }
  if (records.front().status != OperationStatus::kWriteStarted) {
    return TakenBack(intent);
  }
  CLEAVE_RETURN_IF_ERROR(dataset.table().ordered().Apply(prepare));
  CrashPoint("edit.prepared");
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i]->voxels.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(records[i].written_generation, WriteVoxels(dataset, *parts[i]));
      CrashPoint("edit.voxels_written");
    }
    records[i].status = OperationStatus::kSuccess;
    records[i].chunk_scope.clear();
    flip.push_back(EndedRow(records[i]));
  }
  CLEAVE_ASSIGN_OR_RETURN(const bool mine, ClaimFlip(dataset.table().ordered(), intent.operation));
  if (!mine) {  // while this worker slept
    CLEAVE_RETURN_IF_ERROR(RemovePrepared(dataset, intent));
    return TakenBack(intent);
  }
  CrashPoint("edit.flip_claimed");
  CLEAVE_RETURN_IF_ERROR(dataset.table().Apply(flip));
  CrashPoint("edit.flipped");
  return records;
}

absl::Status FinishOperation(graph::Dataset& dataset, Clock& clock, const InFlight& operation) {
  const std::vector<std::string> roots = RootLockKeys(operation.locked_roots);
  const std::vector<std::string> chunks = ChunkLockKeys(operation.chunk_scope);
  // Whatever of this a power cut takes back, the in-flight row comes back too, and recovery does it again.
  table::Table& table = dataset.table().ordered();
  table::RowLocks root_locks(table, clock, table::LockedRows::kRoots);
  table::RowLocks chunk_locks(table, clock, table::LockedRows::kChunks);
  CLEAVE_RETURN_IF_ERROR(chunk_locks.ReleaseIndefinite(chunks, Value(operation.id)));
  CrashPoint("edit.half_unlocked");
  CLEAVE_RETURN_IF_ERROR(root_locks.ReleaseIndefinite(roots, Value(operation.id)));
  CLEAVE_RETURN_IF_ERROR(chunk_locks.Release(chunks, Value(operation.id)));
  CLEAVE_RETURN_IF_ERROR(root_locks.Release(roots, Value(operation.id)));
  CrashPoint("edit.unlocked");
  CLEAVE_RETURN_IF_ERROR(dataset.intents().Delete(IntentKey(operation.id)));
  CrashPoint("edit.intent_removed");
  return OperationLog(table).RemoveInFlight(operation.id);
}

}  // namespace cleave::edit
