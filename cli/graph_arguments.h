// What the commands of the group `graph` have in common: a project, ids, a time, pages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/console.h"
#include "cli/json_text.h"
#include "cli/project.h"

#include "graph/graph_view.h"
#include "graph/ids.h"

namespace CLI {
class App;
}

namespace cleave::cli {

// Which of the common options a command takes.
struct GraphOptions {
  bool ids = true;
  bool at = true;
  bool box = false;
};

struct GraphText {
  std::string project;
  std::vector<std::string> ids;
  std::string file;
  std::string at;
  std::string box;
};
void RegisterGraph(CLI::App& app, GraphText& text, const GraphOptions& options, const std::string& ids_help);

// An opened project and what was asked about.
struct GraphQuestion {
  Project project;
  std::vector<graph::NodeId> ids;
  absl::Time at = absl::InfiniteFuture();
  std::optional<Box> box;

  [[nodiscard]] graph::GraphView view() const { return project.dataset->View(at); }
};
// Ids of --ids, then those of --file, one a line ("-" is standard input; empty lines are skipped). INVALID_ARGUMENT for
// what is no id of the graph; OUT_OF_RANGE for a time before the ingest.
[[nodiscard]] absl::StatusOr<GraphQuestion> OpenGraph(const GraphText& text, Console& console);
// The same, and INVALID_ARGUMENT when there are no ids.
[[nodiscard]] absl::StatusOr<GraphQuestion> OpenGraphWithIds(const GraphText& text, Console& console);

// The time that was asked for, null for the newest state.
[[nodiscard]] Json AtJson(const GraphQuestion& question);
// "17 18 19".
[[nodiscard]] std::string IdLine(const std::vector<graph::NodeId>& ids);
// A time given as an option, `otherwise` where none was given.
[[nodiscard]] absl::StatusOr<absl::Time> TimeOr(const std::string& option, const std::string& text,
                                                absl::Time otherwise);

}  // namespace cleave::cli
