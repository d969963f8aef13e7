// What `split --preview` shows beside its report: the sides as an array and as a picture.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "nlohmann/json_fwd.hpp"

#include "edit/editor.h"
#include "graph/dataset.h"

namespace cleave::cli {

struct SplitPreviewFiles {
  std::string sides;    // FILE.npy; empty: none
  std::string picture;  // FILE.png; empty: none
};

// Writes the files of the preview that `report` tells of, and adds to `json` where the sides lie: `chunks`, `sides` and
// `picture`. INVALID_ARGUMENT, naming the file, when one cannot be written.
[[nodiscard]] absl::Status ShowSplitPreview(graph::Dataset& dataset, const edit::EditReport& report,
                                            const SplitPreviewFiles& files, nlohmann::ordered_json& json);

}  // namespace cleave::cli
