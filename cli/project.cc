#include "cli/project.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::cli {

void NoteRecovered(const std::vector<edit::RecoveredOperation>& operations, Console& console) {
  for (const edit::RecoveredOperation& operation : operations) {
    if (!operation.problem.ok()) {
      console.Note(absl::StrCat("operation ", Value(operation.id), ", which an earlier process left behind, stays so: ",
                                operation.problem.message(), "; see `cleave stuck show`"),
                   /*important=*/true);
      continue;
    }
    console.Note(
        absl::StrCat("an earlier process ended in the middle of operation ", Value(operation.id), "; it was ",
                     operation.rolled_forward ? "carried out to its end" : "taken back, nothing of it is left"),
        /*important=*/true);
  }
}

absl::StatusOr<Project> OpenProject(const std::string& folder, Console& console, edit::EditorOptions options) {
  const char* const wish = std::getenv("CLEAVE_DRY_RUN");
  options.dry_run = options.dry_run || (wish != nullptr && absl::string_view(wish) == "1");
  Project project;
  CLEAVE_ASSIGN_OR_RETURN(project.dataset, graph::Dataset::Open(folder));
  CLEAVE_ASSIGN_OR_RETURN(project.editor, edit::Editor::Open(*project.dataset, options));
  NoteRecovered(project.editor->recovered(), console);
  return project;
}

}  // namespace cleave::cli
