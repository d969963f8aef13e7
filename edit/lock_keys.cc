#include "edit/lock_keys.h"

#include <set>

#include "table/row_keys.h"

namespace cleave::edit {

std::vector<std::string> RootLockKeys(std::span<const graph::NodeId> roots) {
  std::vector<std::string> keys;
  for (const graph::NodeId root : roots) {
    keys.push_back(table::NodeRowKey(Value(root)));
  }
  return keys;
}

std::vector<std::string> ChunkLockKeys(std::span<const graph::NodeId> chunk_ids) {
  std::vector<std::string> keys;
  for (const graph::NodeId chunk : chunk_ids) {
    keys.push_back(table::ChunkLockRowKey(Value(chunk)));
  }
  return keys;
}

std::vector<graph::NodeId> ChunkIds(const graph::IdLayout& layout, std::span<const ChunkPoint> chunks) {
  std::vector<graph::NodeId> ids;
  for (const ChunkPoint chunk : chunks) {
    ids.push_back(layout.MakeNode({graph::kL2Layer, chunk}, graph::Segment{0}));
  }
  return ids;
}

std::vector<ChunkPoint> ChunksAround(const graph::IdLayout& layout, std::span<const graph::NodeId> nodes) {
  std::set<ChunkPoint> around;
  for (const graph::NodeId node : nodes) {
    const std::vector<ChunkPoint> near =
        layout.ChunksOverlapping(Grow(layout.ChunkBox(layout.ChunkOf(node)), {1, 1, 1}));
    around.insert(near.begin(), near.end());
  }
  return {around.begin(), around.end()};
}

}  // namespace cleave::edit
