// Feeds arbitrary bytes to the reader of pickled metas; what it takes, it must write and read again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "table/pickled_meta.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::table;
  const auto meta = DecodePickledMeta({reinterpret_cast<const char*>(data), size});
  if (!meta.ok() || meta->root_lock_expiry < absl::ZeroDuration() || meta->root_lock_expiry > absl::Hours(1000)) {
    return 0;
  }
  const auto again = DecodePickledMeta(EncodePickledMeta(*meta));
  if (!again.ok() || *again != *meta) {
    std::abort();
  }
  return 0;
}
