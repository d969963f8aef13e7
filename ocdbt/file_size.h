// The length of an object, of which the store interface does not tell.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "store/store.h"

namespace cleave::ocdbt {

// Found with a few dozen reads of no bytes, however long it is; 0 when there is none.
[[nodiscard]] absl::StatusOr<uint64_t> SizeOf(const store::Store& store, absl::string_view key);

}  // namespace cleave::ocdbt
