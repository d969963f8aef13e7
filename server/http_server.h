// An HTTP/1.1 server for routes: keep-alive, compressed bodies both ways, cross-origin headers on every answer.
//
// Answers are made by two pools of threads, one for requests that may wait long, such as edits for their locks, so that
// all others are answered meanwhile. Sockets are served by threads of their own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "server/http_message.h"

namespace cleave::server {

struct ListenOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 8080;                          // 0: any free one
  int threads = 16;                              // requests that are answered at a time
  int slow_threads = 16;                         // beside them, requests that may wait long
  uint64_t body_bytes_max = uint64_t{64} << 20;  // of a request, as sent and inflated
};

class HttpServer {
 public:
  using Handler = std::function<Response(const Request&)>;
  using IsSlow = std::function<bool(const Request&)>;

  // Listens; answers come from `handler`, which is called from several threads at once. UNAVAILABLE when the port is
  // taken. OPTIONS, and requests that are no HTTP or too large, are answered without it. `is_slow` says which requests
  // may wait long; it looks at the head alone and is quick. Without one, none do.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const ListenOptions& options, Handler handler,
                                                                         IsSlow is_slow = nullptr);
  // Stops accepting, finishes the requests under way, sends their answers, and ends.
  ~HttpServer();

  [[nodiscard]] uint16_t port() const;
  // Requests that were read and that no thread has begun to answer.
  [[nodiscard]] int64_t waiting_look_ups() const;
  [[nodiscard]] int64_t waiting_edits() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cleave::server
