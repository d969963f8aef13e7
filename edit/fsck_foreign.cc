// Voxels that changed although no operation says so: by another program that wrote into the store, or by a damaged log.
//
//   1. The versions that operations wrote cut the history into spans. What differs between both ends of a span, or
//      outside of an operation's chunks within its own version, is suspect. Comparing two versions skips all that they
//      share (ocdbt/diff.h), so this costs what changed, not what there is.
//   2. A suspect chunk must hold, whenever an operation comes to it and now, what the last operation before left there.
//      What was put right again by a repair is no finding.
#include <algorithm>
#include <cstdio>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/array.h"
#include "base/status.h"
#include "edit/fsck_checks.h"
#include "ocdbt/database.h"
#include "ocdbt/diff.h"

namespace cleave::edit {
namespace {

// The chunks that operations wrote, by version.
using VoxelClaims = std::map<uint64_t, std::set<ChunkPoint>>;

VoxelClaims VoxelClaimsOf(const graph::IdLayout& layout, std::span<const OperationRecord> log) {
  VoxelClaims claims;
  for (const OperationRecord& record : log) {
    if (record.status == OperationStatus::kSuccess && record.written_generation.has_value()) {
      if (std::set<ChunkPoint> chunks = ChunksWrittenBy(layout, record); !chunks.empty()) {
        claims[*record.written_generation].merge(chunks);
      }
    }
  }
  return claims;
}

class ForeignSearch {
 public:
  ForeignSearch(graph::Dataset& dataset, VoxelClaims claims, const GenerationSpan& span,
                std::span<const store::KeyedWrite> overlay)
      : dataset_(dataset), volume_(dataset.segmentation()), claims_(std::move(claims)), span_(span), overlay_(overlay) {
    const std::string key = volume_.ChunkKey(0, {});
    prefix_ = key.substr(0, key.rfind('/') + 1);
  }

  absl::StatusOr<std::vector<ForeignChange>> Run() {
    uint64_t last = span_.base;
    for (const auto& [generation, chunks] : claims_) {
      if (generation <= last) {
        continue;
      }
      CLEAVE_RETURN_IF_ERROR(Suspect(last, generation - 1, {}));
      CLEAVE_RETURN_IF_ERROR(Suspect(generation - 1, generation, chunks));
      last = generation;
    }
    CLEAVE_RETURN_IF_ERROR(Suspect(last, span_.newest, {}));
    std::vector<ForeignChange> found;
    for (const std::string& key : suspects_) {
      CLEAVE_RETURN_IF_ERROR(Judge(key, found));
    }
    return found;
  }

 private:
  absl::StatusOr<ocdbt::Snapshot> At(uint64_t generation) {
    return dataset_.database().At(ocdbt::GenerationNumber{generation});
  }

  // The storage chunk of a key; nullopt for keys that are none of the finest scale.
  std::optional<ChunkPoint> ChunkOf(const std::string& key) const {
    long long x = 0, y = 0, z = 0, end = 0;
    if (std::sscanf(key.c_str() + prefix_.size(), "%lld-%lld_%lld-%lld_%lld-%lld", &x, &end, &y, &end, &z, &end) != 6) {
      return std::nullopt;
    }
    const ChunkPoint chunk = volume_.grid(0).ChunkOf({x, y, z});
    return volume_.grid(0).Contains(chunk) && volume_.ChunkKey(0, chunk) == key ? std::optional(chunk) : std::nullopt;
  }
  // Whether an operation that wrote the graph's `chunks` may have written this stored one.
  bool Meets(ChunkPoint chunk, const std::set<ChunkPoint>& chunks) const {
    return std::ranges::any_of(dataset_.layout().ChunksOverlapping(volume_.grid(0).BoxOf(chunk)),
                               [&](ChunkPoint graph_chunk) { return chunks.contains(graph_chunk); });
  }

