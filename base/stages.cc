#include "base/stages.h"

#include <algorithm>

namespace cleave {

void Stages::Add(const std::string& name, absl::Duration duration) {
  const auto found = std::ranges::find(list_, name, [](const auto& stage) { return stage.first; });
  if (found == list_.end()) {
    list_.emplace_back(name, duration);
  } else {
    found->second += duration;
  }
}

}  // namespace cleave
