// Feeds arbitrary text to the reader of project.json; what it takes must be valid, and come back the same from text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "graph/graph_meta.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::graph;
  const absl::StatusOr<GraphMeta> meta = DecodeGraphMeta({reinterpret_cast<const char*>(data), size});
  if (!meta.ok()) {
    return 0;
  }
  const absl::StatusOr<GraphMeta> again = DecodeGraphMeta(EncodeGraphMeta(*meta));
  if (!ValidateGraphMeta(*meta).ok() || !again.ok() || *again != *meta) {
    std::abort();
  }
  return 0;
}
