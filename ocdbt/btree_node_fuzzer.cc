// Any bytes, taken as the body of a B+tree node, are refused or decode to entries that encode to a node with the same
// entries. The envelope is put around them here, since no fuzzer guesses a checksum; the bytes as they are go in too.
#include <cstdint>
#include <cstdlib>

#include "ocdbt/btree_node.h"
#include "ocdbt/envelope.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::ocdbt;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)BtreeNode::Decode(bytes, "");
  const auto node = BtreeNode::Decode(EncodeEnvelope(ObjectKind::kBtreeNode, bytes, {false, 0}), "base/");
  if (!node.ok()) {
    return 0;
  }
  const Compression compression{size % 2 == 0, 0};
  const EncodedNode encoded = (*node)->height() == 0
                                  ? EncodeLeaf((*node)->leaf_entries(), 0, compression)
                                  : EncodeInterior((*node)->height(), (*node)->interior_entries(), 0, compression);
  const auto again = BtreeNode::Decode(encoded.object, "");
  if (!again.ok() || (*again)->height() != (*node)->height()) {
    std::abort();
  }
  for (size_t i = 0; i < (*node)->leaf_entries().size(); ++i) {
    const LeafEntry &before = (*node)->leaf_entries()[i], &after = (*again)->leaf_entries()[i];
    if (before.key != after.key || before.value != after.value) {
      std::abort();
    }
  }
  for (size_t i = 0; i < (*node)->interior_entries().size(); ++i) {
    const InteriorEntry &before = (*node)->interior_entries()[i], &after = (*again)->interior_entries()[i];
    if (before.key != after.key || before.subtree_prefix_bytes != after.subtree_prefix_bytes ||
        before.child != after.child) {
      std::abort();
    }
  }
  return 0;
}
