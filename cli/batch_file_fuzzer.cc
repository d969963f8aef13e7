// Any bytes are a batch or an error, never a crash.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "cli/batch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto batch = cleave::cli::ParseBatch({reinterpret_cast<const char*>(data), size}, "user");
  if (batch.ok() && batch->items.empty()) {
    __builtin_trap();
  }
  return 0;
}
