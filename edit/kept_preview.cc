#include "edit/kept_preview.h"

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "edit/intent.h"
#include "edit/operation_log.h"
#include "edit/operation_row.h"
#include "ocdbt/database.h"
#include "ocdbt/diff.h"
#include "store/store.h"
#include "table/table.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

constexpr size_t kDigestDigits = 16;

// Of the digest that the object begins with, after the magic.
std::string DigestDigits(absl::string_view object) {
  constexpr size_t kMagicBytes = 8;
  return object.size() < kMagicBytes + kDigestDigits / 2
             ? std::string()
             : absl::BytesToHexString(object.substr(kMagicBytes, kDigestDigits / 2));
}

std::string TokenText(const PreviewToken& token) {
  return absl::StrCat(absl::ToUnixMillis(token.made), "-", Value(token.operation), "-", token.digest);
}

// The row as it would be read after `mutation`.
table::Row RowAfter(const table::RowMutation& mutation) {
  table::Row row{mutation.key, {}};
  for (const table::Change& change : mutation.changes) {
    if (const auto* set = std::get_if<table::SetCell>(&change)) {
      row.cells[set->column] = {{set->time.value_or(absl::UnixEpoch()), set->value}};
    }
  }
  return row;
}

Intent ToKept(const PlannedOperation& planned, absl::Time made) {
  const Plan& plan = planned.plan;
  Intent kept{planned.record.id, made,           plan.prepare,     plan.voxels,     {},
              plan.old_roots,    plan.new_roots, plan.chunk_scope, plan.graph_first};
  kept.flip.push_back(OperationLog::RowOf(planned.record));
  kept.flip.insert(kept.flip.end(), plan.flip.begin(), plan.flip.end());
  return kept;
}

absl::StatusOr<PlannedOperation> FromKept(Intent kept) {
  if (kept.flip.empty()) {
    return absl::DataLossError("the preview has no operation");
  }
  PlannedOperation planned;
  CLEAVE_ASSIGN_OR_RETURN(planned.record, RecordOfRow(kept.operation, RowAfter(kept.flip.front())));
  kept.flip.erase(kept.flip.begin());
  planned.plan.prepare = std::move(kept.prepare);
  planned.plan.voxels = std::move(kept.voxels);
  planned.plan.flip = std::move(kept.flip);
  planned.plan.old_roots = std::move(kept.old_roots);
  planned.plan.new_roots = std::move(kept.new_roots);
  planned.plan.chunk_scope = std::move(kept.chunk_scope);
  planned.plan.graph_first = kept.graph_first;
  planned.plan.restored = planned.record.restored;
  planned.plan.fragments = planned.record.fragment_origins;
  planned.plan.new_l2_nodes = planned.record.new_l2_nodes;
  planned.plan.changed_boxes = planned.record.changed_boxes;
  return planned;
}

absl::Status DropOldPreviews(graph::Dataset& dataset, absl::Time now) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, dataset.previews().List({}));
  for (const std::string& key : keys) {
    const absl::StatusOr<PreviewToken> token = ParsePreviewToken(key);
    if (token.ok() && now - token->made > kPreviewLife) {
      CLEAVE_RETURN_IF_ERROR(dataset.previews().Delete(key));
    }
  }
  return absl::OkStatus();
}

absl::Status Changed(absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(what, " since the preview was made; ask for a new preview"));
}

absl::flat_hash_set<std::string> StorageKeys(const graph::Dataset& dataset, const volume::Volume& voxels,
                                             const std::vector<ChunkPoint>& scope) {
  absl::flat_hash_set<std::string> keys;
  for (const ChunkPoint chunk : scope) {
    const Box box = dataset.layout().ChunkBox({graph::kL2Layer, chunk});
    for (const ChunkPoint stored : voxels.grid(volume::kFinestScale).ChunksOver(box)) {
      keys.insert(voxels.ChunkKey(volume::kFinestScale, stored));
    }
  }
  return keys;
}

