// Edits as their routes take them, and as they are answered: for the routes of single edits and for batches.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

#include "edit/requests.h"
#include "server/http_message.h"
#include "server/service.h"

namespace cleave::server {

// What the body, and for merges ?chebyshev_distance, ask for, in the name of the request's user. INVALID_ARGUMENT for
// what is malformed; as VoxelsAt for points.
[[nodiscard]] absl::StatusOr<edit::MergeRequest> MergeOf(Service& service, const Request& request);
[[nodiscard]] absl::StatusOr<edit::SplitRequest> SplitOf(Service& service, const Request& request);
[[nodiscard]] absl::StatusOr<edit::UndoRequest> UndoOf(const Request& request);
[[nodiscard]] absl::StatusOr<edit::RedoRequest> RedoOf(const Request& request);
// A client that names its request (Idempotency-Key) can send it again without its being done twice.
[[nodiscard]] edit::EditTerms EditTermsOf(const Request& request);

// For metrics: "done", "refused" (nothing was wrong with us) or "failed".
[[nodiscard]] std::string OutcomeOf(const absl::Status& status);
// operation_id and new_root_ids, as the field's clients read them, and what an event says beside that: old_root_ids,
// new_lvl2_ids, and the boxes whose voxels changed, each [[x, y, z], [x, y, z]], its first voxel and one past its last.
[[nodiscard]] nlohmann::json EditJson(const edit::EditReport& report, bool as_text);

}  // namespace cleave::server
