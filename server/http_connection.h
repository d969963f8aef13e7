// One connection of HttpServer: a chain of asynchronous reads and writes. Boost's headers are this room's own; nobody
// outside of it includes this one.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>  // before Boost 1.74, which forgets to include it
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "server/http_message.h"
#include "server/http_server.h"

namespace cleave::server {

// What the connections of one server share. Must outlive them.
struct ConnectionContext {
  const ListenOptions& options;
  const HttpServer::Handler& handler;
  const HttpServer::IsSlow& is_slow;
  boost::asio::thread_pool& workers;
  boost::asio::thread_pool& slow_workers;
  std::atomic<int> requests_under_way = 0;    // from the last byte read to the last byte of the answer sent
  std::atomic<int64_t> waiting_look_ups = 0;  // read, and no worker has begun with them
  std::atomic<int64_t> waiting_edits = 0;     // the same of the slow ones
  std::atomic<bool> stopping = false;         // each connection then ends with its next answer
};

// A message as the routes see it. Its id is the client's own, where that fits into a line of a log.
[[nodiscard]] Request RequestOf(boost::beast::http::request<boost::beast::http::string_body> message);

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(boost::asio::ip::tcp::socket socket, ConnectionContext& context)
      : stream_(std::move(socket)), context_(context) {}
  // Begins the chain. It ends with the connection.
  void Read();

 private:
  using ErrorCode = boost::beast::error_code;
  void HandleHeader(ErrorCode error);
  void ReadBody();
  void HandleBody(ErrorCode error);
  void Refuse(ErrorCode error);  // what is no request, or too large
  void AnswerInflated(Request request, bool is_options);
  void Answer(const Request& request, bool is_options);
  void Write(const Request& request, Response response);
  void Written(ErrorCode error);
  void Close();
  void Linger();

  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  ConnectionContext& context_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::optional<boost::beast::http::response<boost::beast::http::string_body>> message_;
  boost::beast::http::response<boost::beast::http::empty_body> go_on_;
  bool keep_alive_ = false;
  bool is_counted_ = false;
  std::vector<char> discarded_;
};

}  // namespace cleave::server
