// A connection to a Redis server, as much of one as the event stream and the queues of an ingest need.
//
//   CLEAVE_ASSIGN_OR_RETURN(const RedisAddress address, ParseRedisUrl("redis://:secret@host:6379/0"));
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<RedisConnection> redis, RedisConnection::Open(address));
//   redis->Send({"XLEN", "events"});
//   CLEAVE_ASSIGN_OR_RETURN(const RedisReply reply, redis->Receive());
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cleave::store {

struct RedisAddress {
  std::string host;
  int port = 6379;
  std::string user = {};      // empty: the default one
  std::string password = {};  // empty: none
  int database = 0;
  // For messages: without the password.
  [[nodiscard]] std::string ToString() const;
};

// redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]; what would not be clear in a user or password is written as %XX.
// INVALID_ARGUMENT says what is wrong; also for rediss://, since encrypted connections are not built in.
[[nodiscard]] absl::StatusOr<RedisAddress> ParseRedisUrl(absl::string_view url);

// An answer: an error of the server, or text (also of a number or status), or a list.
struct RedisReply {
  bool is_error = false;
  std::string text = {};
  std::vector<RedisReply> list = {};
};

// Not thread-safe. Requests may be sent ahead of their answers.
class RedisConnection {
 public:
  // Signs in and chooses the database. UNAVAILABLE when the server cannot be reached or is still loading its data,
  // UNAUTHENTICATED when it does not take the password, FAILED_PRECONDITION when there is no such database.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<RedisConnection>> Open(const RedisAddress& address,
                                                                             absl::Duration time_limit);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  void Send(const std::vector<std::string>& words);
  // The next answer. UNAVAILABLE when the connection is lost or no answer comes in time: it is of no use afterwards.
  [[nodiscard]] absl::StatusOr<RedisReply> Receive();
  [[nodiscard]] absl::StatusOr<RedisReply> Ask(const std::vector<std::string>& words);

 private:
  struct Context;
  RedisConnection(const RedisAddress& address, std::unique_ptr<Context> context);
  [[nodiscard]] absl::Status Lost() const;

  const RedisAddress address_;
  std::unique_ptr<Context> context_;
};

}  // namespace cleave::store
