// Feeds arbitrary text to the readers of a graph's mesh record and of what is asked of it; a record that it takes, it
// must write and read again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "mesh/mesh_meta.h"
#include "mesh/mesh_settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::mesh;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(ParseMeshSettings(text));
  const auto meta = ParseMeshMeta(text);
  if (!meta.ok()) {
    return 0;
  }
  const auto again = ParseMeshMeta(FormatMeshMeta(*meta));
  if (!again.ok() || *again != *meta) {
    std::abort();
  }
  return 0;
}
