// Any bytes, taken as the body of a version-tree node, are refused or decode to something that encodes to the same
// again. The envelope is put around them here, since no fuzzer guesses a checksum; the bytes as they are go in too.
#include <cstdint>
#include <cstdlib>

#include "ocdbt/envelope.h"
#include "ocdbt/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::ocdbt;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)DecodeVersionTreeNode(bytes, "");
  const auto node = DecodeVersionTreeNode(EncodeEnvelope(ObjectKind::kVersionTreeNode, bytes, {false, 0}), "base/");
  if (node.ok()) {
    const auto again = DecodeVersionTreeNode(EncodeVersionTreeNode(*node, {true, 0}), "");
    if (!again.ok() || again->versions != node->versions || again->children != node->children) {
      std::abort();
    }
  }
  return 0;
}
