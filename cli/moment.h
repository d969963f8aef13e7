// The options --at and --generation: a past state of a project.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

#include "edit/instant.h"
#include "graph/dataset.h"

namespace CLI {
class App;
}

namespace cleave::cli {

// Neither: the newest state.
struct MomentText {
  std::string at;          // a time as ParseTime reads it
  std::string generation;  // a number
};

// Adds both options, of which one may be given.
void RegisterMoment(CLI::App& app, MomentText& text);

// INVALID_ARGUMENT for what is no time or number, OUT_OF_RANGE for a time before the project was made. Whether there is
// such a generation is found when it is read.
[[nodiscard]] absl::StatusOr<edit::Instant> ResolveMoment(graph::Dataset& dataset, const MomentText& text);

// {"at": time or null, "generation": number or null}; null is the newest.
[[nodiscard]] nlohmann::ordered_json InstantJson(const edit::Instant& instant);

}  // namespace cleave::cli
