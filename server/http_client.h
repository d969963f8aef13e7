// Asks another HTTP server: the one that knows who may do what. Boost's headers stay in the source.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cleave::server {

struct HttpUrl {
  bool is_encrypted = true;  // https
  std::string host;          // a name or an address, that of IPv6 without brackets
  uint16_t port = 443;
  std::string path;  // "/auth"; empty, or begins with a slash and does not end with one
};
// "https://example.org/auth". INVALID_ARGUMENT without http:// or https://, with a user, a query or a fragment, or with
// anything that cannot stand in a line of HTTP.
[[nodiscard]] absl::StatusOr<HttpUrl> ParseHttpUrl(absl::string_view text);
// As it was given, without a slash at its end.
[[nodiscard]] std::string FormatHttpUrl(const HttpUrl& url);

struct HttpGetRequest {
  std::string path;    // behind the URL's own
  std::string bearer;  // the token; REQUIRES: visible ASCII
  absl::Duration timeout = absl::Seconds(5);
  uint64_t answer_bytes_max = 1 << 20;
};

struct HttpAnswer {
  int code = 0;
  std::string body;
};

// Thread-safe. No call may be under way when it ends.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();

  // One GET on a connection of its own; redirections are answers like others. With https the server must show that it
  // is the host, by the certificates that the system trusts (or SSL_CERT_FILE, SSL_CERT_DIR), with TLS 1.2 or newer.
  // UNAVAILABLE, with words that hold nothing of the request or the answer: no connection, no trust, no whole answer
  // within the time-out, one that is too large or not HTTP.
  [[nodiscard]] absl::StatusOr<HttpAnswer> Get(const HttpUrl& url, const HttpGetRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cleave::server
