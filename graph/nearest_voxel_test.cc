// Goal: the voxel of a node nearest to a point is found, as far as the reach and no farther, also across the volume's
// border. Method: a random volume of supervoxels in a few objects; every answer is compared with a walk over all
// voxels.
#include "graph/nearest_voxel.h"

#include <cmath>
#include <memory>
#include <random>

#include "gtest/gtest.h"

#include "base/array.h"
#include "graph/graph_testing.h"
#include "store/memory_store.h"
#include "table/test_table.h"
#include "volume/volume.h"

namespace cleave::graph {
namespace {

const Box kSmallVolume{{4, -8, 2}, {60, 40, 20}};
constexpr VoxelSizeNm kSizeNm{8, 8, 40};

class NearestVoxelTest : public testing::Test {
 protected:
  void SetUp() override {
    const ChunkPoint counts = graph_.layout().ChunkCounts(kL2Layer);
    std::vector<NodeId> supervoxels;
    for (int64_t x = 0; x < counts.x; ++x) {
      for (int64_t y = 0; y < counts.y; ++y) {
        supervoxels.push_back(graph_.NewSupervoxel({x, y, 0}));
      }
    }
    graph_.Build(supervoxels, {{supervoxels[0], supervoxels[1]}}, absl::UnixEpoch());
    nodes_ = {supervoxels[0], graph_.View().Roots({{supervoxels[0]}})->front(),
              graph_.View().Roots({{supervoxels.back()}})->front()};
    Paint(supervoxels);
  }

  // Little boxes of each supervoxel, somewhere in its chunk.
  void Paint(const std::vector<NodeId>& supervoxels) {
    volume::Info info;
    info.scales.push_back({.key = "s",
                           .resolution = kSizeNm,
                           .size = kSmallVolume.extent(),
                           .voxel_offset = kSmallVolume.lo,
                           .chunk_size = {16, 16, 16},
                           .encoding = volume::Encoding::kRaw,
                           .other_members = {}});
    volume_ = volume::Volume::Create(std::make_shared<store::MemoryStore>(), "", info).value();
    labels_ = Array3<uint64_t>(kSmallVolume.extent());
    for (const NodeId supervoxel : supervoxels) {
      const Box chunk = graph_.layout().ChunkBox(graph_.layout().ChunkOf(supervoxel));
      for (int i = 0; i < 3; ++i) {
        labels_[Shift(RandomIn(chunk))] = Value(supervoxel);
      }
    }
    ASSERT_TRUE(volume_->WriteBox(0, kSmallVolume, labels_.view()).ok());
  }

  VoxelPoint RandomIn(const Box& box) {
    VoxelPoint point;
    for (int axis = 0; axis < 3; ++axis) {
      point[axis] = box.lo[axis] + static_cast<int64_t>(random_() % static_cast<uint64_t>(box.extent()[axis]));
    }
    return point;
  }
  static VoxelPoint Shift(VoxelPoint point) {
    return {point.x - kSmallVolume.lo.x, point.y - kSmallVolume.lo.y, point.z - kSmallVolume.lo.z};
  }
  static double Distance(VoxelPoint a, VoxelPoint b) {
    return std::hypot(static_cast<double>(a.x - b.x) * kSizeNm.x, static_cast<double>(a.y - b.y) * kSizeNm.y,
                      static_cast<double>(a.z - b.z) * kSizeNm.z);
  }
  // The distance to the nearest voxel of the node, by looking at all.
  double LeastDistance(NodeId node, VoxelPoint point) {
    const GraphView view = graph_.View();
    double least = std::numeric_limits<double>::infinity();
    for (int64_t z = kSmallVolume.lo.z; z < kSmallVolume.hi.z; ++z) {
      for (int64_t y = kSmallVolume.lo.y; y < kSmallVolume.hi.y; ++y) {
        for (int64_t x = kSmallVolume.lo.x; x < kSmallVolume.hi.x; ++x) {
          const NodeId label{labels_[Shift({x, y, z})]};
          if (label != NodeId{} && view.Ancestors({{label}}, graph_.layout().LayerOf(node))->front() == node) {
            least = std::min(least, Distance({x, y, z}, point));
          }
        }
      }
    }
    return least;
  }

  const uint64_t seed_ = table::TestSeed();
  testing::ScopedTrace trace_{__FILE__, __LINE__, testing::Message() << "CLEAVE_TEST_SEED=" << seed_};
  std::mt19937_64 random_{seed_};
  MemoryGraph graph_{kSmallVolume, {20, 20, 18}};
  std::vector<NodeId> nodes_;
  std::unique_ptr<volume::Volume> volume_;
  Array3<uint64_t> labels_;
};

TEST_F(NearestVoxelTest, IsWhatAWalkOverAllVoxelsFinds) {
  const double reach_nm = kSurfaceReachVoxels * (kSizeNm.x + kSizeNm.y + kSizeNm.z) / 3;
  for (int i = 0; i < 40; ++i) {
    const VoxelPoint point = RandomIn(Grow(kSmallVolume, {6, 6, 3}));
    for (const NodeId node : nodes_) {
      const auto nearest = NearestVoxel(graph_.View(), *volume_, kSizeNm, node, point);
      ASSERT_TRUE(nearest.ok()) << nearest.status();
      const double least = LeastDistance(node, point);
      ASSERT_EQ(nearest->has_value(), least <= reach_nm) << point;
      if (nearest->has_value()) {
        EXPECT_DOUBLE_EQ(Distance(**nearest, point), least) << point;
      }
    }
  }
}

TEST_F(NearestVoxelTest, FarFromTheVolumeThereIsNothing) {
  const auto nearest = NearestVoxel(graph_.View(), *volume_, kSizeNm, nodes_[1], {100'000, 0, 0});
  ASSERT_TRUE(nearest.ok()) << nearest.status();
  EXPECT_FALSE(nearest->has_value());
}

}  // namespace
}  // namespace cleave::graph
