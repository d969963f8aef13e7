// One thread serves the sockets of all calls. A call is a chain of asynchronous steps (look the name up, connect, shake
// hands, write, read) under one timer; whatever ends first gives the answer. The thread and its context live as long
// as the client, since a look-up of a name cannot be broken off: it then ends behind the back of its call.
#include "server/http_client.h"

#include <algorithm>
#include <exception>
#include <future>
#include <optional>
#include <thread>
#include <utility>  // before Boost 1.74, which forgets to include it

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

namespace cleave::server {
namespace {

using Error = boost::system::error_code;
using Tcp = boost::asio::ip::tcp;
constexpr uint32_t kAnswerHeaderBytesMax = 64 << 10;

bool IsPlain(absl::string_view text, absl::string_view forbidden) {
  return std::ranges::all_of(text, [&](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c)) && forbidden.find(c) == absl::string_view::npos;
  });
}

// "host", "host:80", "[::1]:80".
bool ReadHostAndPort(absl::string_view text, HttpUrl& url) {
  absl::string_view port;
  if (absl::ConsumePrefix(&text, "[")) {
    const size_t end = text.find(']');
    if (end == absl::string_view::npos) {
      return false;
    }
    url.host = std::string(text.substr(0, end));
    port = text.substr(end + 1);
  } else {
    const size_t end = std::min(text.find(':'), text.size());
    url.host = std::string(text.substr(0, end));
    port = text.substr(end);
  }
  int number = url.port;
  const bool has_port = absl::ConsumePrefix(&port, ":");
  if (has_port ? !absl::SimpleAtoi(port, &number) || number < 1 || number > 65535 : !port.empty()) {
    return false;
  }
  url.port = static_cast<uint16_t>(number);
  return !url.host.empty() && IsPlain(url.host, "/?#@[]\\\"");
}

std::string HostAndPort(const HttpUrl& url) {
  const bool is_usual = url.port == (url.is_encrypted ? 443 : 80);
  const std::string host = absl::StrContains(url.host, ':') ? absl::StrCat("[", url.host, "]") : url.host;
  return is_usual ? host : absl::StrCat(host, ":", url.port);
}

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(boost::asio::io_context& context, boost::asio::ssl::context& tls, const HttpUrl& url,
           const HttpGetRequest& request)
      : url_(url), resolver_(context), timer_(context), stream_(context, tls) {
    namespace http = boost::beast::http;
    message_ = {http::verb::get, absl::StrCat(url.path, request.path), 11};
    message_.set(http::field::host, HostAndPort(url));
    message_.set(http::field::user_agent, "cleave");
    message_.set(http::field::accept, "application/json");
    message_.set(http::field::authorization, absl::StrCat("Bearer ", request.bearer));
    message_.keep_alive(false);
    parser_.body_limit(request.answer_bytes_max);
    parser_.header_limit(kAnswerHeaderBytesMax);
    timeout_ = request.timeout;
    answer_bytes_max_ = request.answer_bytes_max;
  }

  std::future<absl::StatusOr<HttpAnswer>> Answer() { return answer_.get_future(); }

  void Start() {
    timer_.expires_after(absl::ToChronoNanoseconds(timeout_));
    timer_.async_wait([self = shared_from_this()](Error error) {
      if (!error) {
        self->Fail(absl::StrCat("no answer within ", absl::FormatDuration(self->timeout_)));
      }
    });
    resolver_.async_resolve(url_.host, absl::StrCat(url_.port),
                            [self = shared_from_this()](Error error, const Tcp::resolver::results_type& places) {
                              error ? self->Fail("its name is not found: " + error.message()) : self->Connect(places);
                            });
  }

 private:
  boost::beast::tcp_stream& socket() { return boost::beast::get_lowest_layer(stream_); }

  void Connect(const Tcp::resolver::results_type& places) {
    if (is_done_) {
      return;
    }
    socket().async_connect(places, [self = shared_from_this()](Error error, const Tcp::endpoint&) {
      if (error) {
        self->Fail("no connection: " + error.message());
      } else {
        self->url_.is_encrypted ? self->ShakeHands() : self->Write(self->socket());
      }
    });
  }

  void ShakeHands() {
    Error is_name;  // an address has no place in a server name indication (RFC 6066, 3)
    boost::asio::ip::make_address(url_.host, is_name);
    if (is_name && SSL_set_tlsext_host_name(stream_.native_handle(), url_.host.c_str()) != 1) {
      return Fail("its name cannot stand in a request for TLS");
    }
    stream_.set_verify_mode(boost::asio::ssl::verify_peer);
    stream_.set_verify_callback(boost::asio::ssl::host_name_verification(url_.host));
    stream_.async_handshake(boost::asio::ssl::stream_base::client, [self = shared_from_this()](Error error) {
      error ? self->Fail("no trusted TLS connection: " + error.message()) : self->Write(self->stream_);
    });
  }

  template <typename Stream>
  void Write(Stream& stream) {
    boost::beast::http::async_write(stream, message_, [self = shared_from_this(), &stream](Error error, size_t) {
      error ? self->Fail("the connection broke: " + error.message()) : self->ReadHeader(stream);
    });
  }

  // Boost 1.74 loses the error of a response whose Content-Length is beyond the limit, and reserves that much.
  template <typename Stream>
  void ReadHeader(Stream& stream) {
    namespace http = boost::beast::http;
    http::async_read_header(stream, buffer_, parser_, [self = shared_from_this(), &stream](Error error, size_t) {
      if (error) {
        self->Fail("no whole answer: " + error.message());
      } else if (self->parser_.content_length().value_or(0) > self->answer_bytes_max_) {
        self->Fail(absl::StrCat("its answer is larger than ", self->answer_bytes_max_, " bytes"));
      } else {
        self->Read(stream);
      }
    });
  }

  template <typename Stream>
  void Read(Stream& stream) {
    boost::beast::http::async_read(stream, buffer_, parser_, [self = shared_from_this()](Error error, size_t) {
      if (error) {
        return self->Fail("no whole answer: " + error.message());
      }
      auto message = self->parser_.release();
      self->Finish(HttpAnswer{static_cast<int>(message.result_int()), std::move(message.body())});
    });
  }

  void Fail(const std::string& why) { Finish(absl::UnavailableError(why)); }

  // The first to come counts; the rest of the chain ends with errors that nobody hears.
  void Finish(absl::StatusOr<HttpAnswer> answer) {
    if (!is_done_) {
      is_done_ = true;
      timer_.cancel();
      resolver_.cancel();
      socket().close();
      answer_.set_value(std::move(answer));
    }
  }

  const HttpUrl url_;
  Tcp::resolver resolver_;
  boost::asio::steady_timer timer_;
  boost::beast::ssl_stream<boost::beast::tcp_stream> stream_;  // its lowest layer alone where TLS is not wanted
  boost::beast::flat_buffer buffer_;
  boost::beast::http::request<boost::beast::http::empty_body> message_;
  boost::beast::http::response_parser<boost::beast::http::string_body> parser_;
  absl::Duration timeout_;
  uint64_t answer_bytes_max_ = 0;
  bool is_done_ = false;
  std::promise<absl::StatusOr<HttpAnswer>> answer_;
};

