// Events: what consumers outside of the process read, since the table has one owner.
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/event_index.h"
#include "server/service.h"
#include "work/event_json.h"
#include "work/event_stream.h"

namespace cleave::server {
namespace {

using nlohmann::json;

constexpr int64_t kEventsDefault = 1000;
constexpr int64_t kEventsMax = 10'000;

// Whole ms, as it can be given back.
std::string OffsetText(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()); }

absl::StatusOr<int64_t> LimitOf(const Request& request) {
  const std::string* const text = QueryOf(request, "limit");
  int64_t limit = kEventsDefault;
  if (text != nullptr && (!absl::SimpleAtoi(*text, &limit) || limit < 1 || limit > kEventsMax)) {
    return absl::InvalidArgumentError(absl::StrCat("limit must be a number from 1 to ", kEventsMax));
  }
  return limit;
}

// From ?after, or from where ?group stands.
absl::StatusOr<work::EventOffset> OffsetOf(Service& service, const Request& request) {
  const std::string* const after = QueryOf(request, "after");
  const std::string* const group = QueryOf(request, "group");
  if (after != nullptr && group != nullptr) {
    return absl::InvalidArgumentError("give either after or group: a group keeps its own place");
  }
  work::EventOffset offset;
  if (after != nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(offset.after, ParseMoment(*after));
  } else if (group != nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(offset.after, edit::ReadAcknowledged(service.dataset.table(), *group));
  }
  return offset;
}

absl::StatusOr<Response> AnswerEvents(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const int64_t limit, LimitOf(call.request));
  CLEAVE_ASSIGN_OR_RETURN(const work::EventOffset offset, OffsetOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(const work::EventPage page, work::ReadEvents(service.dataset, offset, limit));
  json events = json::array();
  for (const edit::OperationRecord& event : page.events) {
    events.push_back(work::EventJson(event, WantsText(call.request) ? work::IdForm::kText : work::IdForm::kNumber));
  }
  const bool any = page.next.after != absl::InfinitePast();
  return JsonResponse({{"events", events}, {"next", any ? json(OffsetText(page.next.after)) : json()}});
}

absl::StatusOr<Response> AnswerAcknowledge(Service& service, const Call& call) {
  const std::string* const group = QueryOf(call.request, "group");
  const std::string* const until = QueryOf(call.request, "until");
  if (group == nullptr || until == nullptr) {
    return absl::InvalidArgumentError("acknowledging needs group and until, the 'next' of what was handled");
  }
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, ParseMoment(*until));
  CLEAVE_RETURN_IF_ERROR(edit::Acknowledge(service.dataset.table(), *group, time));
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time stands, edit::ReadAcknowledged(service.dataset.table(), *group));
  return JsonResponse({{"group", *group}, {"acknowledged", OffsetText(stands)}});
}

}  // namespace

std::vector<Route> EventRoutes() {
  return {{"GET", absl::StrCat(kSegmentation, "events"), Right::kView, AnswerEvents},
          {"POST", absl::StrCat(kSegmentation, "events/acknowledge"), Right::kEdit, AnswerAcknowledge}};
}

}  // namespace cleave::server