  absl::Status Suspect(uint64_t first, uint64_t last, const std::set<ChunkPoint>& claimed) {
    if (first >= last) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot before, At(first));
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot after, At(last));
    return ocdbt::DiffSnapshots(before, after, {.range = store::KeyRange::Prefix(prefix_)},
                                [&](const ocdbt::Difference& difference) -> absl::StatusOr<bool> {
                                  const std::string key(difference.key);
                                  const std::optional<ChunkPoint> chunk = ChunkOf(key);
                                  if (chunk.has_value() && !Meets(*chunk, claimed)) {
                                    suspects_.insert(key);
                                  }
                                  return true;
                                })
        .status();
  }

  absl::StatusOr<std::optional<std::string>> ValueAt(const std::string& key, uint64_t generation) {
    if (generation == span_.newest) {
      for (const store::KeyedWrite& write : overlay_) {
        if (write.key == key) {
          return write.value;
        }
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot snapshot, At(generation));
    CLEAVE_ASSIGN_OR_RETURN(store::ReadResult read, snapshot.Read(key));
    return std::move(read.value);
  }

  absl::Status Judge(const std::string& key, std::vector<ForeignChange>& found) {
    const ChunkPoint chunk = *ChunkOf(key);
    uint64_t written = span_.base;
    const auto compare = [&](uint64_t seen, bool built_upon) -> absl::Status {
      CLEAVE_ASSIGN_OR_RETURN(const std::optional<std::string> expected, ValueAt(key, written));
      CLEAVE_ASSIGN_OR_RETURN(const std::optional<std::string> stored, ValueAt(key, seen));
      if (expected != stored) {
        found.push_back({key, chunk, volume_.grid(0).BoxOf(chunk), written, seen, built_upon});
      }
      return absl::OkStatus();
    };
    for (const auto& [generation, chunks] : claims_) {
      if (Meets(chunk, chunks) && generation > written) {
        CLEAVE_RETURN_IF_ERROR(compare(generation - 1, true));
        written = generation;
      }
    }
    return compare(span_.newest, false);
  }

  graph::Dataset& dataset_;
  const volume::Volume& volume_;
  const VoxelClaims claims_;
  const GenerationSpan span_;
  const std::span<const store::KeyedWrite> overlay_;
  std::string prefix_;
  std::set<std::string> suspects_;
};

}  // namespace

absl::StatusOr<std::vector<ForeignChange>> FindForeignChanges(graph::Dataset& dataset,
                                                              std::span<const OperationRecord> log,
                                                              const GenerationSpan& span,
                                                              std::span<const store::KeyedWrite> overlay) {
  return ForeignSearch(dataset, VoxelClaimsOf(dataset.layout(), log), span, overlay).Run();
}

absl::Status FsckRun::CheckForeignVoxels() {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ForeignChange> changes,
                          FindForeignChanges(dataset_, log_, span_, overlay_.voxels));
  for (const ForeignChange& change : changes) {
    CLEAVE_ASSIGN_OR_RETURN(const volume::Volume* before, VolumeAt(change.expected_generation));
    CLEAVE_ASSIGN_OR_RETURN(const volume::Volume* after, VolumeAt(change.seen_generation));
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> old_labels, before->ReadBox(0, change.box));
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> new_labels, after->ReadBox(0, change.box));
    int64_t voxels = 0;
    std::set<uint64_t> ids;
    for (int64_t i = 0; i < old_labels.size(); ++i) {
      if (old_labels.data()[i] != new_labels.data()[i]) {
        ++voxels;
        ids.insert({old_labels.data()[i], new_labels.data()[i]});
      }
    }
    ids.erase(0);
    if (voxels > 0) {
      findings_.Add({5,
                     absl::StrCat(voxels, " voxels were changed by no operation, between generation ",
                                  change.expected_generation, " and ", change.seen_generation,
                                  change.built_upon ? ", and a later operation has built on that" : ""),
                     {ids.begin(), ids.end()},
                     change.box,
                     change.built_upon ? "undo the later operation, or accept what it made of these voxels"
                                       : "plan a repair: it restores the chunk"});
    }
  }
  return absl::OkStatus();
}

}  // namespace cleave::edit
