// The last step of every bulk fill: a tree from sorted runs and what the database holds already.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "ocdbt/bulk_runs.h"
#include "ocdbt/config.h"
#include "ocdbt/data_file_writer.h"
#include "ocdbt/node_reader.h"
#include "ocdbt/tree_writer.h"
#include "ocdbt/version.h"

namespace cleave::ocdbt {

// Merges `sources` with the entries of `newest` and builds the tree bottom-up. Of equal keys the last source wins, and
// every source over `newest`. Reads each leaf of `newest` once; holds one leaf of it and one open node per level.
[[nodiscard]] absl::StatusOr<NewRoot> BuildTreeOver(const Version& newest, const NodeReader& reader,
                                                    std::vector<EntrySource> sources, const Config& config,
                                                    DataFileWriter& nodes);

}  // namespace cleave::ocdbt
