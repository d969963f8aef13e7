// The datasets of one server. Each has a name, which stands in the paths of its routes.
#pragma once

#include <span>
#include <string>

#include "absl/status/status.h"

#include "edit/editor.h"
#include "graph/dataset.h"

namespace cleave::server {

// Does not own what it points to.
struct ServedDataset {
  std::string name;
  graph::Dataset* dataset = nullptr;
  edit::Editor* editor = nullptr;
};

// INVALID_ARGUMENT, with the name, when there is no dataset, when two have the same name, or when a name cannot stand
// in a path: up to 100 letters, digits, '_', '-' and '.', no '.' in front, and not "base". CloudVolume reads no others.
[[nodiscard]] absl::Status ValidateNames(std::span<const ServedDataset> datasets);
[[nodiscard]] absl::Status ValidateName(const std::string& name);

}  // namespace cleave::server
