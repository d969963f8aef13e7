#include "ingest/chunk_voxels.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/dataset.h"
#include "volume/volume.h"

namespace cleave::ingest {
namespace {

using graph::IdLayout;
using graph::NodeId;
using graph::Segment;

// Why `id` cannot stand in a voxel of the chunk.
std::string WhyNoSupervoxel(const IdLayout& layout, const volume::LabelSource& segmentation, NodeId id) {
  const std::string voxel = absl::StrCat("a voxel of ", segmentation.Describe(), " holds ", Value(id));
  if (const absl::Status valid = layout.Validate(id); !valid.ok()) {
    return absl::StrCat(voxel, ": ", valid.message(),
                        ". Labels without chunk ids are for `cleave init`; else look at the chunk size");
  }
  if (layout.LayerOf(id) != graph::kSupervoxelLayer) {
    return absl::StrCat(voxel, ", which is no supervoxel: its layer is ", layout.LayerOf(id));
  }
  return absl::StrCat(voxel, ", a supervoxel of chunk ", ToString(layout.ChunkOf(id).position),
                      "; is the chunk size or the voxel offset another one?");
}

// Ids come in runs, so the last few are kept at hand.
absl::flat_hash_set<uint64_t> Distinct(ArrayView3<const uint64_t> voxels) {
  absl::flat_hash_set<uint64_t> distinct;
  std::array<uint64_t, 4> recent = {0, 0, 0, 0};
  size_t next = 0;
  const Extent3 extent = voxels.extent();
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      const uint64_t* row = voxels.Row(y, z);
      for (int64_t x = 0; x < extent.x; ++x) {
        if (row[x] != 0 && row[x] != recent[0] && row[x] != recent[1] && row[x] != recent[2] && row[x] != recent[3]) {
          distinct.insert(row[x]);
          recent[next] = row[x];
          next = (next + 1) % recent.size();
        }
      }
    }
  }
  return distinct;
}

absl::StatusOr<std::vector<NodeId>> Supervoxels(const IdLayout& layout, const volume::LabelSource& segmentation,
                                                ChunkPoint chunk, ArrayView3<const uint64_t> voxels) {
  const uint64_t first = Value(layout.MakeNode({graph::kSupervoxelLayer, chunk}, Segment{0}));
  std::vector<NodeId> supervoxels;
  for (const uint64_t id : Distinct(voxels)) {
    if (id <= first || id - first > Value(layout.SegmentLimit(graph::kSupervoxelLayer))) {
      return absl::DataLossError(WhyNoSupervoxel(layout, segmentation, NodeId{id}));
    }
    supervoxels.push_back(NodeId{id});
  }
  std::ranges::sort(supervoxels);
  return supervoxels;
}

}  // namespace

absl::StatusOr<ChunkVoxels> ReadChunkVoxels(const Workplace& workplace, const volume::LabelSource& segmentation,
                                            ChunkPoint chunk, Encode encode) {
  const IdLayout& layout = workplace.dataset.layout();
  const VoxelPoint shift = segmentation.bounds().lo - layout.volume().lo;
  const Box box = layout.ChunkBox({graph::kSupervoxelLayer, chunk});
  CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> voxels, workplace.clock.Time(Step::kReadLabels, [&] {
    return segmentation.ReadBox({box.lo + shift, box.hi + shift});
  }));
  ChunkVoxels result;
  CLEAVE_ASSIGN_OR_RETURN(result.supervoxels, workplace.clock.Time(Step::kSupervoxels, [&] {
    return Supervoxels(layout, segmentation, chunk, voxels.view());
  }));
  if (encode == Encode::kNo || workplace.dataset.meta().original.has_value()) {
    return result;  // an overlay has no voxels of its own
  }
  const volume::Volume& base = workplace.dataset.segmentation();
  for (const ChunkPoint stored : base.grid(0).ChunksOver(box)) {
    const Box part = base.grid(0).BoxOf(stored);
    CLEAVE_ASSIGN_OR_RETURN(store::KeyedWrite write, workplace.clock.Time(Step::kEncodeVoxels, [&] {
      return base.EncodeChunkWrite(0, stored, voxels.view().Crop({part.lo - box.lo, part.hi - box.lo}), std::nullopt);
    }));
    result.writes.push_back(std::move(write));
  }
  return result;
}

void AddWrites(std::vector<store::KeyedWrite> writes, ocdbt::WriteBatch& batch) {
  for (store::KeyedWrite& write : writes) {
    if (write.value.has_value()) {
      batch.Put(write.key, *std::move(write.value));
    } else {
      batch.Delete(write.key);
    }
  }
}

}  // namespace cleave::ingest
