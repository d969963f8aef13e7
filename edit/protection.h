// Objects that someone has finished, and that edits must leave alone.
//
// The mark stands on the row of the root, beside its locks: who, when, and a note. It is set in one step with the
// condition that nobody holds the root's lock and that the root is current, and edits look for it once they hold that
// lock, so that the two cannot pass each other. An expired lock is taken away in the same step: its holder, if it still
// lives, cannot commit.
//
// The mark is the root's, not the neuron's: an edit that overrides it makes new roots, which are not protected, and the
// log names the protected roots that it replaced.
//
// A row "p" + 20 digits of the root lists every root that was ever protected; whether it is, its own row says.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "graph/dataset.h"
#include "graph/ids.h"

namespace cleave::edit {

struct Protection {
  graph::NodeId root{};
  std::string user;
  absl::Time since;
  std::string note;
};

// Durable when it returns. A second protection takes the place of the first. NOT_FOUND and FAILED_PRECONDITION as
// GraphView::RequireCurrentRoot; UNAVAILABLE, naming the holder, while an edit holds the root.
[[nodiscard]] absl::Status Protect(graph::Dataset& dataset, Clock& clock, absl::Duration lock_expiry,
                                   const Protection& protection);
// NOT_FOUND when the root is not protected.
[[nodiscard]] absl::Status Unprotect(graph::Dataset& dataset, graph::NodeId root);

// Those of `roots` that are protected, in their order.
[[nodiscard]] absl::StatusOr<std::vector<Protection>> ProtectionsOf(const table::TableReader& reader,
                                                                    std::span<const graph::NodeId> roots);
// All current roots that are protected, ascending.
[[nodiscard]] absl::StatusOr<std::vector<Protection>> ListProtections(graph::Dataset& dataset);

// FAILED_PRECONDITION saying who protects the object, since when, and why.
[[nodiscard]] absl::Status ProtectedError(const Protection& protection);

}  // namespace cleave::edit
