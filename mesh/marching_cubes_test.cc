// Goal: surfaces are closed and face outwards, whatever the mask.
// Method: shapes of known volume and topology, then random masks, in which every configuration of a cube occurs; a
// surface is closed when every directed edge is matched by its reverse.
#include "mesh/marching_cubes.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace cleave::mesh {
namespace {

using DirectedEdge = std::pair<uint32_t, uint32_t>;

std::map<DirectedEdge, int> CountEdges(const Mesh& mesh) {
  std::map<DirectedEdge, int> edges;
  for (const auto& triangle : mesh.triangles) {
    for (int i = 0; i < 3; ++i) {
      ++edges[{triangle[i], triangle[(i + 1) % 3]}];
    }
  }
  return edges;
}

void ExpectClosed(const Mesh& mesh) {
  const auto edges = CountEdges(mesh);
  for (const auto& [edge, count] : edges) {
    const auto reverse = edges.find({edge.second, edge.first});
    ASSERT_TRUE(reverse != edges.end()) << "an edge has no partner";
    ASSERT_EQ(count, reverse->second);
  }
}

// The volume a closed surface encloses; negative when it faces inwards.
double Volume(const Mesh& mesh) {
  double volume = 0;
  for (const auto& [a, b, c] : mesh.triangles) {
    const auto& p = mesh.vertices_nm[a];
    const auto& q = mesh.vertices_nm[b];
    const auto& r = mesh.vertices_nm[c];
    volume += (p[0] * (double{q[1]} * r[2] - double{q[2]} * r[1]) - p[1] * (double{q[0]} * r[2] - double{q[2]} * r[0]) +
               p[2] * (double{q[0]} * r[1] - double{q[1]} * r[0])) /
              6;
  }
  return volume;
}

TEST(MarchingCubes, OneVoxelIsAnOctahedron) {
  const Array3<uint8_t> mask({1, 1, 1}, 1);
  const Mesh mesh = MarchingCubes(mask.view(), {0, 0, 0}, {2, 2, 2});
  EXPECT_EQ(mesh.vertices_nm.size(), 6U);
  EXPECT_EQ(mesh.triangles.size(), 8U);
  ExpectClosed(mesh);
  EXPECT_NEAR(Volume(mesh), 8.0 / 6, 1e-6);
}

TEST(MarchingCubes, ABallHasItsVolumeAndTheTopologyOfABall) {
  constexpr int kRadius = 12;
  Array3<uint8_t> mask({30, 30, 30});
  int64_t voxels = 0;
  for (int64_t z = 0; z < 30; ++z) {
    for (int64_t y = 0; y < 30; ++y) {
      for (int64_t x = 0; x < 30; ++x) {
        const bool inside = (x - 15) * (x - 15) + (y - 15) * (y - 15) + (z - 15) * (z - 15) <= kRadius * kRadius;
        mask[{x, y, z}] = inside ? 1 : 0;
        voxels += inside ? 1 : 0;
      }
    }
  }
  const Mesh mesh = MarchingCubes(std::as_const(mask).view(), {100, -50, 7}, {8, 8, 40});
  ExpectClosed(mesh);
  const auto edge_count = static_cast<int64_t>(mesh.triangles.size()) * 3 / 2;
  EXPECT_EQ(static_cast<int64_t>(mesh.vertices_nm.size()) - edge_count + static_cast<int64_t>(mesh.triangles.size()),
            2);
  EXPECT_NEAR(Volume(mesh) / (8.0 * 8 * 40), static_cast<double>(voxels), 0.03 * static_cast<double>(voxels));
}

TEST(MarchingCubes, AnEmptyMaskHasNoSurface) {
  const Array3<uint8_t> mask({5, 4, 3});
  EXPECT_TRUE(MarchingCubes(mask.view(), {}, {}).triangles.empty());
}

TEST(MarchingCubes, RandomMasksAreClosedAndFaceOutwards) {
  const char* text = std::getenv("CLEAVE_TEST_SEED");
  const auto seed = text != nullptr ? std::stoull(text) : std::random_device{}();
  SCOPED_TRACE("CLEAVE_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 40; ++round) {
    Array3<uint8_t> mask({1 + static_cast<int64_t>(random() % 9), 1 + static_cast<int64_t>(random() % 9),
                          1 + static_cast<int64_t>(random() % 9)});
    bool any = false;
    for (int64_t i = 0; i < mask.size(); ++i) {
      mask.data()[i] = random() % 3 == 0 ? 1 : 0;
      any = any || mask.data()[i] != 0;
    }
    const Mesh mesh = MarchingCubes(std::as_const(mask).view(), {}, {4, 4, 40});
    ExpectClosed(mesh);
    EXPECT_EQ(Volume(mesh) > 0, any);
  }
}

}  // namespace
}  // namespace cleave::mesh
