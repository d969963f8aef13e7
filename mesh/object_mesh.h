// The surface of an object of the graph, as its voxels are now.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/geometry.h"
#include "base/progress.h"
#include "graph/dataset.h"
#include "graph/graph_view.h"
#include "graph/ids.h"
#include "mesh/marching_cubes.h"

namespace cleave::mesh {

// The mesh of a node of any layer, of the part in `box` when one is given. Chunks without a supervoxel of the node are
// not read. Memory: a byte per voxel of the box of the node's chunks. NOT_FOUND when the node has no supervoxels.
[[nodiscard]] absl::StatusOr<Mesh> MeshOfNode(graph::Dataset& dataset, graph::NodeId node,
                                              const std::optional<Box>& box, Progress& progress);
// The same at the time of the view; `segmentation` must be that of the same instant (edit/instant.h).
[[nodiscard]] absl::StatusOr<Mesh> MeshOfNode(const graph::GraphView& view, const volume::Volume& segmentation,
                                              VoxelSizeNm voxel_size_nm, graph::NodeId node,
                                              const std::optional<Box>& box, Progress& progress);

// Neuroglancer's single-resolution mesh format, little-endian:
//   vertex count, uint32 | vertices in nm, float32[count][3] (x, y, z) | triangles, uint32[][3]
[[nodiscard]] std::string EncodeLegacyMesh(const Mesh& mesh);

// The Polygon File Format, binary little-endian, as most viewers open it.
[[nodiscard]] std::string EncodePly(const Mesh& mesh);

}  // namespace cleave::mesh