// A library that throws breaks off one exchange, which its timer then ends; the others go on.
void RunAll(boost::asio::io_context& context) {
  for (bool is_over = false; !is_over;) {
    try {
      context.run();
      is_over = true;
    } catch (const std::exception&) {
      continue;
    }
  }
}

}  // namespace

absl::StatusOr<HttpUrl> ParseHttpUrl(absl::string_view text) {
  HttpUrl url;
  absl::string_view rest = text;
  url.is_encrypted = absl::ConsumePrefix(&rest, "https://");
  const bool has_scheme = url.is_encrypted || absl::ConsumePrefix(&rest, "http://");
  url.port = url.is_encrypted ? 443 : 80;
  const size_t slash = std::min(rest.find('/'), rest.size());
  absl::string_view path = rest.substr(slash);
  while (absl::ConsumeSuffix(&path, "/")) {
  }
  url.path = std::string(path);
  if (!has_scheme || !ReadHostAndPort(rest.substr(0, slash), url) || !IsPlain(path, "?#\"\\")) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected http://HOST or https://HOST, perhaps with :PORT and a /PATH, not '", text, "'"));
  }
  return url;
}

std::string FormatHttpUrl(const HttpUrl& url) {
  return absl::StrCat(url.is_encrypted ? "https://" : "http://", HostAndPort(url), url.path);
}

struct HttpClient::State {
  boost::asio::ssl::context tls{boost::asio::ssl::context::tls_client};
  boost::asio::io_context context;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
  std::jthread thread;
};

HttpClient::HttpClient() : state_(std::make_unique<State>()) {
  Error ignored;  // a client that trusts nobody says so with every answer
  state_->tls.set_default_verify_paths(ignored);
  SSL_CTX_set_min_proto_version(state_->tls.native_handle(), TLS1_2_VERSION);
  state_->thread = std::jthread([context = &state_->context] { RunAll(*context); });
}

HttpClient::~HttpClient() {
  state_->context.stop();
  state_->thread.join();
}

absl::StatusOr<HttpAnswer> HttpClient::Get(const HttpUrl& url, const HttpGetRequest& request) {
  const auto exchange = std::make_shared<Exchange>(state_->context, state_->tls, url, request);
  std::future<absl::StatusOr<HttpAnswer>> answer = exchange->Answer();
  boost::asio::post(state_->context, [exchange] { exchange->Start(); });
  return answer.get();
}

}  // namespace cleave::server
