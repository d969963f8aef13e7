// The options that every command that edits has.
#pragma once

#include <string>

#include "edit/requests.h"

namespace CLI {
class App;
}

namespace cleave::cli {

class EditOptions {
 public:
  EditOptions();
  // Adds --user, --key and --override, which write into this object.
  void Register(CLI::App& app);

  [[nodiscard]] const std::string& user() const { return user_; }
  [[nodiscard]] const edit::EditTerms& terms() const { return terms_; }

 private:
  std::string user_;
  edit::EditTerms terms_;
};

}  // namespace cleave::cli
