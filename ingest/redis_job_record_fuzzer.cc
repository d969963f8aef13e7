// Feeds arbitrary text to the readers of what Redis holds of a job, of why a job failed, and of the file that says
// where an ingest has its queues. None may stumble; the file's content is written again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ingest/job_queue.h"
#include "ingest/redis_job_engine.h"
#include "ingest/redis_job_queue.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const ingest::JobRecord record = ingest::DecodeRedisJobRecord(text);
  if (record.state > ingest::JobState::kFailed) {
    std::abort();
  }
  const absl::Status failure = ingest::DecodeFailure(text);
  if (failure.ok() || ingest::DecodeFailure(ingest::EncodeFailure(failure)) != failure) {
    std::abort();
  }
  const auto place = ingest::DecodeRedisIngest(text);
  if (place.ok() && ingest::DecodeRedisIngest(ingest::EncodeRedisIngest(*place)).value() != *place) {
    std::abort();
  }
  return 0;
}
