#include "edit/apply.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "edit/earlier_voxels.h"
#include "edit/event_index.h"
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

// Before anything is turned on, so that the operation can still be taken back.
absl::Status RequireChunksAsRead(ocdbt::Database& database, const Intent& part) {
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, database.Newest());
  CLEAVE_ASSIGN_OR_RETURN(const bool written, HoldsMarker(newest, part.operation));
  for (const store::KeyedWrite& write : part.voxels) {
    if (written || !write.if_generation.has_value()) {
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(const store::Generation now, newest.KeyGeneration(write.key));
    if (now != *write.if_generation) {
      return absl::InternalError(
          absl::StrCat("operation ", Value(part.operation),
                       " holds its chunk locks, yet a chunk has changed since it was read: ", write.key));
    }
  }
  return absl::OkStatus();
}

// Steps 2 and 3 of all parts of an intent whose rows of step 1 stand.
class Turner {
 public:
  Turner(graph::Dataset& dataset, const Intent& intent, std::vector<OperationRecord> records)
      : dataset_(dataset), intent_(intent), parts_(IntentParts(intent)), records_(std::move(records)) {}

  absl::StatusOr<std::vector<OperationRecord>> Run() {
    if (std::ranges::any_of(parts_, &Intent::graph_first)) {
      CLEAVE_RETURN_IF_ERROR(WaitForEarlierVoxels(dataset_.table().ordered(), intent_));
      for (const Intent* part : parts_) {
        CLEAVE_RETURN_IF_ERROR(RequireChunksAsRead(dataset_.database(), *part));
      }
    }
    std::vector<table::RowMutation> rows;  // still to be written
    for (size_t begin = 0, end = 0; begin < parts_.size(); begin = end) {
      const bool graph_first = parts_[begin]->graph_first;
      while (end < parts_.size() && parts_[end]->graph_first == graph_first) {
        ++end;
      }
      if (!graph_first) {
        CLEAVE_RETURN_IF_ERROR(WriteVoxelsOf(begin, end));
      }
      CLEAVE_RETURN_IF_ERROR(Claim());
      for (size_t i = begin; i < end; ++i) {
        rows.insert(rows.end(), parts_[i]->flip.begin(), parts_[i]->flip.end());
      }
      if (graph_first || end < parts_.size()) {
        CLEAVE_RETURN_IF_ERROR(dataset_.table().Apply(rows));
        CrashPoint("edit.graph_turned");
        rows.clear();
      }
      if (graph_first) {
        CLEAVE_RETURN_IF_ERROR(WriteVoxelsOf(begin, end));
      }
    }
    for (OperationRecord& record : records_) {
      record.status = OperationStatus::kSuccess;
      record.chunk_scope.clear();
      rows.push_back(EndedRow(record));
      rows.push_back(EventRow({record.time, record.id}));
    }
    CLEAVE_RETURN_IF_ERROR(dataset_.table().Apply(rows));
    CrashPoint("edit.flipped");
    return std::move(records_);
  }

 private:
  absl::Status WriteVoxelsOf(size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      if (!parts_[i]->voxels.empty()) {
        CLEAVE_ASSIGN_OR_RETURN(records_[i].written_generation, WriteVoxels(dataset_, *parts_[i]));
        CrashPoint("edit.voxels_written");
      }
    }
    return absl::OkStatus();
  }

  absl::Status Claim() {
    if (claimed_) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(claimed_, ClaimFlip(dataset_.table().ordered(), intent_.operation));
    if (!claimed_) {  // while this worker slept
      CLEAVE_RETURN_IF_ERROR(RemovePrepared(dataset_, intent_));
      return TakenBack(intent_);
    }
    CrashPoint("edit.flip_claimed");
    return absl::OkStatus();
  }

  graph::Dataset& dataset_;
  const Intent& intent_;
  const std::vector<const Intent*> parts_;
  std::vector<OperationRecord> records_;
  bool claimed_ = false;
};

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
  for (const Intent* part : parts) {
    CLEAVE_ASSIGN_OR_RETURN(OperationRecord record, log.Read(part->operation));
    records.push_back(std::move(record));
    prepare.insert(prepare.end(), part->prepare.begin(), part->prepare.end());
  }
  if (records.front().status == OperationStatus::kSuccess) {
    return records;
  }
  if (records.front().status != OperationStatus::kWriteStarted) {
    return TakenBack(intent);
  }
  CLEAVE_RETURN_IF_ERROR(dataset.table().ordered().Apply(prepare));
  CrashPoint("edit.prepared");
  return Turner(dataset, intent, std::move(records)).Run();
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
