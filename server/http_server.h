// An HTTP/1.1 server for routes: keep-alive, compressed requests, cross-origin headers on every answer.
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
  uint16_t port = 8080;  // 0: any free one
  int threads = 4;
  uint64_t body_bytes_max = uint64_t{64} << 20;
};

class HttpServer {
 public:
  using Handler = std::function<Response(const Request&)>;

  // Listens; answers come from `handler`, which is called from several threads at once. UNAVAILABLE when the port is
  // taken.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const ListenOptions& options, Handler handler);
  // Stops accepting, finishes the requests under way, and ends.
  ~HttpServer();

  [[nodiscard]] uint16_t port() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cleave::server
