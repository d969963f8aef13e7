// Asks an HTTP server on this machine on many connections at once, and holds every answer against what is expected.
//
// One thread a connection, which writes a request that was put together before, waits for the answer, and writes the
// next: a closed loop, so that the latency is that of a client among so many others. Nothing but the length is parsed
// of an answer, so that the server and not the client is measured; what processor time the client took is told all the
// same.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "benchmarks/measure.h"

namespace cleave {

struct HttpReply {
  int code = 0;
  std::string body;
};

// What is asked, and what must be answered.
struct Question {
  std::string kind;                 // questions of one kind are counted together
  std::string request;              // all bytes of it
  std::optional<std::string> body;  // of the answer; any where there is none
};

inline std::string GetRequest(const std::string& path, const std::string& headers = "") {
  return absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: 127.0.0.1\r\n", headers, "\r\n");
}

inline std::string PostRequest(const std::string& path, const std::string& body, const std::string& headers = "") {
  return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ", body.size(), "\r\n", headers,
                      "\r\n", body);
}

// One connection, kept alive and opened again where the server closed it. Not thread-safe.
class LoadConnection {
 public:
  explicit LoadConnection(uint16_t port) : server_(boost::asio::ip::address_v4::loopback(), port) {}

  // UNAVAILABLE: no connection, or no whole answer on it; the next question opens another one.
  [[nodiscard]] absl::StatusOr<HttpReply> Ask(const std::string& request) {
    namespace http = boost::beast::http;
    boost::system::error_code error;
    if (!socket_.is_open()) {
      socket_.connect(server_, error);
      socket_.set_option(boost::asio::ip::tcp::no_delay(true), error);
    }
    if (!error) {
      boost::asio::write(socket_, boost::asio::buffer(request), error);
    }
    http::response_parser<http::string_body> parser;
    parser.body_limit(uint64_t{1} << 30);
    if (!error) {
      http::read(socket_, buffer_, parser, error);
    }
    if (error || !parser.get().keep_alive()) {
      boost::system::error_code ignored;
      socket_.close(ignored);
      buffer_.clear();
    }
    if (error) {
      return absl::UnavailableError(error.message());
    }
    return HttpReply{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
  }

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::endpoint server_;
  boost::asio::ip::tcp::socket socket_{context_};
  boost::beast::flat_buffer buffer_;
};

struct Latencies {
  std::vector<double> ms;  // ascending when the load is over
  int64_t errors = 0;      // another code than 200, another body than expected, no answer
  std::string first_error;

  [[nodiscard]] double Percentile(int percent) const {
    return ms.empty() ? 0 : ms[std::min(ms.size() - 1, ms.size() * static_cast<size_t>(percent) / 100)];
  }
};

struct LoadResult {
  double seconds = 0;                   // from the first question to the last answer
  double client_processor_seconds = 0;  // of this process meanwhile
  std::map<std::string, Latencies> by_kind;
};

// The next question of connection number `connection`, its `turn`th from 0; nullptr ends that connection. Called by the
// threads of all connections at once.
using NextQuestion = std::function<const Question*(int connection, int64_t turn)>;

class Load {
 public:
  explicit Load(uint16_t port) : port_(port) {}

  // For so many seconds, or until every connection has ended.
  [[nodiscard]] LoadResult Run(int connections, double seconds, const NextQuestion& next) {
    const double processor_before = ProcessorSeconds();
    const auto start = std::chrono::steady_clock::now();
    LoadResult result;
    {
      std::vector<std::jthread> threads;
      threads.reserve(static_cast<size_t>(connections));
      for (int connection = 0; connection < connections; ++connection) {
        threads.emplace_back([&, connection] {
          LoadConnection line(port_);
          std::map<std::string, Latencies> own;
          const Question* question = nullptr;
          for (int64_t turn = 0; SecondsSince(start) < seconds && (question = next(connection, turn)) != nullptr;
               ++turn) {
            AskOnce(line, *question, own[question->kind]);
          }
          const std::lock_guard lock(mutex_);
          Merge(own, result.by_kind);
        });
      }
    }
    result.seconds = SecondsSince(start);
    result.client_processor_seconds = ProcessorSeconds() - processor_before;
    for (auto& [kind, latencies] : result.by_kind) {
      std::ranges::sort(latencies.ms);
    }
    return result;
  }

 private:
  static void AskOnce(LoadConnection& line, const Question& question, Latencies& latencies) {
    const auto begin = std::chrono::steady_clock::now();
    const absl::StatusOr<HttpReply> reply = line.Ask(question.request);
    latencies.ms.push_back(1e3 * SecondsSince(begin));
    if (reply.ok() && reply->code == 200 && (!question.body.has_value() || reply->body == *question.body)) {
      return;
    }
    ++latencies.errors;
    if (latencies.first_error.empty()) {
      latencies.first_error = !reply.ok()          ? std::string(reply.status().message())
                              : reply->code == 200 ? "another answer than expected"
                                                   : absl::StrCat(reply->code, ": ", reply->body.substr(0, 300));
    }
  }

  static void Merge(std::map<std::string, Latencies>& from, std::map<std::string, Latencies>& into) {
    for (auto& [kind, latencies] : from) {
      Latencies& all = into[kind];
      all.ms.insert(all.ms.end(), latencies.ms.begin(), latencies.ms.end());
      all.errors += latencies.errors;
      if (all.first_error.empty()) {
        all.first_error = latencies.first_error;
      }
    }
  }

  const uint16_t port_;
  std::mutex mutex_;
};

}  // namespace cleave
