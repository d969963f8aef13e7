// The pieces that active edges hold together inside one L2 chunk.
#pragma once

#include <span>
#include <vector>

#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::graph {

// Connected components of `supervoxels` over `edges` (ends outside the list are ignored). Each component ascending, the
// components ascending by their first member.
[[nodiscard]] std::vector<std::vector<NodeId>> ComponentsOf(std::span<const NodeId> supervoxels,
                                                            std::span<const EdgeEnds> edges);

}  // namespace cleave::graph
