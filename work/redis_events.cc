#include "work/redis_events.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "work/event_json.h"

namespace cleave::work {
namespace {

constexpr absl::string_view kNotLater = "is equal or smaller than the target stream top item";

std::string EntryId(const edit::OperationRecord& event) {
  return absl::StrCat(absl::ToUnixMillis(event.time), "-", Value(event.id));
}

// "MS-OPERATION". "0-0" is Redis's word for none yet.
absl::StatusOr<EventOffset> ParsePlace(absl::string_view id, const std::string& stream) {
  int64_t ms = 0;
  if (!absl::SimpleAtoi(id.substr(0, id.find('-')), &ms)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the newest entry of ", stream, " is ", id, ", which is no event"));
  }
  return EventOffset{ms == 0 ? absl::InfinitePast() : absl::FromUnixMillis(ms)};
}

absl::Status ErrorOf(absl::string_view stream, absl::string_view text) {
  const std::string message = absl::StrCat("Redis stream ", stream, ": ", text);
  if (absl::StartsWith(text, "WRONGTYPE")) {
    return absl::FailedPreconditionError(absl::StrCat(message, "; choose another key for the events"));
  }
  if (absl::StartsWith(text, "OOM")) {
    return absl::ResourceExhaustedError(message);
  }
  if (absl::StartsWith(text, "NOAUTH") || absl::StartsWith(text, "NOPERM")) {
    return absl::PermissionDeniedError(message);
  }
  return absl::UnavailableError(message);
}

std::vector<std::string> Appending(const RedisEventsOptions& options, const edit::OperationRecord& event) {
  std::vector<std::string> words = {"XADD", options.stream};
  if (options.length_max > 0) {
    words.insert(words.end(), {"MAXLEN", "~", absl::StrCat(options.length_max)});
  }
  // A user's name may hold bytes that are no UTF-8.
  const std::string text =
      EventJson(event, IdForm::kText).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  words.insert(words.end(), {EntryId(event), "operation", absl::StrCat(Value(event.id)), "kind",
                             std::string(edit::Name(event.kind)), "user", event.user, "event", text});
  return words;
}

}  // namespace

std::string DefaultEventStream(const std::string& dataset_name) {
  return absl::StrCat("cleave:", dataset_name, ":events");
}

RedisEvents::RedisEvents(graph::Dataset& dataset, RedisEventsOptions options)
    : dataset_(dataset), options_(std::move(options)) {}
RedisEvents::~RedisEvents() = default;

absl::StatusOr<int64_t> RedisEvents::Step() {
  absl::StatusOr<int64_t> count = TryStep();
  if (!count.ok()) {
    connection_.reset();
    place_.reset();
  }
  return count;
}

absl::StatusOr<int64_t> RedisEvents::Drain() {
  int64_t all = 0;
  for (;;) {
    CLEAVE_ASSIGN_OR_RETURN(const int64_t count, Step());
    if (count == 0) {
      return all;
    }
    all += count;
  }
}

absl::StatusOr<int64_t> RedisEvents::TryStep() {
  if (connection_ == nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(connection_, store::RedisConnection::Open(options_.address, options_.time_limit));
  }
  if (!place_.has_value()) {
    CLEAVE_ASSIGN_OR_RETURN(place_, AskForPlace());
  }
  CLEAVE_ASSIGN_OR_RETURN(const EventPage page, ReadEvents(dataset_, *place_, options_.events_at_once));
  return page.events.empty() ? int64_t{0} : Append(page);
}

absl::StatusOr<EventOffset> RedisEvents::AskForPlace() {
  CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply info, connection_->Ask({"XINFO", "STREAM", options_.stream}));
  if (info.is_error) {
    if (absl::StrContains(info.text, "no such key")) {
      return EventOffset{};
    }
    return ErrorOf(options_.stream, info.text);
  }
  for (size_t i = 0; i + 1 < info.list.size(); i += 2) {
    if (info.list[i].text == "last-generated-id") {
      return ParsePlace(info.list[i + 1].text, options_.stream);
    }
  }
  return absl::FailedPreconditionError(absl::StrCat("Redis stream ", options_.stream,
                                                    ": the server does not tell its newest id; Redis 5 or later does"));
}

absl::StatusOr<int64_t> RedisEvents::Append(const EventPage& page) {
  connection_->Send({"MULTI"});
  for (const edit::OperationRecord& event : page.events) {
    connection_->Send(Appending(options_, event));
  }
  connection_->Send({"EXEC"});
  absl::Status refused;
  for (size_t i = 0; i < page.events.size() + 1; ++i) {
    CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply queued, connection_->Receive());
    if (queued.is_error && refused.ok()) {
      refused = ErrorOf(options_.stream, queued.text);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(const store::RedisReply done, connection_->Receive());
  CLEAVE_RETURN_IF_ERROR(refused);
  if (done.is_error || done.list.size() != page.events.size()) {
    return ErrorOf(options_.stream, done.is_error ? done.text : "the transaction was not carried out");
  }
  place_ = page.next;
  for (const store::RedisReply& appended : done.list) {
    if (appended.is_error && !absl::StrContains(appended.text, kNotLater)) {
      return ErrorOf(options_.stream, appended.text);
    }
    if (appended.is_error) {
      place_.reset();
    }
  }
  return std::ssize(page.events);
}

}  // namespace cleave::work
