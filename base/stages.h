// A stopwatch with named stages, for reports a person reads: how long each part of one piece of work took.
//
//   Stages stages;
//   { const Stages::Scope scope(stages, "voxel cut"); ... }
//
// With EnableProfile, stages inside stages become a tree, and each also says how much memory it needed and what it read
// and wrote. Memory and input are the whole process's, so other work at the same time is counted too.
//
// A stage that may be done again is given as a function. Asked to, it is done many times in a row with the same input,
// each time measured alone:
//
//   stages.Repeat({"voxel cut", 20});
//   auto cut = stages.Run("voxel cut", [&] { return CutVoxels(request); });
//
// Not thread-safe: one piece of work is timed by the thread that leads it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace cleave {

// One stage of a profile, in all its visits together.
struct StageProfile {
  std::string name;
  int depth = 0;  // 0: not inside another
  int64_t visits = 0;
  absl::Duration wall = absl::ZeroDuration();
  int64_t peak_memory_bytes = 0;  // the most that was resident beyond what was when the stage began
  int64_t read_calls = 0;
  int64_t written_calls = 0;
  int64_t read_bytes = 0;
  int64_t written_bytes = 0;
};

// Which stage is done how often, instead of once.
struct StageRepetition {
  std::string stage;
  int times = 1;
};

class Stages {
 public:
  // In order of first use; a stage entered twice adds up.
  [[nodiscard]] const std::vector<std::pair<std::string, absl::Duration>>& list() const { return list_; }
  void Add(const std::string& name, absl::Duration duration);

  // From here on a profile is taken. Costs some system calls a stage.
  void EnableProfile() { profiled_ = true; }
  // The tree, each stage before what is inside it. Empty unless enabled.
  [[nodiscard]] std::vector<StageProfile> Profile() const;

  // Times its own lifetime.
  class Scope {
   public:
    Scope(Stages& stages, std::string name) : stages_(stages), name_(std::move(name)), start_(absl::Now()) {
      stages_.Enter(name_);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() {
      stages_.Leave();
      stages_.Add(name_, absl::Now() - start_);
    }

   private:
    Stages& stages_;
    std::string name_;
    absl::Time start_;
  };

  // A stage that is made of others: in the profile only.
  class Group {
   public:
    Group(Stages& stages, const std::string& name) : stages_(stages) { stages_.Enter(name); }
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    ~Group() { stages_.Leave(); }

   private:
    Stages& stages_;
  };

  void Repeat(StageRepetition repetition) { repetition_ = std::move(repetition); }
  // Does `work` as a stage and returns its answer, the last one when it is repeated. REQUIRES: nothing but the answer
  // is changed by `work`.
  template <typename Work>
  auto Run(const std::string& name, Work work) -> decltype(work()) {
    repeatable_.insert(name);
    for (int i = 1; name == repetition_.stage && i < repetition_.times; ++i) {
      static_cast<void>(RunOnce(name, work));
    }
    return RunOnce(name, work);
  }
  // How long the repeated stage took each time, in order.
  [[nodiscard]] const std::vector<absl::Duration>& repeated() const { return repeated_; }
  // The stages that Run has done: those that can be repeated.
  [[nodiscard]] const std::set<std::string>& repeatable() const { return repeatable_; }

 private:
  // What the process has done so far.
  struct Figures {
    absl::Time time;
    int64_t resident_bytes = 0;
    int64_t read_calls = 0;
    int64_t written_calls = 0;
    int64_t read_bytes = 0;
    int64_t written_bytes = 0;
  };
  struct Visit {
    size_t stage = 0;
    Figures start;
    int64_t peak_bytes = 0;
  };
  template <typename Work>
  auto RunOnce(const std::string& name, Work& work) -> decltype(work()) {
    const Scope scope(*this, name);
    const absl::Time start = absl::Now();
    auto answer = work();
    if (name == repetition_.stage) {
      repeated_.push_back(absl::Now() - start);
    }
    return answer;
  }
  void Enter(const std::string& name);
  void Leave();
  Figures Read();

  std::vector<std::pair<std::string, absl::Duration>> list_;
  StageRepetition repetition_;
  std::vector<absl::Duration> repeated_;
  std::set<std::string> repeatable_;
  bool profiled_ = false;
  std::vector<StageProfile> stages_;  // in order of first visit
  std::vector<size_t> parents_;       // of each, as an index; itself for one that is not inside another
  std::vector<Visit> open_;
};

}  // namespace cleave
