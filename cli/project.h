// A project as every command opens it: what an earlier process left unfinished is finished first, so that no command,
// not even one that only reads, shows half an edit.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/console.h"

#include "edit/editor.h"
#include "graph/dataset.h"

namespace cleave::cli {

struct Project {
  std::unique_ptr<graph::Dataset> dataset;
  std::unique_ptr<edit::Editor> editor;  // uses the dataset
};

// Says on standard error what was recovered.
void NoteRecovered(const std::vector<edit::RecoveredOperation>& operations, Console& console);

// Errors as Dataset::Open. Says on standard error what was recovered. CLEAVE_DRY_RUN=1 in the environment makes every
// edit a dry run, whatever the options say.
[[nodiscard]] absl::StatusOr<Project> OpenProject(const std::string& folder, Console& console,
                                                  edit::EditorOptions options = {});

}  // namespace cleave::cli
