#include "cli/base_kind.h"

#include "absl/strings/str_cat.h"

namespace cleave::cli {

absl::StatusOr<ingest::BaseKind> ParseBaseKind(absl::string_view text) {
  if (text == "copy") {
    return ingest::BaseKind::kCopy;
  }
  if (text == "overlay") {
    return ingest::BaseKind::kOverlay;
  }
  return absl::InvalidArgumentError(absl::StrCat("expected 'copy' or 'overlay', but found '", text, "'"));
}

}  // namespace cleave::cli
