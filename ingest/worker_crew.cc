#include "ingest/worker_crew.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <sys/wait.h>

#include "base/status.h"
#include "store/posix_file.h"

extern char** environ;

namespace cleave::ingest {
namespace {

constexpr int kEndsMax = 3;  // of one worker, by itself with an error
constexpr int kDeathsMax = 1000;

class ProcessCrew final : public WorkerCrew {
 public:
  ProcessCrew(std::vector<std::string> command, std::vector<std::string> environment, store::FileDescriptor read_end,
              store::FileDescriptor write_end)
      : command_(std::move(command)),
        environment_(std::move(environment)),
        read_end_(std::move(read_end)),
        write_end_(std::move(write_end)) {}

  ~ProcessCrew() override {
    for (const pid_t worker : workers_) {
      (void)kill(worker, SIGKILL);  // what it did is done by the next one
    }
    for (const pid_t worker : workers_) {
      (void)waitpid(worker, nullptr, 0);
    }
  }

  absl::Status Start(int count) {
    for (int i = 0; i < count; ++i) {
      CLEAVE_RETURN_IF_ERROR(StartOne());
    }
    return absl::OkStatus();
  }

  absl::Status Tend() override {
    for (size_t i = 0; i < workers_.size();) {
      int status = 0;
      if (waitpid(workers_[i], &status, WNOHANG) != workers_[i]) {
        ++i;
        continue;
      }
      workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
      ends_ += WIFEXITED(status) ? 1 : 0;
      ++deaths_;
      if (ends_ >= kEndsMax) {
        return absl::FailedPreconditionError(absl::StrCat("workers end by themselves, the last one with exit code ",
                                                          WEXITSTATUS(status),
                                                          "; what they said stands on standard error"));
      }
      if (deaths_ >= kDeathsMax) {
        return absl::ResourceExhaustedError(
            absl::StrCat(deaths_, " workers died; is there too little memory? Run the command again to go on"));
      }
      CLEAVE_RETURN_IF_ERROR(StartOne());
    }
    return absl::OkStatus();
  }

 private:
  static std::vector<char*> PointersTo(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (std::string& text : texts) {
      pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
  }

  absl::Status StartOne() {
    const std::vector<char*> arguments = PointersTo(command_);
    const std::vector<char*> environment = PointersTo(environment_);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, read_end_.get(), STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t worker = 0;
    const int error =
        posix_spawn(&worker, command_.front().c_str(), &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
      return absl::UnavailableError(absl::StrCat("cannot start ", command_.front(), ": ", std::strerror(error)));
    }
    workers_.push_back(worker);
    return absl::OkStatus();
  }

  std::vector<std::string> command_;
  std::vector<std::string> environment_;
  const store::FileDescriptor read_end_;
  const store::FileDescriptor write_end_;
  std::vector<pid_t> workers_;
  int ends_ = 0;
  int deaths_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerCrew>> StartWorkers(std::vector<std::string> command, int count,
                                                         std::vector<std::string> environment) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return store::ErrnoError("make", "a pipe");
  }
  std::vector<std::string> variables = std::move(environment);
  const size_t own = variables.size();
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const absl::string_view name = absl::string_view(*variable).substr(0, absl::string_view(*variable).find('=') + 1);
    if (std::none_of(variables.begin(), variables.begin() + static_cast<std::ptrdiff_t>(own),
                     [&](const std::string& ours) { return absl::StartsWith(ours, name); })) {
      variables.emplace_back(*variable);
    }
  }
  auto crew = std::make_unique<ProcessCrew>(std::move(command), std::move(variables), store::FileDescriptor(ends[0]),
                                            store::FileDescriptor(ends[1]));
  CLEAVE_RETURN_IF_ERROR(crew->Start(count));
  return crew;
}

void EndWithStandardInput() {
  std::thread([] {
    pollfd input{STDIN_FILENO, 0, 0};  // what closes it is always told
    while (poll(&input, 1, -1) < 0 && errno == EINTR) {
    }
    _exit(0);
  }).detach();
}

}  // namespace cleave::ingest
