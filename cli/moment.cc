#include "cli/moment.h"

#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/json_text.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {

void RegisterMoment(CLI::App& app, MomentText& text) {
  CLI::Option* at = app.add_option("--at", text.at, "The state at this time instead of the newest")->type_name("TIME");
  app.add_option("--generation", text.generation, "The state with this version of the voxels")
      ->type_name("N")
      ->excludes(at);
}

absl::StatusOr<edit::Instant> ResolveMoment(graph::Dataset& dataset, const MomentText& text) {
  if (text.at.empty() && text.generation.empty()) {
    return edit::Instant{};
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<edit::OperationRecord> log, edit::OperationLog(dataset.table()).ReadAll());
  const absl::Time ingested = dataset.meta().ingested;
  if (text.generation.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, Named("--at", ParseTime(text.at)));
    if (time < ingested) {
      return absl::OutOfRangeError(
          absl::StrCat("--at: the project was made at ", TimeText(ingested), ", there is no state at ", text.at));
    }
    return edit::InstantAtTime(log, time);
  }
  uint64_t generation = 0;
  if (!absl::SimpleAtoi(text.generation, &generation) || generation == 0) {
    return absl::InvalidArgumentError(absl::StrCat("--generation: '", text.generation, "' is not a positive number"));
  }
  return edit::InstantAtGeneration(log, generation, ingested);
}

nlohmann::ordered_json InstantJson(const edit::Instant& instant) {
  nlohmann::ordered_json json;
  json["at"] = instant.graph_time == absl::InfiniteFuture() ? nlohmann::ordered_json()
                                                            : nlohmann::ordered_json(TimeText(instant.graph_time));
  json["generation"] =
      instant.generation.has_value() ? nlohmann::ordered_json(*instant.generation) : nlohmann::ordered_json();
  return json;
}

}  // namespace cleave::cli
