// What the labels of a source stand for: which are one supervoxel label (fused), and which belong to one object.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/array.h"

namespace cleave::ingest {

// Two labels that become one before ingest, as if the segmentation had never told them apart.
struct FusePair {
  uint64_t a = 0;
  uint64_t b = 0;
};

// One line of an agglomeration: the label is a part of the object.
struct LabelObject {
  uint64_t label = 0;
  uint64_t object = 0;
};

// Reads an agglomeration: a line "label,object" for each label (decimal, white space around numbers allowed); '#'
// begins a comment; empty lines are skipped. A label may stand on several lines if they agree.
// INVALID_ARGUMENT names the line: not two numbers, 0, or a label that an earlier line gave to another object.
[[nodiscard]] absl::StatusOr<std::vector<LabelObject>> ParseAgglomeration(absl::string_view text);
// The same from a file, which errors name. NOT_FOUND when there is none.
[[nodiscard]] absl::StatusOr<std::vector<LabelObject>> ReadAgglomeration(const std::string& path);

// Immutable after Create; safe to use from several threads.
class LabelMap {
 public:
  // Every label is itself, and an object of its own.
  LabelMap() = default;
  // Fused labels take the smallest label of their group; the objects of a group become one object. A label that the
  // agglomeration does not list belongs to the object of its own number. INVALID_ARGUMENT for a pair with 0 or of
  // twice the same label.
  [[nodiscard]] static absl::StatusOr<LabelMap> Create(std::span<const FusePair> fuse,
                                                       std::span<const LabelObject> agglomeration);

  // The label that stands for `label` after fusing.
  [[nodiscard]] uint64_t Fused(uint64_t label) const;
  // The object of a label, fused or not.
  [[nodiscard]] uint64_t Object(uint64_t label) const;
  // Replaces every label by Fused(label). No work when nothing is fused.
  void FuseInPlace(ArrayView3<uint64_t> labels) const;
  // All labels that stand in a pair, ascending: each must exist in the volume.
  [[nodiscard]] std::vector<uint64_t> FusedLabels() const;

 private:
  absl::flat_hash_map<uint64_t, uint64_t> fused_;        // every label of a pair
  absl::flat_hash_map<uint64_t, uint64_t> object_of_;    // the labels that the agglomeration lists
  absl::flat_hash_map<uint64_t, uint64_t> same_object_;  // objects that fusing made one
};

}  // namespace cleave::ingest
