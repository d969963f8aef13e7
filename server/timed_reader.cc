#include "server/timed_reader.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::server {
namespace {

constexpr size_t kKeysBetweenLooks = 4096;

}  // namespace

absl::Status TimedReader::Check() const {
  if (allowed_ == absl::InfiniteDuration() || clock_.Now() < end_) {
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError(absl::StrCat("this was worked on for ", absl::FormatDuration(allowed_),
                                                  ", and no longer is allowed (--read-seconds-max): ask for less"));
}

const table::TableReader& TimedReader::Rows() const {
  if (instant_ == ReadInstant::kEachRead) {
    return table_;
  }
  std::call_once(once_, [this] { snapshot_ = table_.Snapshot(); });
  return snapshot_ != nullptr ? *snapshot_ : static_cast<const table::TableReader&>(table_);
}

absl::StatusOr<std::vector<table::Row>> TimedReader::ReadRows(std::span<const std::string> keys,
                                                              const table::Filter& filter) const {
  CLEAVE_RETURN_IF_ERROR(Check());
  absl::StatusOr<std::vector<table::Row>> rows = Rows().ReadRows(keys, filter);
  CLEAVE_RETURN_IF_ERROR(Check());
  return rows;
}

absl::StatusOr<std::vector<table::Row>> TimedReader::ReadRange(const table::RowRange& range,
                                                               const table::Filter& filter, int64_t limit) const {
  CLEAVE_RETURN_IF_ERROR(Check());
  absl::StatusOr<std::vector<table::Row>> rows = Rows().ReadRange(range, filter, limit);
  CLEAVE_RETURN_IF_ERROR(Check());
  return rows;
}

absl::Status TimedReader::VisitNewest(std::span<const std::string> keys, const table::Column& column, absl::Time until,
                                      table::CellVisitor visit) const {
  CLEAVE_RETURN_IF_ERROR(Check());
  CLEAVE_RETURN_IF_ERROR(Rows().VisitNewest(keys, column, until, [&](const table::FoundCell& cell) {
    const absl::Status status = cell.index % kKeysBetweenLooks == 0 ? Check() : absl::OkStatus();
    return status.ok() ? visit(cell) : status;
  }));
  return Check();
}

}  // namespace cleave::server
