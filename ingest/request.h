// What can be said about an ingest before anything is written.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/progress.h"
#include "graph/graph_meta.h"
#include "ingest/ingest.h"
#include "ingest/label_map.h"
#include "volume/label_source.h"

namespace cleave::ingest {

// The graph that `options` ask for over `source`. INVALID_ARGUMENT names the option that is wrong.
[[nodiscard]] absl::StatusOr<graph::GraphMeta> MakeMeta(const volume::LabelSource& source,
                                                        const IngestOptions& options);

// The agglomeration file and the pairs to fuse.
[[nodiscard]] absl::StatusOr<LabelMap> MakeLabelMap(const IngestOptions& options);
// The labels of an overlay's supervoxels, as objects.
[[nodiscard]] absl::StatusOr<LabelMap> MakePieces(const IngestOptions& options);

// NOT_FOUND names the labels that are to be fused but do not occur in `source`. Reads chunk by chunk until all are
// found; nothing when none are to be fused.
[[nodiscard]] absl::Status RequireFusedLabels(const volume::LabelSource& source, const LabelMap& label_map,
                                              Extent3 chunk_size, Progress& progress);

}  // namespace cleave::ingest
