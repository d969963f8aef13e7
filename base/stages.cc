#include "base/stages.h"

#include <algorithm>
#include <array>
#include <fstream>

namespace cleave {
namespace {

// The numbers behind `names` in a file of lines "name: number". 0 where the file or the name is not there.
template <size_t kCount>
std::array<int64_t, kCount> NumbersIn(const char* path, const std::array<const char*, kCount>& names) {
  std::array<int64_t, kCount> numbers{};
  std::ifstream file(path);
  for (std::string name; file >> name;) {
    const auto found = std::ranges::find(names, name);
    if (found != names.end()) {
      file >> numbers[static_cast<size_t>(found - names.begin())];
    }
    file.ignore(1 << 12, '\n');
  }
  return numbers;
}

// Linux: the largest resident memory from here on is counted anew.
void ForgetPeakMemory() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace

void Stages::Add(const std::string& name, absl::Duration duration) {
  const auto found = std::ranges::find(list_, name, [](const auto& stage) { return stage.first; });
  if (found == list_.end()) {
    list_.emplace_back(name, duration);
  } else {
    found->second += duration;
  }
}

// Also tells every open visit of the peak since the last reading, and begins a new one.
Stages::Figures Stages::Read() {
  const auto memory = NumbersIn<2>("/proc/self/status", {"VmRSS:", "VmHWM:"});
  const auto io = NumbersIn<4>("/proc/self/io", {"syscr:", "syscw:", "rchar:", "wchar:"});
  for (Visit& visit : open_) {
    visit.peak_bytes = std::max(visit.peak_bytes, memory[1] * 1024);
  }
  ForgetPeakMemory();
  return {absl::Now(), memory[0] * 1024, io[0], io[1], io[2], io[3]};
}

void Stages::Enter(const std::string& name) {
  if (!profiled_) {
    return;
  }
  const Figures now = Read();
  size_t stage = 0;
  const auto is_here = [&](size_t i) {
    return stages_[i].name == name &&
           (open_.empty() ? parents_[i] == i : parents_[i] == open_.back().stage && parents_[i] != i);
  };
  while (stage < stages_.size() && !is_here(stage)) {
    ++stage;
  }
  if (stage == stages_.size()) {
    stages_.push_back({.name = name, .depth = static_cast<int>(open_.size())});
    parents_.push_back(open_.empty() ? stage : open_.back().stage);
  }
  open_.push_back({stage, now, now.resident_bytes});
}

void Stages::Leave() {
  if (open_.empty()) {
    return;
  }
  const Figures now = Read();
  const Visit& visit = open_.back();
  StageProfile& stage = stages_[visit.stage];
  ++stage.visits;
  stage.wall += now.time - visit.start.time;
  stage.peak_memory_bytes = std::max(stage.peak_memory_bytes, visit.peak_bytes - visit.start.resident_bytes);
  stage.read_calls += now.read_calls - visit.start.read_calls;
  stage.written_calls += now.written_calls - visit.start.written_calls;
  stage.read_bytes += now.read_bytes - visit.start.read_bytes;
  stage.written_bytes += now.written_bytes - visit.start.written_bytes;
  open_.pop_back();
}

std::vector<StageProfile> Stages::Profile() const {
  std::vector<StageProfile> tree;
  std::vector<size_t> wanted;  // a stack, next on top
  const auto push_children = [&](const auto& is_child) {
    for (size_t i = stages_.size(); i-- > 0;) {
      if (is_child(i)) {
        wanted.push_back(i);
      }
    }
  };
  push_children([&](size_t i) { return parents_[i] == i; });
  while (!wanted.empty()) {
    const size_t stage = wanted.back();
    wanted.pop_back();
    tree.push_back(stages_[stage]);
    push_children([&](size_t i) { return parents_[i] == stage && i != stage; });
  }
  return tree;
}

}  // namespace cleave