// The first storage chunk of the scope that another version has than `generation`.
absl::StatusOr<std::optional<std::string>> FindChangedChunk(graph::Dataset& dataset,
                                                            const std::vector<ChunkPoint>& scope, uint64_t generation) {
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, dataset.database().Newest());
  if (newest.generation().value == generation) {
    return std::nullopt;
  }
  const absl::StatusOr<ocdbt::Snapshot> then = dataset.database().At(ocdbt::GenerationNumber{generation});
  if (absl::IsNotFound(then.status())) {
    return absl::StrCat("any; version ", generation, " has been removed");
  }
  CLEAVE_RETURN_IF_ERROR(then.status());
  const absl::flat_hash_set<std::string> keys = StorageKeys(dataset, dataset.segmentation(), scope);
  std::optional<std::string> found;
  const auto visit = [&](const ocdbt::Difference& difference) -> absl::StatusOr<bool> {
    if (keys.contains(difference.key)) {
      found = std::string(difference.key);
    }
    return !found.has_value();
  };
  CLEAVE_RETURN_IF_ERROR(ocdbt::DiffSnapshots(*then, newest, {.compare_bytes = false}, visit).status());
  return found;
}

}  // namespace

absl::StatusOr<PreviewToken> ParsePreviewToken(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '-');
  int64_t made_ms = 0;
  uint64_t operation = 0;
  if (parts.size() == 3 && absl::SimpleAtoi(parts[0], &made_ms) && absl::SimpleAtoi(parts[1], &operation)) {
    const PreviewToken token{absl::FromUnixMillis(made_ms), graph::OperationId{operation}, std::string(parts[2])};
    const bool plain = token.digest.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (token.digest.size() == kDigestDigits && plain && TokenText(token) == text) {
      return token;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text.substr(0, 64), "' is no token of a preview; copy it as the preview printed it"));
}

absl::StatusOr<std::string> KeepPreview(graph::Dataset& dataset, absl::Time now, const PlannedOperation& planned) {
  CLEAVE_RETURN_IF_ERROR(DropOldPreviews(dataset, now));
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, EncodeIntent(ToKept(planned, now)));
  const std::string token = TokenText({now, planned.record.id, DigestDigits(bytes)});
  CLEAVE_RETURN_IF_ERROR(dataset.previews().Write(token, bytes).status());
  return token;
}

absl::StatusOr<PlannedOperation> ReadPreview(graph::Dataset& dataset, absl::Time now, absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(const PreviewToken token, ParsePreviewToken(text));
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, dataset.previews().Read(text));
  if (!read.value.has_value() || now - token.made > kPreviewLife) {
    return absl::NotFoundError(absl::StrCat("there is no preview ", text,
                                            ": it was committed or refused, or is older than ",
                                            absl::FormatDuration(kPreviewLife), "; ask for a new preview"));
  }
  if (DigestDigits(*read.value) != token.digest) {
    return absl::DataLossError(absl::StrCat(dataset.previews().Describe(text), " is not the preview that was kept"));
  }
  absl::StatusOr<Intent> kept = DecodeIntent(*read.value);
  absl::StatusOr<PlannedOperation> planned = kept.ok() ? FromKept(*std::move(kept)) : kept.status();
  return planned.ok() ? std::move(planned) : Annotate(planned.status(), dataset.previews().Describe(text));
}

absl::Status DropPreview(graph::Dataset& dataset, absl::string_view token) { return dataset.previews().Delete(token); }

absl::Status CheckPlanHolds(graph::Dataset& dataset, const Plan& plan, uint64_t read_generation) {
  const graph::GraphView now = dataset.Now();
  for (const graph::NodeId root : plan.old_roots) {
    if (const absl::Status status = now.RequireCurrentRoot(root); absl::IsFailedPrecondition(status)) {
      return Changed(absl::StrCat(status.message(), ": it was edited"));
    } else {
      CLEAVE_RETURN_IF_ERROR(status);
    }
  }
  if (plan.chunk_scope.empty()) {
    return absl::OkStatus();
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<std::string> chunk,
                          FindChangedChunk(dataset, plan.chunk_scope, read_generation));
  return chunk.has_value()
             ? Changed(absl::StrCat("voxels beside the cut were rewritten by another edit (chunk ", *chunk, ")"))
             : absl::OkStatus();
}

}  // namespace cleave::edit
