#include "edit/take_back.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "edit/apply.h"
#include "edit/event_index.h"
#include "edit/operation_turns.h"
#include "ocdbt/database.h"
#include "store/store.h"
#include "table/table.h"

namespace cleave::edit {
namespace {

constexpr int kRestoreTries = 5;

std::string BackMarkerKey(graph::OperationId operation) {
  return absl::StrFormat("cleave/reverted/%020d", Value(operation));
}

// Chunks as they were before the operation, and as it left them. No value: no such chunk.
struct Restored {
  std::optional<std::string> before;
  std::optional<std::string> written;
};

class VoxelRestorer {
 public:
  VoxelRestorer(graph::Dataset& dataset, const Intent& intent) : database_(dataset.database()), intent_(intent) {}

  // The commit of step 2; nothing when the intent has no voxels.
  absl::StatusOr<std::optional<ocdbt::WriteBatch>> Plan() {
    ocdbt::WriteBatch batch;
    bool has_voxels = false;
    std::map<std::string, Restored> chunks;
    std::vector<const Intent*> parts = IntentParts(intent_);
    std::ranges::reverse(parts);  // the first of a batch knows what was there before all of it
    for (const Intent* part : parts) {
      if (part->voxels.empty()) {
        continue;
      }
      has_voxels = true;
      CLEAVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> written, FindVoxelGeneration(database_, part->operation));
      if (written.has_value()) {
        CLEAVE_RETURN_IF_ERROR(AddChunks(*part, *written, chunks));
      } else {
        batch.Put(VoxelMarkerKey(part->operation), "", store::Generation::Absent());
      }
    }
    if (!has_voxels) {
      return std::nullopt;
    }
    CLEAVE_RETURN_IF_ERROR(AddWrites(chunks, batch));
    batch.Put(BackMarkerKey(intent_.operation), "", store::Generation::Absent());
    return batch;
  }

 private:
  absl::Status AddChunks(const Intent& part, uint64_t written, std::map<std::string, Restored>& chunks) {
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot before, database_.At(ocdbt::GenerationNumber{written - 1}));
    for (const store::KeyedWrite& write : part.voxels) {
      CLEAVE_ASSIGN_OR_RETURN(store::ReadResult read, before.Read(write.key));
      Restored& chunk = chunks.try_emplace(write.key, Restored{{}, write.value}).first->second;
      chunk.before = std::move(read.value);
    }
    return absl::OkStatus();
  }

  absl::Status AddWrites(const std::map<std::string, Restored>& chunks, ocdbt::WriteBatch& batch) {
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, database_.Newest());
    for (const auto& [key, chunk] : chunks) {
      CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult now, newest.Read(key));
      if (now.value != chunk.written) {
        return absl::FailedPreconditionError(
            absl::StrCat("operation ", Value(intent_.operation), " cannot be taken back: ", key,
                         " has been written by others since; look with `cleave fsck`"));
      }
      if (chunk.before.has_value()) {
        batch.Put(key, *chunk.before, now.generation);
      } else {
        batch.Delete(key, now.generation);
      }
    }
    return absl::OkStatus();
  }

  ocdbt::Database& database_;
  const Intent& intent_;
};

absl::Status RestoreVoxels(graph::Dataset& dataset, const Intent& intent) {
  absl::Status status;
  for (int attempt = 0; attempt < kRestoreTries; ++attempt) {
    CLEAVE_ASSIGN_OR_RETURN(const bool done, VoxelsAreBack(dataset, intent.operation));
    if (done) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<ocdbt::WriteBatch> batch, VoxelRestorer(dataset, intent).Plan());
    if (!batch.has_value()) {
      return absl::OkStatus();
    }
    status = dataset.database().Commit(*batch).status();
    if (!absl::IsAborted(status)) {
      return status;
    }
  }
  return status;
}

// An error here changes nothing yet.
absl::Status ClaimForTakingBack(graph::Dataset& dataset, const Intent& intent) {
  CLEAVE_ASSIGN_OR_RETURN(const bool done, VoxelsAreBack(dataset, intent.operation));
  if (!done) {
    CLEAVE_RETURN_IF_ERROR(VoxelRestorer(dataset, intent).Plan().status());
  }
  CLEAVE_ASSIGN_OR_RETURN(const bool mine, ClaimTakeBack(dataset.table(), intent.operation));
  return mine ? absl::OkStatus()
              : absl::FailedPreconditionError(absl::StrCat(
                    "operation ", Value(intent.operation),
                    " cannot be taken back: it has begun to turn its new state on; replay it, then undo it"));
}

absl::Status MarkReverted(graph::Dataset& dataset, const Intent& intent) {
  OperationLog log(dataset.table());
  std::vector<const Intent*> parts = IntentParts(intent);
  std::ranges::reverse(parts);
  for (const Intent* part : parts) {
    CLEAVE_ASSIGN_OR_RETURN(OperationRecord record, log.Read(part->operation));
    record.status = OperationStatus::kException;
    record.failure = OperationFailure::kReverted;
    record.exception = "taken back by an operator after its commit point: nothing of it is left";
    record.chunk_scope.clear();
    std::vector<table::RowMutation> rows = {EndedRow(record)};
    if (!part->voxels.empty()) {
      rows.push_back(RevertedVoxelsRow(part->operation));
    }
    CLEAVE_RETURN_IF_ERROR(dataset.table().Apply(rows));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> VoxelsAreBack(graph::Dataset& dataset, graph::OperationId operation) {
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, dataset.database().Newest());
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult marker, newest.Read(BackMarkerKey(operation)));
  return marker.value.has_value();
}

absl::Status TakeBack(graph::Dataset& dataset, Clock& clock, const InFlight& operation, const Intent& intent) {
  CLEAVE_RETURN_IF_ERROR(ClaimForTakingBack(dataset, intent));
  CrashPoint("edit.take_back_claimed");
  CLEAVE_RETURN_IF_ERROR(RestoreVoxels(dataset, intent));
  CrashPoint("edit.voxels_back");
  CLEAVE_RETURN_IF_ERROR(RemovePrepared(dataset, intent));
  CrashPoint("edit.preparation_removed");
  CLEAVE_RETURN_IF_ERROR(MarkReverted(dataset, intent));
  CrashPoint("edit.reverted");
  return FinishOperation(dataset, clock, operation);
}

}  // namespace cleave::edit
