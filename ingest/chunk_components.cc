#include "ingest/chunk_components.h"

#include <limits>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ingest/components.pb.h"

namespace cleave::ingest {

using graph::NodeId;

std::string EncodeComponents(std::span<const Component> components) {
  proto::ChunkComponents message;
  for (const Component& component : components) {
    message.add_components(component.size());
    for (const NodeId supervoxel : component) {
      message.add_components(Value(supervoxel));
    }
  }
  return message.SerializeAsString();
}

absl::StatusOr<std::vector<Component>> DecodeComponents(absl::string_view bytes) {
  proto::ChunkComponents message;
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("not a protobuf message of components, or cut short");
  }
  std::vector<Component> components;
  const auto& numbers = message.components();
  for (int i = 0; i < numbers.size();) {
    const uint64_t size = numbers[i++];
    if (size > static_cast<uint64_t>(numbers.size() - i)) {
      return absl::DataLossError(absl::StrCat("component ", components.size(), " of ", size,
                                              " supervoxels is cut short: ", numbers.size() - i, " are left"));
    }
    Component& component = components.emplace_back();
    component.reserve(size);
    for (uint64_t k = 0; k < size; ++k) {
      component.push_back(NodeId{numbers[i++]});
    }
  }
  return components;
}

std::string ComponentsFileName(ChunkPoint chunk) {
  return absl::StrCat("components_", chunk.x, "_", chunk.y, "_", chunk.z, ".proto");
}

absl::StatusOr<ChunkComponents> ChunkComponents::Create(const graph::IdLayout& layout,
                                                        std::span<const Component> components) {
  ChunkComponents result;
  for (size_t i = 0; i < components.size(); ++i) {
    for (const NodeId id : components[i]) {
      if (const absl::Status valid = layout.Validate(id);
          !valid.ok() || layout.LayerOf(id) != graph::kSupervoxelLayer) {
        return absl::DataLossError(absl::StrCat("component ", i, " lists ", Value(id), ", which is no supervoxel",
                                                valid.ok() ? "" : ": ", valid.message()));
      }
      if (const auto [known, is_new] = result.component_of_.emplace(id, i); !is_new && known->second != i) {
        return absl::DataLossError(
            absl::StrCat("supervoxel ", Value(id), " stands in the components ", known->second, " and ", i));
      }
    }
  }
  return result;
}

}  // namespace cleave::ingest
