// Feeds arbitrary bytes to the reader of dataset files; what it takes, it must write and read again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ingest/dataset_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave;
  const auto dataset = ingest::ParseDatasetFile({reinterpret_cast<const char*>(data), size}, "/data");
  if (!dataset.ok()) {
    return 0;
  }
  const std::string text = ingest::EncodeDatasetFile(*dataset);
  const auto again = ingest::ParseDatasetFile(text, "/elsewhere");
  if (!again.ok() || ingest::EncodeDatasetFile(*again) != text) {
    std::abort();
  }
  return 0;
}
