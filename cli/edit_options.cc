#include "cli/edit_options.h"

#include "CLI/CLI.hpp"
#include "cli/user_name.h"

namespace cleave::cli {

EditOptions::EditOptions() : user_(UserName()) {}

void EditOptions::Register(CLI::App& app) {
  app.add_option("--user", user_, "Who edits, for the log; default: who runs the program")->type_name("NAME");
  app.add_option("--key", terms_.key, "Names the edit: asked again with the same key, it is not done again")
      ->type_name("TEXT");
  app.add_flag("--override", terms_.override_protection, "Edit protected objects too, which ends their protection");
  app.add_flag("--dry-run", dry_run_, "Plan the edit, say what it would do, and leave no trace");
  app.add_flag("--profile", profile_, "Say where time, memory and input went, stage by stage");
}

}  // namespace cleave::cli
