// Feeds arbitrary bytes to the reader of edge files; what it takes, it must write and read again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "graph/edges.h"

namespace {

// Bitwise where numbers are not equal to themselves.
bool Same(const std::vector<cleave::graph::Edge>& a, const std::vector<cleave::graph::Edge>& b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (size_t i = 0; i < a.size(); ++i) {
    const bool same_affinity =
        a[i].affinity == b[i].affinity || (a[i].affinity != a[i].affinity && b[i].affinity != b[i].affinity);
    if (a[i].node1 != b[i].node1 || a[i].node2 != b[i].node2 || a[i].area != b[i].area || !same_affinity) {
      return false;
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::graph;
  const auto edges = DecodeChunkEdges({reinterpret_cast<const char*>(data), size});
  if (!edges.ok()) {
    return 0;
  }
  const auto again = DecodeChunkEdges(EncodeChunkEdges(*edges));
  if (!again.ok() || !Same(again->in, edges->in) || !Same(again->between, edges->between) ||
      !Same(again->cross, edges->cross)) {
    std::abort();
  }
  return 0;
}
