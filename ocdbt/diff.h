// What is different between two versions, found without reading what they share.
//
// Method: both trees are walked side by side in key order. A place in a tree is an entry of a leaf, or a whole subtree
// that was not looked into yet. Where both walks stand at the same subtree (the same bytes under the same keys), it is
// skipped unread. Otherwise the subtree that begins earlier is opened; of two that begin at the same key the higher
// one, or both. An entry that comes before all of the other walk's rest is only in its own version.
#pragma once

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/snapshot.h"

namespace cleave::ocdbt {

// One key that is different. The values are those of the two versions; nullptr where the key is not there.
struct Difference {
  absl::string_view key;
  const LeafValue* before = nullptr;
  const LeafValue* after = nullptr;
};
// Returns false to end the comparison. What it gets ends with the call.
using DifferenceVisitor = std::function<absl::StatusOr<bool>(const Difference&)>;

struct DiffOptions {
  store::KeyRange range = {};  // only keys in it
  // True: values that lie in different places are read, and are no difference when they have the same bytes. False:
  // another place is a difference.
  bool compare_bytes = true;
};

struct DiffCost {
  uint64_t nodes_read = 0;
  uint64_t subtrees_shared = 0;  // skipped, because both versions have them
};

// Calls `visit` for every difference, in key order. Both snapshots are of databases over the same store (one database,
// or it and its branches). Errors as Snapshot::Scan.
[[nodiscard]] absl::StatusOr<DiffCost> DiffSnapshots(const Snapshot& before, const Snapshot& after,
                                                     const DiffOptions& options, const DifferenceVisitor& visit);

}  // namespace cleave::ocdbt
