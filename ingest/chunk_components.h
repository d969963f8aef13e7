// Which supervoxels an agglomeration puts together, as the field's component files tell it.
//
// Each L2 chunk has one file, components_X_Y_Z.proto: the protobuf message ChunkComponents (components.proto), runs of
// [size, supervoxel...]. It lists supervoxels of its chunk and of the chunks around it, so that edges that leave the
// chunk can be told apart too. A missing file puts nothing together.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/geometry.h"
#include "graph/ids.h"

namespace cleave::ingest {

using Component = std::vector<graph::NodeId>;

// The bytes of a file, and back. DATA_LOSS: not the message, or a run that is longer than what is left.
[[nodiscard]] std::string EncodeComponents(std::span<const Component> components);
[[nodiscard]] absl::StatusOr<std::vector<Component>> DecodeComponents(absl::string_view bytes);

[[nodiscard]] std::string ComponentsFileName(ChunkPoint chunk);

// The components of one file, for looking up. Immutable.
class ChunkComponents {
 public:
  // Nothing is put together.
  ChunkComponents() = default;
  // DATA_LOSS names an id that cannot be a supervoxel of `layout`, or that stands in two components.
  [[nodiscard]] static absl::StatusOr<ChunkComponents> Create(const graph::IdLayout& layout,
                                                              std::span<const Component> components);

  // Whether one component lists both.
  [[nodiscard]] bool Join(graph::NodeId a, graph::NodeId b) const {
    const auto of_a = component_of_.find(a);
    const auto of_b = component_of_.find(b);
    return of_a != component_of_.end() && of_b != component_of_.end() && of_a->second == of_b->second;
  }

 private:
  absl::flat_hash_map<graph::NodeId, size_t> component_of_;
};

}  // namespace cleave::ingest
