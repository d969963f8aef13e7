// How much one request may ask for. More is refused with words that say what was too much, how much is allowed, and by
// which option of `cleave serve`; docs/server.md lists all of them.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/geometry.h"

namespace cleave::server {

struct RequestLimits {
  int64_t ids_max = 8'000'000;                      // ids of a list
  int64_t answer_ids_max = 8'000'000;               // ids that an answer holds, whatever of
  int64_t points_max = 10'000;                      // marked points of an edit
  int64_t l2_nodes_max = 100'000;                   // below a node, inside the bounds, where their edges are read
  int64_t history_roots_max = 100'000;              // objects looked at for lineage and change logs
  int64_t bounds_voxels_max = 0;                    // of leaves, edges, contacts and manifests; 0: any
  int64_t file_bytes_max = 256 << 20;               // of a file of the store, in one answer
  absl::Duration read_time_max = absl::Minutes(5);  // that rows are read for one look-up
};

// INVALID_ARGUMENT: "WHAT; MAX are allowed (--OPTION)", and the advice behind it unless it is empty.
[[nodiscard]] absl::Status LimitError(absl::string_view what, int64_t max, absl::string_view option,
                                      absl::string_view advice = "");
// Whether an answer may hold so many ids.
[[nodiscard]] absl::Status CheckAnswerIds(const RequestLimits& limits, size_t count);
// Whether the part of `volume` within `bounds` is small enough; without bounds it is the whole.
[[nodiscard]] absl::Status CheckBounds(const RequestLimits& limits, const Box& volume,
                                       const std::optional<Box>& bounds);

}  // namespace cleave::server
