// A real redis-server of the test's own, which can be killed and started again. Not for product code.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "store/redis_connection.h"
#include "store/temporary_folder.h"

namespace cleave::store {

class RedisServer {
 public:
  // `keeps`: its data survives a kill.
  explicit RedisServer(bool keeps, std::string password = "") : keeps_(keeps), password_(std::move(password)) {
    port_ = FreePort();
    Start();
  }
  ~RedisServer() { Kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  [[nodiscard]] static bool IsInstalled() { return access("/usr/bin/redis-server", X_OK) == 0; }
  [[nodiscard]] RedisAddress address() const { return {.host = "127.0.0.1", .port = port_, .password = password_}; }

  void Kill() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      pid_ = 0;
    }
  }
  // Waits until it answers.
  void Start() {
    pid_ = fork();
    if (pid_ == 0) {
      const std::string port = absl::StrCat(port_);
      std::vector<const char*> words = {
          "redis-server",         "--port",        port.c_str(), "--bind",    "127.0.0.1", "--dir",
          folder_.path().c_str(), "--save",        "",           "--logfile", "/dev/null", "--appendonly",
          keeps_ ? "yes" : "no",  "--appendfsync", "always"};
      if (!password_.empty()) {
        words.insert(words.end(), {"--requirepass", password_.c_str()});
      }
      words.push_back(nullptr);
      execv("/usr/bin/redis-server", const_cast<char* const*>(words.data()));
      _exit(127);
    }
    absl::Status status;
    for (int i = 0; i < 500; ++i) {
      const auto connection = RedisConnection::Open(address(), absl::Seconds(5));
      status = connection.status();
      if (status.ok() && (*connection)->Ask({"PING"}).value_or(RedisReply{}).text == "PONG") {
        return;  // not while it still loads its data
      }
      absl::SleepFor(absl::Milliseconds(20));
    }
    ADD_FAILURE() << "redis-server does not answer: " << status;
  }
  RedisReply Ask(const std::vector<std::string>& words) const {
    const auto connection = RedisConnection::Open(address(), absl::Seconds(5));
    EXPECT_TRUE(connection.ok()) << connection.status();
    return connection.ok() ? (*connection)->Ask(words).value() : RedisReply{};
  }

 private:
  static int FreePort() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(where);
    EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&where), size), 0);
    EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&where), &size), 0);
    close(listener);
    return ntohs(where.sin_port);
  }

  store::TemporaryFolder folder_;
  const bool keeps_;
  const std::string password_;
  int port_ = 0;
  pid_t pid_ = 0;
};

// Skips the test where there is no server; on CI there must be one.
#define CLEAVE_NEEDS_REDIS()                                                       \
  if (!::cleave::store::RedisServer::IsInstalled()) {                              \
    const char* const ci = std::getenv("CI");                                      \
    ASSERT_FALSE(ci != nullptr && std::string(ci) == "true") << "no redis-server"; \
    GTEST_SKIP() << "THERE IS NO redis-server: tools/setup --check installs it";   \
  }                                                                                \
  static_assert(true, "a semicolon follows")

}  // namespace cleave::store
