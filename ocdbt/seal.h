// The mark of a database that is complete.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "store/store.h"

namespace cleave::ocdbt {

// An object beside the manifest, of which TensorStore knows nothing.
inline constexpr absl::string_view kSealKey = "sealed";

// Marks the database in `store` as complete: from then on it can only be read and forked. Writers that are open notice
// it at their next commit; a commit that is under way may still be the last one. Idempotent. NOT_FOUND when there is no
// database.
[[nodiscard]] absl::Status SealDatabase(store::Store& store);
[[nodiscard]] absl::StatusOr<bool> IsSealed(const store::Store& store);
// FAILED_PRECONDITION, naming the mark, when the database is sealed.
[[nodiscard]] absl::Status RefuseIfSealed(const store::Store& store);

}  // namespace cleave::ocdbt
