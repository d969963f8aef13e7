// Feeds arbitrary bytes to what reads and changes the free dict of a record; what it takes, it must change truly.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "table/pickled_custom.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::table;
  const absl::string_view record(reinterpret_cast<const char*>(data), size);
  static_cast<void>(ReadCustomData(record, "mesh"));
  const auto changed = WithCustomData(record, "mesh", R"({"dir":"m","max_layer":2})");
  if (!changed.ok()) {
    return 0;
  }
  const auto set = ReadCustomData(*changed, "mesh");
  if (!set.ok() || *set != R"({"dir":"m","max_layer":2})") {
    std::abort();
  }
  return 0;
}
