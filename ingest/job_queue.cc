#include "ingest/job_queue.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::ingest {

absl::Status JobQueue::RequeueFailed() {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<JobRecord> records, Records());
  std::vector<int64_t> failed;
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i].state == JobState::kFailed) {
      failed.push_back(static_cast<int64_t>(i));
    }
  }
  return Requeue(failed);
}

JobCounts CountsOf(std::span<const JobRecord> records) {
  const auto count = [&](JobState state) {
    return static_cast<int64_t>(std::ranges::count(records, state, &JobRecord::state));
  };
  return {count(JobState::kQueued), count(JobState::kTaken), count(JobState::kDone), count(JobState::kFailed)};
}

std::string EncodeFailure(const absl::Status& why) {
  return absl::StrCat(static_cast<int>(why.code()), "\n", why.message());
}

absl::Status DecodeFailure(absl::string_view text) {
  const size_t end_of_line = text.find('\n');
  int code = 0;
  if (end_of_line == absl::string_view::npos || !absl::SimpleAtoi(text.substr(0, end_of_line), &code) || code <= 0 ||
      code > static_cast<int>(absl::StatusCode::kUnauthenticated)) {
    return absl::UnknownError("why is not known any more");
  }
  return absl::Status(static_cast<absl::StatusCode>(code), text.substr(end_of_line + 1));
}

absl::Status DiedTooOften(uint32_t takes) {
  return absl::ResourceExhaustedError(absl::StrCat("its worker died ", takes, " times; is there too little memory?"));
}

}  // namespace cleave::ingest
