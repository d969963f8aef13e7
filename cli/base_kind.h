// Where the voxels of a new project are, as `init` and `ingest` take it.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ingest/ingest.h"

namespace cleave::cli {

// Reads 'copy' or 'overlay'.
[[nodiscard]] absl::StatusOr<ingest::BaseKind> ParseBaseKind(absl::string_view text);

}  // namespace cleave::cli
