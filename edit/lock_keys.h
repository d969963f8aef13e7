// The rows that locks stand on.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/ids.h"

namespace cleave::edit {

[[nodiscard]] std::vector<std::string> RootLockKeys(std::span<const graph::NodeId> roots);
// `chunk_ids`: L2 chunk ids (segment 0).
[[nodiscard]] std::vector<std::string> ChunkLockKeys(std::span<const graph::NodeId> chunk_ids);
[[nodiscard]] std::vector<graph::NodeId> ChunkIds(const graph::IdLayout& layout, std::span<const ChunkPoint> chunks);

// The chunks of nodes and one chunk around them, ascending, each once: whoever rewrites voxels rewrites edges of
// neighbours too.
[[nodiscard]] std::vector<ChunkPoint> ChunksAround(const graph::IdLayout& layout, std::span<const graph::NodeId> nodes);

}  // namespace cleave::edit
