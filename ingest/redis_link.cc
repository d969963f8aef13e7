#include "ingest/redis_link.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/status.h"

namespace cleave::ingest {
namespace {

constexpr absl::Duration kTimeLimit = absl::Seconds(5);  // of each answer
constexpr absl::Duration kFirstRest = absl::Milliseconds(50);
constexpr absl::Duration kRestMax = absl::Seconds(1);

absl::Status ErrorOf(const std::string& where, absl::string_view text) {
  const std::string message = absl::StrCat(where, ": ", text);
  for (const absl::string_view passing :
       {"LOADING", "OOM", "BUSY", "MASTERDOWN", "READONLY", "MISCONF", "NOREPLICAS", "TRYAGAIN", "CLUSTERDOWN"}) {
    if (absl::StartsWith(text, passing)) {
      return absl::UnavailableError(message);
    }
  }
  if (absl::StartsWith(text, "NOAUTH") || absl::StartsWith(text, "NOPERM")) {
    return absl::PermissionDeniedError(message);
  }
  return absl::FailedPreconditionError(message);
}

}  // namespace

absl::StatusOr<store::RedisReply> RedisLink::AskOnce(const std::vector<std::string>& request) {
  if (connection_ == nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(connection_, store::RedisConnection::Open(options_.address, kTimeLimit));
  }
  absl::StatusOr<store::RedisReply> reply = connection_->Ask(request);
  if (!reply.ok()) {
    connection_.reset();
    ++losses_;
    return reply;
  }
  return reply->is_error ? ErrorOf(options_.address.ToString(), reply->text) : std::move(reply);
}

void RedisLink::Tell(const absl::Status& status) {
  if (away_since_.has_value() == status.ok() && options_.on_change) {
    options_.on_change(status);
  }
  away_since_ = status.ok() ? std::nullopt : std::optional(away_since_.value_or(absl::Now()));
}

absl::StatusOr<store::RedisReply> RedisLink::Ask(absl::FunctionRef<std::vector<std::string>(Sending)> request) {
  const absl::MutexLock lock(&mutex_);
  Sending sending = Sending::kFirst;
  for (absl::Duration rest = kFirstRest;; rest = std::min(2 * rest, kRestMax)) {
    absl::StatusOr<store::RedisReply> reply = AskOnce(request(sending));
    const bool away = absl::IsUnavailable(reply.status());
    Tell(away ? reply.status() : absl::OkStatus());
    if (!away || absl::Now() - *away_since_ >= options_.patience) {
      return reply;
    }
    sending = Sending::kAgain;
    absl::SleepFor(rest);
  }
}

absl::StatusOr<store::RedisReply> RedisLink::Ask(const std::vector<std::string>& request) {
  return Ask([&](Sending) { return request; });
}

}  // namespace cleave::ingest
