// Who runs the program.
#pragma once

#include <string>

namespace cleave::cli {

// The login name of the process's user, or "user NUMBER" where it has none.
[[nodiscard]] std::string UserName();

}  // namespace cleave::cli
