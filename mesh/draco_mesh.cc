#include "mesh/draco_mesh.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include <draco/attributes/geometry_attribute.h>
#include <draco/compression/expert_encode.h>
#include <draco/core/encoder_buffer.h>
#include <draco/mesh/mesh.h>

namespace cleave::mesh {
namespace {

constexpr int kBitsMax = 30;  // Draco's limit
constexpr int kSpeed = 5;     // of 0 (smallest) to 10 (fastest)

struct Lattice {
  std::array<float, 3> origin_nm{};
  int bits = 1;
  float range_nm = 0;
};

// Points of the lattice that `mesh` lies between, as Draco counts them: 2^bits along each axis from the origin on.
Lattice LatticeAround(const Mesh& mesh, double step_nm) {
  std::array<float, 3> low;
  low.fill(std::numeric_limits<float>::max());
  std::array<float, 3> high;
  high.fill(std::numeric_limits<float>::lowest());
  for (const std::array<float, 3>& vertex : mesh.vertices_nm) {
    for (size_t axis = 0; axis < 3; ++axis) {
      low[axis] = std::min(low[axis], vertex[axis]);
      high[axis] = std::max(high[axis], vertex[axis]);
    }
  }
  Lattice lattice;
  double steps = 1;
  for (size_t axis = 0; axis < 3; ++axis) {
    const double first = std::floor(low[axis] / step_nm);
    lattice.origin_nm[axis] = static_cast<float>(first * step_nm);
    steps = std::max(steps, std::ceil(high[axis] / step_nm) - first);
  }
  lattice.bits = std::min(kBitsMax, static_cast<int>(std::ceil(std::log2(steps + 1))));
  lattice.range_nm = static_cast<float>(step_nm * static_cast<double>((int64_t{1} << lattice.bits) - 1));
  return lattice;
}

// Makes `result` hold the mesh; returns the number of the attribute that has its positions.
int FillDraco(const Mesh& mesh, draco::Mesh& result) {
  const auto count = static_cast<uint32_t>(mesh.vertices_nm.size());
  result.set_num_points(count);
  draco::GeometryAttribute attribute;
  attribute.Init(draco::GeometryAttribute::POSITION, nullptr, 3, draco::DT_FLOAT32, false, sizeof(float) * 3, 0);
  const int positions = result.AddAttribute(attribute, true, count);
  for (uint32_t i = 0; i < count; ++i) {
    result.attribute(positions)->SetAttributeValue(draco::AttributeValueIndex(i), mesh.vertices_nm[i].data());
  }
  result.SetNumFaces(mesh.triangles.size());
  for (uint32_t i = 0; i < mesh.triangles.size(); ++i) {
    const std::array<uint32_t, 3>& corners = mesh.triangles[i];
    result.SetFace(draco::FaceIndex(i),
                   {draco::PointIndex(corners[0]), draco::PointIndex(corners[1]), draco::PointIndex(corners[2])});
  }
  return positions;
}

}  // namespace

absl::StatusOr<std::string> EncodeDraco(const Mesh& mesh, VoxelSizeNm voxel_size_nm) {
  if (mesh.triangles.empty()) {
    return absl::InvalidArgumentError("a mesh without triangles has no Draco encoding");
  }
  const Lattice lattice = LatticeAround(mesh, std::min({voxel_size_nm.x, voxel_size_nm.y, voxel_size_nm.z}) / 2);
  draco::Mesh converted;
  const int positions = FillDraco(mesh, converted);
  draco::ExpertEncoder encoder(converted);
  encoder.SetSpeedOptions(kSpeed, kSpeed);
  encoder.SetAttributeExplicitQuantization(positions, lattice.bits, 3, lattice.origin_nm.data(), lattice.range_nm);
  draco::EncoderBuffer buffer;
  const draco::Status status = encoder.EncodeToBuffer(&buffer);
  if (!status.ok()) {
    return absl::InternalError(absl::StrCat("Draco cannot encode the mesh: ", status.error_msg_string()));
  }
  return std::string(buffer.data(), buffer.size());
}

}  // namespace cleave::mesh
