#include "mesh/object_mesh.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/parallel.h"
#include "base/status.h"
#include "volume/volume.h"

namespace cleave::mesh {
namespace {

static_assert(std::endian::native == std::endian::little, "vertices and triangles are copied as they stand in memory");

template <typename T>
void Append(const T* values, size_t count, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

}  // namespace

absl::StatusOr<Mesh> MeshOfNode(graph::Dataset& dataset, graph::NodeId node, const std::optional<Box>& box,
                                Progress& progress) {
  return MeshOfNode(dataset.Now(), dataset.segmentation(), dataset.meta().voxel_size_nm, node, box, progress);
}

absl::StatusOr<Mesh> MeshOfNode(const graph::GraphView& view, const volume::Volume& segmentation,
                                VoxelSizeNm voxel_size_nm, graph::NodeId node, const std::optional<Box>& box,
                                Progress& progress) {
  const graph::IdLayout& layout = view.layout();
  CLEAVE_RETURN_IF_ERROR(layout.Validate(node));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::NodeId> leaves, view.Leaves(node, box));
  absl::flat_hash_set<uint64_t> wanted;
  std::vector<ChunkPoint> chunks;
  for (const graph::NodeId leaf : leaves) {
    wanted.insert(Value(leaf));
    chunks.push_back(layout.ChunkOf(leaf).position);
  }
  std::ranges::sort(chunks);
  chunks.erase(std::ranges::unique(chunks).begin(), chunks.end());
  if (chunks.empty()) {
    return absl::NotFoundError(absl::StrCat("node ", Value(node), " has no supervoxels", box ? " in this box" : ""));
  }
  const auto part_of = [&](ChunkPoint chunk) {
    const Box whole = layout.ChunkBox({graph::kL2Layer, chunk});
    return box ? Intersect(whole, *box) : whole;
  };
  Box all = part_of(chunks.front());
  for (const ChunkPoint chunk : chunks) {
    all = Envelope(all, part_of(chunk));
  }
  Array3<uint8_t> mask(all.extent());
  progress.Begin("read voxels", static_cast<int64_t>(chunks.size()), "chunks");
  const auto read_chunk = [&](int64_t i) {
    const Box part = part_of(chunks[static_cast<size_t>(i)]);
    absl::Status status = segmentation.ReadBoxMapped(
        volume::kFinestScale, part, [&](uint64_t id) -> uint8_t { return wanted.contains(id) ? 1 : 0; },
        mask.view().Crop({part.lo - all.lo, part.hi - all.lo}));
    progress.Advance(1);
    return status;
  };
  CLEAVE_RETURN_IF_ERROR(ParallelFor(static_cast<int64_t>(chunks.size()), DefaultThreadCount(), read_chunk));
  progress.End();
  return MarchingCubes(std::as_const(mask).view(), all.lo, voxel_size_nm);
}

std::string EncodeLegacyMesh(const Mesh& mesh) {
  std::string bytes;
  const auto count = static_cast<uint32_t>(mesh.vertices_nm.size());
  Append(&count, 1, bytes);
  Append(mesh.vertices_nm.data(), mesh.vertices_nm.size(), bytes);
  Append(mesh.triangles.data(), mesh.triangles.size(), bytes);
  return bytes;
}

std::string EncodePly(const Mesh& mesh) {
  std::string bytes =
      absl::StrCat("ply\nformat binary_little_endian 1.0\ncomment vertices in nanometres\nelement vertex ",
                   mesh.vertices_nm.size(), "\nproperty float x\nproperty float y\nproperty float z\nelement face ",
                   mesh.triangles.size(), "\nproperty list uchar uint vertex_indices\nend_header\n");
  Append(mesh.vertices_nm.data(), mesh.vertices_nm.size(), bytes);
  for (const auto& triangle : mesh.triangles) {
    bytes.push_back(3);
    Append(triangle.data(), triangle.size(), bytes);
  }
  return bytes;
}

}  // namespace cleave::mesh
