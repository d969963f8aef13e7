// A stopwatch with named stages, for reports a person reads: how long each part of one piece of work took.
//
//   Stages stages;
//   { const Stages::Scope scope(stages, "voxel cut"); ... }
//
// Not thread-safe: one piece of work is timed by the thread that leads it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace cleave {

class Stages {
 public:
  // In order of first use; a stage entered twice adds up.
  [[nodiscard]] const std::vector<std::pair<std::string, absl::Duration>>& list() const { return list_; }
  void Add(const std::string& name, absl::Duration duration);

  // Times its own lifetime.
  class Scope {
   public:
    Scope(Stages& stages, std::string name) : stages_(stages), name_(std::move(name)), start_(absl::Now()) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { stages_.Add(name_, absl::Now() - start_); }

   private:
    Stages& stages_;
    std::string name_;
    absl::Time start_;
  };

 private:
  std::vector<std::pair<std::string, absl::Duration>> list_;
};

}  // namespace cleave
