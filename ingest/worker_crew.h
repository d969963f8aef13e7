// The worker processes that one ingest starts itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cleave::ingest {

class WorkerCrew {
 public:
  WorkerCrew() = default;
  WorkerCrew(const WorkerCrew&) = delete;
  WorkerCrew& operator=(const WorkerCrew&) = delete;
  // Ends the workers, whatever they do.
  virtual ~WorkerCrew() = default;
  // Starts those anew that have died. To be called every now and then.
  [[nodiscard]] virtual absl::Status Tend() = 0;
};

// `count` processes of `command` (a program and its arguments). Their standard input is a pipe that nothing is written
// to: it closes when this process dies, however, and they are to end then. Their standard output goes nowhere.
// `environment` ("NAME=VALUE" each) is added to this process's own: for what other users must not see among arguments.
// Tend() is FAILED_PRECONDITION when workers keep ending by themselves, and RESOURCE_EXHAUSTED when hundreds died.
[[nodiscard]] absl::StatusOr<std::unique_ptr<WorkerCrew>> StartWorkers(std::vector<std::string> command, int count,
                                                                       std::vector<std::string> environment = {});

// Ends this process as soon as its standard input, such a pipe, is closed by whoever held the other end: by a thread,
// in the middle of whatever it does.
void EndWithStandardInput();

}  // namespace cleave::ingest
