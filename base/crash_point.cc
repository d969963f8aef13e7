#include "base/crash_point.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"

namespace cleave {
namespace {

struct Target {
  std::string name;  // empty: no point is chosen
  int arrivals_left = 1;
};

Target TargetFromEnvironment() {
  const char* text = std::getenv("CLEAVE_CRASH_AT");
  if (text == nullptr) {
    return {};
  }
  Target target{text, 1};
  if (const size_t colon = target.name.find(':'); colon != std::string::npos) {
    if (!absl::SimpleAtoi(target.name.substr(colon + 1), &target.arrivals_left)) {
      target.arrivals_left = 1;
    }
    target.name.resize(colon);
  }
  return target;
}

std::function<void(absl::string_view)>& Observer() {
  static std::function<void(absl::string_view)> observer;
  return observer;
}

}  // namespace

void CrashPoint(absl::string_view name) {
  static const Target target = TargetFromEnvironment();
  static std::atomic<int> arrivals_left = target.arrivals_left;
  if (const auto& observer = Observer()) {
    observer(name);
  }
  if (!target.name.empty() && name == target.name && arrivals_left.fetch_sub(1) == 1) {
    std::raise(SIGKILL);
  }
}

void SetCrashPointObserver(std::function<void(absl::string_view)> observer) { Observer() = std::move(observer); }

}  // namespace cleave
