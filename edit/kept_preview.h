// A preview that can be committed: the whole plan, kept in the project's previews folder under its token.
//
//   token   TIME-OPERATION-DIGEST: milliseconds since 1970, the operation's number, the first 16 hexadecimal digits
//           of the digest that the object carries
//   object  as an intent (intent.h), but its rows have no times yet, and the first row of `flip` is the operation's own
//
// The digest makes what is committed be what was shown. A plan holds as long as nothing that it read has changed: the
// objects it replaces are the present ones, and in the chunks of its scope every voxel is where it was. (Edges of an
// object change only with its root; those to neighbours only where a neighbour is cut in voxels, within the scope.)
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "edit/session.h"
#include "graph/dataset.h"
#include "graph/ids.h"

namespace cleave::edit {

// How long a preview can be committed.
inline constexpr absl::Duration kPreviewLife = absl::Hours(1);

struct PreviewToken {
  absl::Time made;
  graph::OperationId operation{};
  std::string digest;
};

// INVALID_ARGUMENT when the text is no token.
[[nodiscard]] absl::StatusOr<PreviewToken> ParsePreviewToken(absl::string_view text);

// Keeps `planned`, whose record has an id, and returns its token. Removes previews that are older than kPreviewLife.
// RESOURCE_EXHAUSTED as EncodeIntent.
[[nodiscard]] absl::StatusOr<std::string> KeepPreview(graph::Dataset& dataset, absl::Time now,
                                                      const PlannedOperation& planned);

// NOT_FOUND when there is none with this token, or it is older than kPreviewLife at `now`; DATA_LOSS when it is not
// what was kept.
[[nodiscard]] absl::StatusOr<PlannedOperation> ReadPreview(graph::Dataset& dataset, absl::Time now,
                                                           absl::string_view token);
// Idempotent.
[[nodiscard]] absl::Status DropPreview(graph::Dataset& dataset, absl::string_view token);

// FAILED_PRECONDITION, saying what has changed, unless the plan still holds: see above. `read_generation`: the version
// of the voxels when the plan was begun.
[[nodiscard]] absl::Status CheckPlanHolds(graph::Dataset& dataset, const Plan& plan, uint64_t read_generation);

}  // namespace cleave::edit
