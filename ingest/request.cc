#include "ingest/request.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "graph/ids.h"

namespace cleave::ingest {
namespace {

using graph::GraphMeta;
using graph::IdLayout;

constexpr int64_t kVoxelsPerChunkMax = int64_t{1} << 27;  // a thread holds a chunk's voxels as 64-bit numbers

absl::Status CheckOptions(const IngestOptions& options) {
  if (options.threads < 1) {
    return absl::InvalidArgumentError(absl::StrCat("cannot work with ", options.threads, " threads"));
  }
  if (options.scales < 0 || options.scales > graph::kScaleCountMax) {
    return absl::InvalidArgumentError(absl::StrCat("a volume cannot have ", options.scales, " scales; 1 to ",
                                                   graph::kScaleCountMax, " are possible"));
  }
  if (options.project_folder.empty()) {
    return absl::InvalidArgumentError("a project needs a folder");
  }
  if (options.base == BaseKind::kOverlay && !options.fuse.empty()) {
    return absl::InvalidArgumentError("an overlay keeps supervoxels as they are, so none can be fused; make a copy");
  }
  if (options.base == BaseKind::kCopy && !options.pieces_file.empty()) {
    return absl::InvalidArgumentError(
        "a copy makes supervoxels of labels, so it knows their labels; only an overlay takes a list of them");
  }
  const VoxelPoint offset = options.voxel_offset.value_or(VoxelPoint{});
  for (int axis = 0; axis < 3; ++axis) {
    if (offset[axis] < -graph::kVoxelCoordinateMax || offset[axis] > graph::kVoxelCoordinateMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("the voxel offset ", ToString(offset), " reaches beyond ", graph::kVoxelCoordinateMax));
    }
  }
  return absl::OkStatus();
}

// Removes from `wanted` what occurs in `labels`.
void CrossOff(ArrayView3<const uint64_t> labels, absl::flat_hash_set<uint64_t>& wanted) {
  const Extent3 extent = labels.extent();
  uint64_t last = 0;
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      const uint64_t* row = labels.Row(y, z);
      for (int64_t x = 0; x < extent.x; ++x) {
        if (row[x] != last) {
          last = row[x];
          wanted.erase(last);
        }
      }
    }
  }
}

}  // namespace

absl::StatusOr<GraphMeta> MakeMeta(const volume::LabelSource& source, const IngestOptions& options) {
  CLEAVE_RETURN_IF_ERROR(CheckOptions(options));
  GraphMeta meta;
  meta.graph_id = options.graph_id;
  const Box bounds = source.bounds();
  meta.volume = BoxAt(options.voxel_offset.value_or(bounds.lo), bounds.extent());
  meta.chunk_size = options.chunk_size;
  // An overlay holds no voxels until they are edited, unless coarser scales are asked for.
  const bool is_overlay = options.base == BaseKind::kOverlay;
  meta.scale_count = options.scales == 0 && is_overlay ? 1 : options.scales;
  const std::optional<VoxelSizeNm> voxel_size =
      options.voxel_size_nm.has_value() ? options.voxel_size_nm : source.voxel_size_nm();
  if (!voxel_size.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.Describe(), " does not say how large a voxel is; give its size in nm"));
  }
  meta.voxel_size_nm = *voxel_size;
  meta.ingested = absl::FromUnixMillis(absl::ToUnixMillis(options.clock->Now()));
  if (options.base == BaseKind::kOverlay) {
    CLEAVE_ASSIGN_OR_RETURN(meta.original, volume::FindOriginal(options.labels));
  }
  CLEAVE_RETURN_IF_ERROR(ValidateGraphMeta(meta));
  CLEAVE_ASSIGN_OR_RETURN(const IdLayout layout, IdLayout::Create(meta.volume, meta.chunk_size));
  // The first chunk is not clipped unless it is the only one along an axis: no chunk is larger.
  const Extent3 largest = layout.ChunkBox({graph::kL2Layer, {}}).extent();
  if (static_cast<double>(largest.x) * static_cast<double>(largest.y) * static_cast<double>(largest.z) >
      static_cast<double>(kVoxelsPerChunkMax)) {
    return absl::InvalidArgumentError(absl::StrCat("chunk size ", ToString(options.chunk_size),
                                                   " is too large: a chunk", " would have more than ",
                                                   kVoxelsPerChunkMax, " voxels"));
  }
  return meta;
}

absl::StatusOr<LabelMap> MakeLabelMap(const IngestOptions& options) {
  std::vector<LabelObject> agglomeration;
  if (!options.agglomeration_file.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(agglomeration, ReadAgglomeration(options.agglomeration_file));
  }
  return LabelMap::Create(options.fuse, agglomeration);
}

absl::StatusOr<LabelMap> MakePieces(const IngestOptions& options) {
  std::vector<LabelObject> pieces;
  if (!options.pieces_file.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(pieces, ReadAgglomeration(options.pieces_file));
  }
  return LabelMap::Create({}, pieces);
}

absl::Status RequireFusedLabels(const volume::LabelSource& source, const LabelMap& label_map, Extent3 chunk_size,
                                Progress& progress) {
  const std::vector<uint64_t> labels = label_map.FusedLabels();
  absl::flat_hash_set<uint64_t> wanted(labels.begin(), labels.end());
  if (wanted.empty()) {
    return absl::OkStatus();
  }
  CLEAVE_ASSIGN_OR_RETURN(const IdLayout layout, IdLayout::Create(source.bounds(), chunk_size));
  const std::vector<ChunkPoint> chunks = layout.ChunksOverlapping(layout.volume());
  progress.Begin("looking for labels", static_cast<int64_t>(chunks.size()), "chunks");
  for (size_t i = 0; i < chunks.size() && !wanted.empty(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> voxels,
                            source.ReadBox(layout.ChunkBox({graph::kSupervoxelLayer, chunks[i]})));
    CrossOff(voxels.view(), wanted);
    progress.Advance(1);
  }
  progress.End();
  if (wanted.empty()) {
    return absl::OkStatus();
  }
  std::vector<uint64_t> missing(wanted.begin(), wanted.end());
  std::ranges::sort(missing);
  return absl::NotFoundError(
      absl::StrCat("cannot fuse: ", source.Describe(), " has no label ", absl::StrJoin(missing, ", ")));
}

}  // namespace cleave::ingest
