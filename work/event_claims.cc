#include "work/event_claims.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "work/job_id.h"

namespace cleave::work {
namespace {

const table::Column kDone{"0", "cleave_done"};

}  // namespace

using edit::EventRef;

EventClaims::EventClaims(table::Table& table, Clock& clock, std::string group, absl::Duration expiry)
    : table_(table.ordered()),
      group_(std::move(group)),
      worker_(NewJobId()),
      locks_(table_, clock, table::LockedRows::kChunks, expiry),
      keeper_(table_, clock, expiry) {}

EventClaims::~EventClaims() { GiveBack(); }

std::string EventClaims::RowKey(const EventRef& event) const {
  return absl::StrCat("q", group_, "/", edit::EventRowKey(event).substr(1));
}

std::vector<std::string> EventClaims::RowKeys(const std::vector<EventRef>& events) const {
  std::vector<std::string> keys;
  keys.reserve(events.size());
  for (const EventRef& event : events) {
    keys.push_back(RowKey(event));
  }
  return keys;
}

absl::StatusOr<std::set<EventRef>> EventClaims::Handled(const std::vector<EventRef>& events) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, table_.ReadRows(RowKeys(events), {.columns = {kDone}}));
  std::set<EventRef> handled;
  for (size_t i = 0; i < events.size(); ++i) {
    if (!rows[i].cells.empty()) {
      handled.insert(events[i]);
    }
  }
  return handled;
}

absl::StatusOr<std::vector<EventRef>> EventClaims::Claim(const std::vector<EventRef>& events, size_t count_max) {
  for (const EventRef& event : events) {
    if (claimed_.size() >= count_max) {
      break;
    }
    const std::string keys[] = {RowKey(event)};
    const absl::Status status = locks_.Acquire(keys, worker_);
    if (status.ok()) {
      claimed_.push_back(event);
    } else if (!absl::IsUnavailable(status)) {
      GiveBack();
      return status;
    }
  }
  // Another worker may have handled one between the question and the claim. Its mark goes only after the offset passed.
  CLEAVE_ASSIGN_OR_RETURN(const std::set<EventRef> handled, Handled(claimed_));
  CLEAVE_ASSIGN_OR_RETURN(const absl::Time acknowledged, edit::ReadAcknowledged(table_, group_));
  const auto others = std::ranges::partition(
      claimed_, [&](const EventRef& event) { return event.time > acknowledged && !handled.contains(event); });
  const std::vector<std::string> not_mine = RowKeys({others.begin(), others.end()});
  claimed_.erase(others.begin(), others.end());
  if (!not_mine.empty()) {
    CLEAVE_RETURN_IF_ERROR(locks_.Release(not_mine, worker_));
  }
  keeper_.KeepChunks(graph::OperationId{worker_}, RowKeys(claimed_));
  return claimed_;
}

absl::Status EventClaims::Finish() {
  std::vector<table::RowMutation> rows;
  for (const std::string& key : RowKeys(claimed_)) {
    rows.push_back({key, {table::SetCell{kDone, absl::UnixEpoch(), "1"}}});
  }
  const absl::Status status = rows.empty() ? absl::OkStatus() : table_.Apply(rows);
  GiveBack();
  return status;
}

void EventClaims::GiveBack() {
  keeper_.Drop(graph::OperationId{worker_});
  if (!claimed_.empty()) {
    locks_.Release(RowKeys(claimed_), worker_).IgnoreError();  // else they expire
  }
  claimed_.clear();
}

absl::Status EventClaims::Forget(const std::vector<EventRef>& events) {
  std::vector<table::RowMutation> rows;
  for (const std::string& key : RowKeys(events)) {
    rows.push_back({key, {table::DeleteRow{}}});
  }
  return rows.empty() ? absl::OkStatus() : table_.Apply(rows);
}

}  // namespace cleave::work
