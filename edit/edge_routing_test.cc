// Goal: contacts of fragments are counted right, and edges follow the rules of edge_routing.h.
// Method: random labels over a volume in memory, cut into chunks; contacts are compared with a count over all pairs of
// neighbouring voxels. Edges are routed over a drawn scene in which each rule has one case.
#include "edit/edge_routing.h"

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "gtest/gtest.h"

#include "edit/fragment_contacts.h"
#include "store/memory_store.h"
#include "table/test_table.h"
#include "volume/info.h"

namespace cleave::edit {
namespace {

using graph::Edge;
using graph::EdgeEnds;
using graph::NodeId;

// A segmentation in memory, with a plan's overlay that holds nothing yet.
struct Scene {
  Scene(const Box& volume_box, Extent3 chunk_size) : layout(graph::IdLayout::Create(volume_box, chunk_size).value()) {
    volume::Scale scale;
    scale.key = "s0";
    scale.resolution = {8, 8, 40};
    scale.size = volume_box.extent();
    scale.voxel_offset = volume_box.lo;
    scale.chunk_size = chunk_size;
    scale.encoding = volume::Encoding::kRaw;
    volume::Info info;
    info.data_type = volume::DataType::kUint64;
    info.scales = {scale};
    stored = volume::Volume::Create(std::make_shared<store::MemoryStore>(), "", info).value();
  }

  NodeId Id(ChunkPoint chunk, uint64_t segment) const {
    return layout.MakeNode({graph::kSupervoxelLayer, chunk}, graph::Segment{segment});
  }
  void Fill(const Box& box, NodeId id) {
    Array3<uint64_t> labels(box.extent(), Value(id));
    ASSERT_TRUE(stored->WriteBox(0, box, std::as_const(labels).view()).ok());
  }
  std::unique_ptr<PlannedVolume> Planned() const { return PlannedVolume::Create(*stored).value(); }

