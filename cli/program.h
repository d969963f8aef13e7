// The program `cleave`: finds the command that was asked for, runs it, and turns its status into an exit code.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace cleave::cli {

// `arguments` without the program's name. Results go to `out`, all else to `err`. Returns the exit code (exit_code.h).
// No exception leaves it.
[[nodiscard]] int RunProgram(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace cleave::cli
