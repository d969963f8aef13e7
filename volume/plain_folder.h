// A volume as other programs expect a precomputed one to lie in a folder: file by file, as bytes.
//
// The volume itself keeps no chunk whose voxels are all zero. Some readers take a missing file for an error, so the
// finest scale, which is always whole, is shown with a file for each of its chunks. Coarser scales may not be made yet:
// a file that they lack stays missing.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "store/store.h"
#include "volume/volume.h"

namespace cleave::volume {

struct PlainFile {
  std::string bytes;
  store::Generation generation;  // Absent() for a chunk of zeros that is not stored
};

// `key` is relative to the volume: "info", "8_8_40/0-64_0-64_0-64". Nothing where there is no such file.
// INVALID_ARGUMENT for what is no key.
[[nodiscard]] absl::StatusOr<std::optional<PlainFile>> ReadPlainFile(const Volume& volume, absl::string_view key);
// The generation alone, without reading more than there must be.
[[nodiscard]] absl::StatusOr<std::optional<store::Generation>> PlainFileGeneration(const Volume& volume,
                                                                                   absl::string_view key);

}  // namespace cleave::volume
