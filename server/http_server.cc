// One thread accepts; each connection is a chain of asynchronous reads and writes on a small pool of threads, so idle
// connections cost no thread. Boost's headers stay in this file.
#include "server/http_server.h"

#include <zlib.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>  // before Boost 1.74, which forgets to include it
#include <vector>

#include "absl/strings/str_cat.h"
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace cleave::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr std::chrono::seconds kIdleTimeout(120);

// Inflates a gzip body of at most `limit` bytes; nullopt when it is damaged or larger.
std::optional<std::string> Inflate(const std::string& bytes, uint64_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 32) != Z_OK) {  // + 32: gzip or zlib, told by the header
    return std::nullopt;
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  std::vector<char> block(1 << 16);
  int code = Z_OK;
  while (code == Z_OK && out.size() <= limit) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(block.data(), block.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  return code == Z_STREAM_END && out.size() <= limit ? std::optional(std::move(out)) : std::nullopt;
}

// What a browser needs to read any answer from any page, errors included.
template <typename Message>
void AllowAllOrigins(Message& message) {
  message.set(http::field::access_control_allow_origin, "*");
  message.set(http::field::access_control_allow_methods, "GET, POST, OPTIONS");
  message.set(http::field::access_control_allow_headers, "*");
  message.set(http::field::access_control_max_age, "86400");
  message.set(http::field::cache_control, "no-store");
}

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, const ListenOptions& options, const HttpServer::Handler& handler)
      : stream_(std::move(socket)), options_(options), handler_(handler) {}

  void Read() {
    parser_.emplace();
    parser_->body_limit(options_.body_bytes_max);
    stream_.expires_after(kIdleTimeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code error, size_t) { self->Handle(error); });
  }

 private:
  void Handle(beast::error_code error) {
    if (error == http::error::body_limit) {
      return Write(ErrorResponse(413, absl::StrCat("the body is larger than ", options_.body_bytes_max, " bytes"), 0),
                   false);
    }
    if (error) {
      Close();
      return;
    }
    http::request<http::string_body> message = parser_->release();
    const bool keep_alive = message.keep_alive();
    if (message.method() == http::verb::options) {
      return Write({200, "text/plain", ""}, keep_alive);
    }
    Request request;
    request.method = std::string(message.method_string());
    const std::string target(message.target());
    const size_t mark = target.find('?');
    request.path = PercentDecode(target.substr(0, mark), Plus::kLiteral);
    request.query = ParseQuery(mark == std::string::npos ? "" : target.substr(mark + 1));
    request.host = std::string(message[http::field::host]);
    request.body = std::move(message.body());
    if (message[http::field::content_encoding] == "gzip") {
      std::optional<std::string> body = Inflate(request.body, options_.body_bytes_max);
      if (!body) {
        return Write(ErrorResponse(400, "the compressed body is damaged or too large", 0), keep_alive);
      }
      request.body = *std::move(body);
    }
    Write(handler_(request), keep_alive);
  }

  void Write(Response response, bool keep_alive) {
    message_.emplace();
    message_->result(static_cast<unsigned>(response.code));
    message_->set(http::field::content_type, response.content_type);
    message_->body() = std::move(response.body);
    message_->keep_alive(keep_alive);
    AllowAllOrigins(*message_);
    message_->prepare_payload();
    http::async_write(stream_, *message_, [self = shared_from_this(), keep_alive](beast::error_code error, size_t) {
      if (error || !keep_alive) {
        self->Close();
      } else {
        self->Read();
      }
    });
  }

  void Close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  const ListenOptions& options_;
  const HttpServer::Handler& handler_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> message_;
};

}  // namespace

struct HttpServer::State {
  ListenOptions options;
  Handler handler;
  asio::io_context context;
  tcp::acceptor acceptor{context};
  std::vector<std::jthread> threads;
  // Idle connections would keep the context busy for ever: they end when it is stopped, requests under way do not.
  std::atomic<int> requests_under_way = 0;

  void Accept() {
    acceptor.async_accept(asio::make_strand(context), [this](beast::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) {
        return;
      }
      if (!error) {
        std::make_shared<Connection>(std::move(socket), options, handler)->Read();
      }
      Accept();
    });
  }
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const ListenOptions& options, Handler handler) {
  auto state = std::make_unique<State>();
  state->options = options;
  State* counted = state.get();
  state->handler = [counted, handler = std::move(handler)](const Request& request) {
    ++counted->requests_under_way;
    Response response = handler(request);
    --counted->requests_under_way;
    return response;
  };
  beast::error_code error;
  const asio::ip::address address = asio::ip::make_address(options.address, error);
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("not an IP address: ", options.address));
  }
  const tcp::endpoint endpoint(address, options.port);
  state->acceptor.open(endpoint.protocol(), error);
  if (!error) {
    state->acceptor.set_option(asio::socket_base::reuse_address(true), error);
    state->acceptor.bind(endpoint, error);
  }
  if (!error) {
    state->acceptor.listen(asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.address, " port ", options.port, ": ", error.message()));
  }
  state->Accept();
  for (int i = 0; i < options.threads; ++i) {
    state->threads.emplace_back([counted] { counted->context.run(); });
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::~HttpServer() {
  asio::post(state_->context, [this] {
    beast::error_code ignored;
    state_->acceptor.close(ignored);
  });
  while (state_->requests_under_way > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  state_->context.stop();
  state_->threads.clear();
}

uint16_t HttpServer::port() const { return state_->acceptor.local_endpoint().port(); }

}  // namespace cleave::server
