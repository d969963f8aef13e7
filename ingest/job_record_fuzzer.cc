// Feeds arbitrary bytes to the reader of a record of a queue of jobs; what is not damaged is written again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ingest/file_job_queue.h"
#include "ocdbt/byte_coding.h"
#include "ocdbt/crc32c.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave;
  const absl::string_view rest(reinterpret_cast<const char*>(data), size);
  (void)ingest::DecodeJobRecord(rest);
  std::string bytes;
  ocdbt::PutU32Le(bytes, ocdbt::Crc32c(rest));
  bytes.append(rest.data(), rest.size());
  const ingest::JobRecord record = ingest::DecodeJobRecord(bytes);
  if (ingest::DecodeJobRecord(ingest::EncodeJobRecord(record)) != record) {
    std::abort();
  }
  return 0;
}