  graph::IdLayout layout;
  std::unique_ptr<volume::Volume> stored;
};

TEST(FragmentContacts, AgreeWithBruteForce) {
  const uint64_t seed = table::TestSeed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const Box volume_box = BoxAt({-5, 3, 11}, {13, 10, 7});
  Scene scene(volume_box, {5, 4, 4});
  Array3<uint64_t> labels(volume_box.extent());
  for (int64_t z = 0; z < 7; ++z) {
    for (int64_t y = 0; y < 10; ++y) {
      for (int64_t x = 0; x < 13; ++x) {
        const ChunkPoint chunk = scene.layout.ChunkAt(volume_box.lo + VoxelPoint{x, y, z});
        labels[{x, y, z}] = random() % 4 == 0 ? 0 : Value(scene.Id(chunk, 1 + random() % 3));
      }
    }
  }
  ASSERT_TRUE(scene.stored->WriteBox(0, volume_box, std::as_const(labels).view()).ok());
  // Fragments are segments 1 and 2 of two chunks; the changed box is the smallest that holds them.
  VoxelSplit split;
  std::set<uint64_t> fragments;
  for (const ChunkPoint chunk : {ChunkPoint{0, 0, 0}, {1, 0, 0}}) {
    ChangedChunk changed{chunk, {scene.layout.ChunkBox({2, chunk}).hi, scene.layout.ChunkBox({2, chunk}).lo}};
    for (const uint64_t segment : {1, 2}) {
      const NodeId id = scene.Id(chunk, segment);
      split.fragments.push_back({id, scene.Id(chunk, 9), static_cast<int>(segment), 1});
      fragments.insert(Value(id));
    }
    const Box box = scene.layout.ChunkBox({2, chunk});
    for (int64_t z = box.lo.z; z < box.hi.z; ++z) {
      for (int64_t y = box.lo.y; y < box.hi.y; ++y) {
        for (int64_t x = box.lo.x; x < box.hi.x; ++x) {
          if (fragments.contains(labels[VoxelPoint{x, y, z} - volume_box.lo])) {
            changed.box = Envelope(changed.box, BoxAt({x, y, z}, {1, 1, 1}));
          }
        }
      }
    }
    split.changed_chunks.push_back(changed);
  }
  std::map<EdgeEnds, std::array<int64_t, 3>> faces;
  std::set<EdgeEnds> across;
  const Box all{{}, VoxelPoint{} + labels.extent()};
  for (int64_t i = 0; i < labels.size(); ++i) {
    const VoxelPoint p{i % 13, i / 13 % 10, i / 130};
    for (int step = 14; step < 27; ++step) {
      const VoxelPoint d{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
      const VoxelPoint q = p + d;
      if (!all.Contains(q) || labels[p] == 0 || labels[q] == 0 || labels[p] == labels[q] ||
          (!fragments.contains(labels[p]) && !fragments.contains(labels[q]))) {
        continue;
      }
      const EdgeEnds ends = EdgeEnds{NodeId{labels[p]}, NodeId{labels[q]}}.Sorted();
      if (std::abs(d.x) + std::abs(d.y) + std::abs(d.z) == 1) {
        ++faces[ends][d.x != 0 ? 0 : d.y != 0 ? 1 : 2];
      }
      if (scene.layout.ChunkAt(p + volume_box.lo) != scene.layout.ChunkAt(q + volume_box.lo)) {
        across.insert(ends);
      }
    }
  }
  const absl::StatusOr<FragmentContacts> found = FindContacts(*scene.Planned(), scene.layout, split);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((std::map<EdgeEnds, std::array<int64_t, 3>>(found->faces.begin(), found->faces.end())), faces);
  EXPECT_EQ(std::set<EdgeEnds>(found->across.begin(), found->across.end()), across);
}

// Two chunks along x, four voxels wide each, two high, one deep. In the first the piece P was cut into P1 (side 1, y 0)
// and P2 (side 2, y 1); in the second Q into Q1 and Q2 in the same way. N lies beside both in the first chunk.
class EdgeRoutingTest : public testing::Test {
 protected:
  EdgeRoutingTest() {
    scene_.Fill(BoxAt({1, 0, 0}, {3, 1, 1}), p1_);
    scene_.Fill(BoxAt({1, 1, 0}, {3, 1, 1}), p2_);
    scene_.Fill(BoxAt({4, 0, 0}, {2, 1, 1}), q1_);
    scene_.Fill(BoxAt({4, 1, 0}, {2, 1, 1}), q2_);
    scene_.Fill(BoxAt({0, 0, 0}, {1, 2, 1}), n_);
    split_.fragments = {{p1_, p_, 1, 3}, {p2_, p_, 2, 3}, {q1_, q_, 1, 2}, {q2_, q_, 2, 2}};
    for (const Fragment& fragment : split_.fragments) {
      split_.side_of[fragment.id] = fragment.side;
    }
    split_.changed_chunks = {{{0, 0, 0}, BoxAt({1, 0, 0}, {3, 2, 1})}, {{1, 0, 0}, BoxAt({4, 0, 0}, {2, 2, 1})}};
  }

  std::map<EdgeEnds, RoutedEdge> Route(const std::vector<RoutedEdge>& old_edges) {
    const std::unique_ptr<PlannedVolume> planned = scene_.Planned();
    const FragmentContacts contacts = FindContacts(*planned, scene_.layout, split_).value();
    const auto routed = RouteEdges(*planned, scene_.layout, {8, 8, 40}, split_, contacts, old_edges);
    EXPECT_TRUE(routed.ok()) << routed.status();
    std::map<EdgeEnds, RoutedEdge> by_ends;
    for (const RoutedEdge& edge : *routed) {
      EXPECT_TRUE(by_ends.emplace(EdgeEnds{edge.edge.node1, edge.edge.node2}.Sorted(), edge).second) << "given twice";
    }
    return by_ends;
  }

  static EdgeEnds Ends(NodeId a, NodeId b) { return EdgeEnds{a, b}.Sorted(); }

  Scene scene_{BoxAt({}, {12, 2, 1}), {4, 2, 1}};
  const NodeId p_ = scene_.Id({0, 0, 0}, 1);
  const NodeId p1_ = scene_.Id({0, 0, 0}, 11);
  const NodeId p2_ = scene_.Id({0, 0, 0}, 12);
  const NodeId n_ = scene_.Id({0, 0, 0}, 5);
  const NodeId q_ = scene_.Id({1, 0, 0}, 1);
  const NodeId q1_ = scene_.Id({1, 0, 0}, 11);
  const NodeId q2_ = scene_.Id({1, 0, 0}, 12);
  const NodeId far_ = scene_.Id({2, 0, 0}, 5);
  VoxelSplit split_;
};

TEST_F(EdgeRoutingTest, InfiniteEdgesJoinOneSideAndNeverTwo) {
  const auto routed = Route({{{p_, q_, graph::kInfiniteAffinity, 1}, true}});
  ASSERT_TRUE(routed.contains(Ends(p1_, q1_)));
  EXPECT_TRUE(std::isinf(routed.at(Ends(p1_, q1_)).edge.affinity));
  EXPECT_TRUE(std::isinf(routed.at(Ends(p2_, q2_)).edge.affinity));
  EXPECT_TRUE(routed.at(Ends(p1_, q1_)).active);
  // P1 and Q2 touch by an edge of voxels only, P1 and P2 by three faces.
  EXPECT_FALSE(routed.contains(Ends(p1_, q2_)));
  EXPECT_EQ(routed.at(Ends(p1_, p2_)).edge.affinity, kPartedAffinity);
  EXPECT_EQ(routed.at(Ends(p1_, p2_)).edge.area, 3U);
  EXPECT_EQ(routed.at(Ends(q1_, q2_)).edge.area, 2U);
  EXPECT_EQ(routed.size(), 4U);
}

TEST_F(EdgeRoutingTest, FiniteEdgesAreSharedByContact) {
  const auto routed = Route({{{n_, p_, 0.5F, 20}, false}});
  EXPECT_FLOAT_EQ(routed.at(Ends(n_, p1_)).edge.affinity, 0.25F);
  EXPECT_EQ(routed.at(Ends(n_, p1_)).edge.area, 10U);
  EXPECT_FLOAT_EQ(routed.at(Ends(n_, p2_)).edge.affinity, 0.25F);
  EXPECT_FALSE(routed.at(Ends(n_, p2_)).active);
}

TEST_F(EdgeRoutingTest, AnEdgeWithoutContactGoesWholeToTheNearest) {
  // A voxel of the third chunk, in the row of P2 and Q2.
  scene_.Fill(BoxAt({9, 1, 0}, {1, 1, 1}), far_);
  const auto routed = Route({{{far_, q_, graph::kDefaultAffinity, 0}, true}});
  ASSERT_TRUE(routed.contains(Ends(far_, q2_)));
  EXPECT_EQ(routed.at(Ends(far_, q2_)).edge.affinity, graph::kDefaultAffinity);
  EXPECT_TRUE(routed.at(Ends(far_, q2_)).active);
  EXPECT_FALSE(routed.contains(Ends(far_, q1_)));
}

}  // namespace
}  // namespace cleave::edit
