#include "store/redis_connection.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include <hiredis/hiredis.h>
#include <sys/time.h>

#include "base/status.h"

namespace cleave::store {
namespace {

constexpr absl::string_view kForm = "write redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]";

absl::Status WrongUrl(absl::string_view why) { return absl::InvalidArgumentError(absl::StrCat(why, "; ", kForm)); }

absl::StatusOr<std::string> Unescape(absl::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    if (i + 2 >= text.size() || !absl::ascii_isxdigit(text[i + 1]) || !absl::ascii_isxdigit(text[i + 2])) {
      return WrongUrl("a '%' in the user or password is not followed by two hexadecimal digits");
    }
    plain += absl::HexStringToBytes(text.substr(i + 1, 2));
    i += 2;
  }
  return plain;
}

// Takes "USER:PASSWORD" apart.
absl::Status ReadCredentials(absl::string_view text, RedisAddress& address) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos) {
    return WrongUrl("what stands before '@' has no ':' before the password");
  }
  CLEAVE_ASSIGN_OR_RETURN(address.user, Unescape(text.substr(0, colon)));
  CLEAVE_ASSIGN_OR_RETURN(address.password, Unescape(text.substr(colon + 1)));
  return absl::OkStatus();
}

absl::Status ReadHostAndPort(absl::string_view text, RedisAddress& address) {
  absl::string_view port;
  if (absl::ConsumePrefix(&text, "[")) {  // an address of version 6
    const size_t end = text.find(']');
    if (end == absl::string_view::npos) {
      return WrongUrl("there is no ']' after the host");
    }
    address.host = std::string(text.substr(0, end));
    port = text.substr(end + 1);
  } else {
    const size_t colon = text.find(':');
    address.host = std::string(text.substr(0, colon));
    port = colon == absl::string_view::npos ? "" : text.substr(colon);
  }
  if (address.host.empty()) {
    return WrongUrl("there is no host");
  }
  if (!port.empty() && (!absl::ConsumePrefix(&port, ":") || !absl::SimpleAtoi(port, &address.port) ||
                        address.port < 1 || address.port > 65535)) {
    return WrongUrl(absl::StrCat("'", port, "' is not a port"));
  }
  return absl::OkStatus();
}

RedisReply ToReply(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return {.text = absl::StrCat(reply.integer)};
    case REDIS_REPLY_NIL:
      return {};
    case REDIS_REPLY_ARRAY: {
      RedisReply list;
      for (size_t i = 0; i < reply.elements; ++i) {
        list.list.push_back(ToReply(*reply.element[i]));
      }
      return list;
    }
    default:
      return {.is_error = reply.type == REDIS_REPLY_ERROR, .text = std::string(reply.str, reply.len)};
  }
}

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};

}  // namespace

std::string RedisAddress::ToString() const {
  return absl::StrCat("redis://", absl::StrContains(host, ':') ? absl::StrCat("[", host, "]") : host, ":", port, "/",
                      database);
}

absl::StatusOr<RedisAddress> ParseRedisUrl(absl::string_view url) {
  if (absl::StartsWith(url, "rediss://")) {
    return WrongUrl("encrypted connections (rediss) are not built in; put a tunnel before the server");
  }
  if (!absl::ConsumePrefix(&url, "redis://")) {
    return WrongUrl("the address does not begin with redis://");
  }
  RedisAddress address;
  if (const size_t at = url.rfind('@'); at != absl::string_view::npos) {
    CLEAVE_RETURN_IF_ERROR(ReadCredentials(url.substr(0, at), address));
    url.remove_prefix(at + 1);
  }
  const size_t slash = url.find('/');
  if (slash != absl::string_view::npos) {
    const absl::string_view database = url.substr(slash + 1);
    if (!database.empty() && (!absl::SimpleAtoi(database, &address.database) || address.database < 0)) {
      return WrongUrl(absl::StrCat("'", database, "' is not the number of a database"));
    }
  }
  CLEAVE_RETURN_IF_ERROR(ReadHostAndPort(url.substr(0, slash), address));
  return address;
}

struct RedisConnection::Context {
  explicit Context(redisContext* made) : redis(made) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { redisFree(redis); }

  redisContext* redis;
};

RedisConnection::RedisConnection(const RedisAddress& address, std::unique_ptr<Context> context)
    : address_(address), context_(std::move(context)) {}
RedisConnection::~RedisConnection() = default;

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisConnection::Open(const RedisAddress& address,
                                                                       absl::Duration time_limit) {
  const timeval limit = absl::ToTimeval(time_limit);
  auto context = std::make_unique<Context>(redisConnectWithTimeout(address.host.c_str(), address.port, limit));
  if (context->redis == nullptr) {
    return absl::ResourceExhaustedError("no memory for a connection to Redis");
  }
  std::unique_ptr<RedisConnection> connection(new RedisConnection(address, std::move(context)));
  if (connection->context_->redis->err != 0 || redisSetTimeout(connection->context_->redis, limit) != REDIS_OK) {
    return connection->Lost();
  }
  if (!address.password.empty()) {
    const absl::StatusOr<RedisReply> signed_in =
        connection->Ask(address.user.empty() ? std::vector<std::string>{"AUTH", address.password}
                                             : std::vector<std::string>{"AUTH", address.user, address.password});
    CLEAVE_RETURN_IF_ERROR(signed_in.status());
    if (signed_in->is_error) {
      return absl::UnauthenticatedError(absl::StrCat(address.ToString(), ": ", signed_in->text));
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(const RedisReply chosen, connection->Ask({"SELECT", absl::StrCat(address.database)}));
  if (chosen.is_error) {
    const std::string message = absl::StrCat(address.ToString(), ": ", chosen.text);
    if (absl::StartsWith(chosen.text, "LOADING")) {
      return absl::UnavailableError(message);
    }
    return absl::StartsWith(chosen.text, "NOAUTH") ? absl::UnauthenticatedError(message)
                                                   : absl::FailedPreconditionError(message);
  }
  return connection;
}

void RedisConnection::Send(const std::vector<std::string>& words) {
  std::vector<const char*> starts;
  std::vector<size_t> lengths;
  for (const std::string& word : words) {
    starts.push_back(word.data());
    lengths.push_back(word.size());
  }
  // An error of it (no memory) marks the context, and Receive tells.
  redisAppendCommandArgv(context_->redis, static_cast<int>(words.size()), starts.data(), lengths.data());
}

absl::StatusOr<RedisReply> RedisConnection::Receive() {
  void* raw = nullptr;
  if (context_->redis->err != 0 || redisGetReply(context_->redis, &raw) != REDIS_OK || raw == nullptr) {
    return Lost();
  }
  const std::unique_ptr<redisReply, FreeReply> reply(static_cast<redisReply*>(raw));
  return ToReply(*reply);
}

absl::StatusOr<RedisReply> RedisConnection::Ask(const std::vector<std::string>& words) {
  Send(words);
  return Receive();
}

absl::Status RedisConnection::Lost() const {
  return absl::UnavailableError(absl::StrCat(address_.ToString(), ": ", context_->redis->errstr));
}

}  // namespace cleave::store
