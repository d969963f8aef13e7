// Goal: what EncodeDraco writes is the mesh that was given, exactly, to Draco's own decoder.
// Method: surfaces of random masks, far from the origin, of voxels whose sides are not alike; decoded and compared as
// sets of triangles with positions, since the encoding may order both anew.
#include "mesh/draco_mesh.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include <draco/compression/decode.h>
#include <draco/core/decoder_buffer.h>

#include "base/array.h"
#include "base/test_seed.h"

namespace cleave::mesh {
namespace {

using Corner = std::array<float, 3>;
using Triangle = std::array<Corner, 3>;

// From its smallest corner on: the order of corners tells inside from outside, their first one nothing.
Triangle Turned(Triangle triangle) {
  std::ranges::rotate(triangle, std::ranges::min_element(triangle));
  return triangle;
}

std::multiset<Triangle> TrianglesOf(const Mesh& mesh) {
  std::multiset<Triangle> triangles;
  for (const auto& corners : mesh.triangles) {
    triangles.insert(
        Turned({mesh.vertices_nm[corners[0]], mesh.vertices_nm[corners[1]], mesh.vertices_nm[corners[2]]}));
  }
  return triangles;
}

std::multiset<Triangle> Decoded(const std::string& bytes) {
  draco::DecoderBuffer buffer;
  buffer.Init(bytes.data(), bytes.size());
  draco::Decoder decoder;
  auto decoded = decoder.DecodeMeshFromBuffer(&buffer);
  EXPECT_TRUE(decoded.ok()) << decoded.status().error_msg_string();
  std::multiset<Triangle> triangles;
  if (!decoded.ok()) {
    return triangles;
  }
  const draco::Mesh& mesh = *decoded.value();
  const draco::PointAttribute* positions = mesh.GetNamedAttribute(draco::GeometryAttribute::POSITION);
  for (uint32_t face = 0; face < mesh.num_faces(); ++face) {
    Triangle triangle;
    for (int corner = 0; corner < 3; ++corner) {
      positions->GetMappedValue(mesh.face(draco::FaceIndex(face))[corner],
                                triangle[static_cast<size_t>(corner)].data());
    }
    triangles.insert(Turned(triangle));
  }
  return triangles;
}

TEST(DracoMesh, PositionsAreExactWhereVoxelsAreMultiplesOfTheirSmallestSide) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 5; ++round) {
    Array3<uint8_t> mask({12, 9, 7});
    for (int64_t i = 0; i < Count(mask.extent()); ++i) {
      mask.data()[i] = random() % 3 == 0 ? 1 : 0;
    }
    mask.data()[0] = 1;
    const VoxelSizeNm voxel_size_nm = {8, 8, 40};
    const Mesh mesh = MarchingCubes(std::as_const(mask).view(), {16'000, 9'000, 700}, voxel_size_nm);
    const auto bytes = EncodeDraco(mesh, voxel_size_nm);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(Decoded(*bytes), TrianglesOf(mesh));
    EXPECT_LT(bytes->size(), mesh.triangles.size() * 12) << "smaller than the indices alone";
  }
}

TEST(DracoMesh, OtherVoxelsAreRoundedByLessThanHalfAStep) {
  Array3<uint8_t> mask({3, 3, 3});
  mask[{1, 1, 1}] = 1;
  const VoxelSizeNm voxel_size_nm = {4, 7, 33};
  const Mesh mesh = MarchingCubes(std::as_const(mask).view(), {100, 100, 100}, voxel_size_nm);
  const auto bytes = EncodeDraco(mesh, voxel_size_nm);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const std::multiset<Triangle> decoded = Decoded(*bytes);
  ASSERT_EQ(decoded.size(), mesh.triangles.size());
  for (const Triangle& triangle : decoded) {
    for (const Corner& corner : triangle) {
      EXPECT_TRUE(std::ranges::any_of(mesh.vertices_nm, [&](const Corner& vertex) {
        return std::ranges::equal(corner, vertex, [](float a, float b) { return std::abs(a - b) <= 1.001F; });
      }));
    }
  }
}

TEST(DracoMesh, AnEmptyMeshIsRefused) { EXPECT_TRUE(absl::IsInvalidArgument(EncodeDraco({}, {8, 8, 40}).status())); }

}  // namespace
}  // namespace cleave::mesh
