// A server as a process of its own, and what it uses of the machine.
#pragma once

#include <spawn.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include <nlohmann/json.hpp>
#include <sys/types.h>
#include <sys/wait.h>

namespace cleave {

// Not thread-safe.
class ServedProcess {
 public:
  // Runs a program that writes a line of JSON with its "port" when it takes connections: `cleave serve --json`.
  // INTERNAL when it does not start, or ends without that line; what it says on standard error is seen.
  [[nodiscard]] static absl::StatusOr<ServedProcess> Start(std::vector<std::string> words) {
    int ends[2];
    if (pipe(ends) != 0) {
      return absl::InternalError("no pipe can be made");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::vector<char*> arguments;
    for (std::string& word : words) {
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    pid_t id = 0;
    const int error = posix_spawnp(&id, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    std::string line;
    for (char c = 0; error == 0 && read(ends[0], &c, 1) == 1 && c != '\n';) {
      line.push_back(c);
    }
    ServedProcess process(error == 0 ? id : 0, ends[0]);
    const nlohmann::json said = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!said.is_object() || !said.contains("port")) {
      return absl::InternalError(absl::StrCat(absl::StrJoin(words, " "), " does not start"));
    }
    process.port_ = said["port"].get<uint16_t>();
    return process;
  }

  ServedProcess(ServedProcess&& other) noexcept : id_(other.id_), output_(other.output_), port_(other.port_) {
    other.id_ = 0;
    other.output_ = -1;
  }
  ServedProcess& operator=(ServedProcess&&) = delete;
  ~ServedProcess() {
    if (id_ > 0) {
      kill(id_, SIGTERM);
      waitpid(id_, nullptr, 0);
    }
    if (output_ >= 0) {
      close(output_);
    }
  }

  [[nodiscard]] uint16_t port() const { return port_; }

  // Processor time so far, over all threads, in seconds: utime and stime of proc(5), in ticks.
  [[nodiscard]] double ProcessorSeconds() const {
    std::ifstream stream(absl::StrCat("/proc/", id_, "/stat"));
    std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string skipped;
    for (int i = 0; i < 11; ++i) {
      fields >> skipped;
    }
    double user = 0;
    double system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }

  // The largest resident memory since the start, or the last reset, in MiB.
  [[nodiscard]] double PeakMemoryMiB() const {
    std::ifstream stream(absl::StrCat("/proc/", id_, "/status"));
    for (std::string line; std::getline(stream, line);) {
      if (line.rfind("VmHWM:", 0) == 0) {
        return std::strtod(line.c_str() + 6, nullptr) / 1024;
      }
    }
    return 0;
  }
  void ResetPeakMemory() const { std::ofstream(absl::StrCat("/proc/", id_, "/clear_refs")) << "5"; }

 private:
  ServedProcess(pid_t id, int output) : id_(id), output_(output) {}

  pid_t id_;
  int output_;
  uint16_t port_ = 0;
};

}  // namespace cleave
