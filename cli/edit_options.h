// The options that every command that edits has.
#pragma once

#include <string>

#include "edit/editor.h"
#include "edit/requests.h"

namespace CLI {
class App;
}

namespace cleave::cli {

class EditOptions {
 public:
  EditOptions();
  // Adds --user, --key, --override, --dry-run and --profile, which write into this object.
  void Register(CLI::App& app);

  [[nodiscard]] const std::string& user() const { return user_; }
  [[nodiscard]] const edit::EditTerms& terms() const { return terms_; }
  [[nodiscard]] edit::EditorOptions editor() const { return {.dry_run = dry_run_, .profile = profile_}; }

 private:
  std::string user_;
  edit::EditTerms terms_;
  bool dry_run_ = false;
  bool profile_ = false;
};

}  // namespace cleave::cli
