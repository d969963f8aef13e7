// An event as JSON, in the words that the field's clients use: what `cleave serve` answers and what goes to Redis.
#pragma once

#include "nlohmann/json_fwd.hpp"

#include "edit/operation_log.h"

namespace cleave::work {

enum class IdForm {
  kNumber,
  kText,  // for readers whose numbers are doubles
};

// {"operation_id", "kind", "timestamp" (RFC 3339, whole ms), "user_id", "old_root_ids", "new_root_ids", "new_lvl2_ids",
// "boxes": [[[x0, y0, z0], [x1, y1, z1]], ...] in voxels of scale 0, the upper corner excluded}
[[nodiscard]] nlohmann::json EventJson(const edit::OperationRecord& event, IdForm form);

}  // namespace cleave::work
