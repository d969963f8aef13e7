// The projects that `cleave serve` is given, each PATH or NAME=PATH.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/console.h"
#include "cli/project.h"

#include "server/served_dataset.h"

namespace cleave::cli {

struct NamedProject {
  std::string name;
  std::string folder;
  Project project;
};

// What stands before the first '=' is a name, unless the whole is a folder. One without a name is called as its graph;
// of several whose graphs have the same id, each as its folder. Errors as OpenProject, naming the project, and those of
// server::ValidateNames.
[[nodiscard]] absl::StatusOr<std::vector<NamedProject>> OpenProjects(const std::vector<std::string>& given,
                                                                     Console& console);

[[nodiscard]] std::vector<server::ServedDataset> Served(const std::vector<NamedProject>& projects);

}  // namespace cleave::cli
