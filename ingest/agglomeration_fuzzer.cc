// Feeds arbitrary text to the reader of agglomerations; whatever it takes gives each label one object.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ingest/label_map.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::ingest;
  const auto entries = ParseAgglomeration({reinterpret_cast<const char*>(data), size});
  if (!entries.ok()) {
    return 0;
  }
  const absl::StatusOr<LabelMap> map = LabelMap::Create({}, *entries);
  for (const LabelObject& entry : *entries) {
    if (!map.ok() || entry.label == 0 || entry.object == 0 || map->Object(entry.label) != entry.object) {
      std::abort();
    }
  }
  return 0;
}
