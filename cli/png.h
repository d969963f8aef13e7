// PNG files (ISO/IEC 15948), written by libpng.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/image.h"

namespace cleave::cli {

// Truecolor, 8 bits a channel; where the picture has at most 256 colours, a palette, which is a third of the size.
// INVALID_ARGUMENT for a picture without pixels.
[[nodiscard]] absl::StatusOr<std::string> EncodePng(const Image& image);

// The same into a file, replacing what was there. INVALID_ARGUMENT, naming the file, when it cannot be written.
[[nodiscard]] absl::Status WritePng(const std::string& path, const Image& image);

}  // namespace cleave::cli
