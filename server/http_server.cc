// One thread accepts; each connection is a chain of asynchronous reads and writes on two threads, so idle connections
// cost no thread. Handlers run on a pool of their own. Boost's headers stay in this room.
#include "server/http_server.h"

#include <chrono>
#include <thread>
#include <utility>  // before Boost 1.74, which forgets to include it
#include <vector>

#include "absl/strings/str_cat.h"
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include "server/http_connection.h"

namespace cleave::server {
namespace {

constexpr int kSocketThreads = 2;

boost::system::error_code Listen(boost::asio::ip::tcp::acceptor& acceptor,
                                 const boost::asio::ip::tcp::endpoint& endpoint) {
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) {
    acceptor.set_option(boost::asio::socket_base::reuse_address(true), error);
    acceptor.bind(endpoint, error);
  }
  if (!error) {
    acceptor.listen(boost::asio::socket_base::max_listen_connections, error);
  }
  return error;
}

}  // namespace

struct HttpServer::State {
  State(const ListenOptions& listen, Handler answer, IsSlow slow)
      : options(listen),
        handler(std::move(answer)),
        is_slow(std::move(slow)),
        workers(static_cast<size_t>(listen.threads)),
        slow_workers(static_cast<size_t>(listen.slow_threads)) {}

  const ListenOptions options;
  const Handler handler;
  const IsSlow is_slow;
  boost::asio::io_context context;
  // The context would end for want of work while a request is with the workers, and its answer would never be sent.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
  boost::asio::ip::tcp::acceptor acceptor{context};
  boost::asio::thread_pool workers;
  boost::asio::thread_pool slow_workers;
  ConnectionContext connections{options, handler, is_slow, workers, slow_workers};
  std::vector<std::jthread> threads;

  void Accept() {
    acceptor.async_accept(boost::asio::make_strand(context),
                          [this](boost::system::error_code error, boost::asio::ip::tcp::socket socket) {
                            if (error == boost::asio::error::operation_aborted) {
                              return;
                            }
                            if (!error) {
                              // Else the end of an answer in several packets waits until the client has
                              // acknowledged the others, which it may put off by 40 ms.
                              boost::system::error_code ignored;
                              socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
                              std::make_shared<HttpConnection>(std::move(socket), connections)->Read();
                            }
                            Accept();
                          });
  }
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const ListenOptions& options, Handler handler,
                                                              IsSlow is_slow) {
  boost::system::error_code error;
  const boost::asio::ip::address address = boost::asio::ip::make_address(options.address, error);
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("not an IP address: ", options.address));
  }
  auto state = std::make_unique<State>(options, std::move(handler), std::move(is_slow));
  error = Listen(state->acceptor, {address, options.port});
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.address, " port ", options.port, ": ", error.message()));
  }
  state->Accept();
  for (int i = 0; i < kSocketThreads; ++i) {
    state->threads.emplace_back([context = &state->context] { context->run(); });
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

// Idle connections would keep the context busy for ever: they end when it is stopped, requests under way do not.
HttpServer::~HttpServer() {
  state_->connections.stopping = true;
  boost::asio::post(state_->context, [this] {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
  });
  while (state_->connections.requests_under_way > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  state_->context.stop();
  state_->threads.clear();
  state_->workers.join();
  state_->slow_workers.join();
}

int64_t HttpServer::waiting_look_ups() const { return state_->connections.waiting_look_ups; }
int64_t HttpServer::waiting_edits() const { return state_->connections.waiting_edits; }

uint16_t HttpServer::port() const { return state_->acceptor.local_endpoint().port(); }

}  // namespace cleave::server
