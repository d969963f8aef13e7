#include "edit/preview_sides.h"

#include <algorithm>
#include <map>
#include <memory>

#include "absl/container/flat_hash_map.h"

#include "base/status.h"
#include "edit/voxel_split.h"
#include "volume/volume.h"

namespace cleave::edit {

std::vector<ChunkSides> SidesByChunk(const graph::IdLayout& layout, const std::vector<Fragment>& fragments,
                                     int side_count) {
  std::map<ChunkPoint, ChunkSides> chunks;
  for (const Fragment& fragment : fragments) {
    const ChunkPoint chunk = layout.ChunkOf(fragment.id).position;
    ChunkSides& sides = chunks[chunk];
    sides.chunk = chunk;
    sides.voxels.resize(static_cast<size_t>(side_count));
    sides.voxels[static_cast<size_t>(fragment.side) - 1] += fragment.voxel_count;
  }
  std::vector<ChunkSides> list;
  list.reserve(chunks.size());
  for (const auto& [chunk, sides] : chunks) {
    list.push_back(sides);
  }
  return list;
}

absl::StatusOr<Array3<uint8_t>> SidesInBox(graph::Dataset& dataset, const Plan& plan, int side_count,
                                           const std::vector<std::vector<graph::NodeId>>& components, const Box& box) {
  absl::flat_hash_map<uint64_t, uint8_t> side_of;
  for (size_t i = 0; i < std::min(components.size(), static_cast<size_t>(side_count)); ++i) {
    for (const graph::NodeId id : components[i]) {
      side_of[Value(id)] = static_cast<uint8_t>(kSourceSide + i);
    }
  }
  for (const Fragment& fragment : plan.fragments) {
    side_of[Value(fragment.id)] = static_cast<uint8_t>(fragment.side);
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<PlannedVolume> planned, PlannedVolume::Create(dataset.segmentation()));
  for (const store::KeyedWrite& write : plan.voxels) {
    planned->writes().Plan(write);
  }
  Array3<uint8_t> sides(box.extent());
  CLEAVE_RETURN_IF_ERROR(planned->volume().ReadBoxMapped(
      volume::kFinestScale, box,
      [&](uint64_t id) -> uint8_t {
        const auto found = side_of.find(id);
        return found == side_of.end() ? kNoSide : found->second;
      },
      sides.view()));
  return sides;
}

}  // namespace cleave::edit
