// Options of a command in a YAML file, for programs that run for long:
//
//   port: 8080
//   public-url: https://example.org
//   open-data: true
//   project:
//     - one=/data/one
//     - two=/data/two
//
// The keys are the options' names without dashes in front. Options that take several values take a list. What stands on
// the command line counts before the file.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace cleave::cli {

// Sets those options of `app` that the command line did not give. Call it once the command line is parsed. NOT_FOUND
// when the file cannot be read; INVALID_ARGUMENT, naming file and line, for what is no YAML, for unknown keys, keys
// that come twice, and values that the option does not take.
[[nodiscard]] absl::Status ApplyOptionFile(CLI::App& app, const std::string& path);

}  // namespace cleave::cli
