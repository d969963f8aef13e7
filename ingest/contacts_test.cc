// Goal: every pair of touching labels is found, with its faces by axis and its area. Method: a case by hand, then
// random arrays (also views with strides) against a look at every pair of neighbours. The seed is printed and taken
// from CLEAVE_TEST_SEED.
#include "ingest/contacts.h"

#include <map>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ingest/fuse.h"
#include "volume/test_labels.h"

namespace cleave::ingest {
namespace {

template <typename Label>
std::map<std::pair<Label, Label>, std::array<int64_t, 3>> ByBruteForce(ArrayView3<const Label> labels) {
  std::map<std::pair<Label, Label>, std::array<int64_t, 3>> faces;
  const Extent3 extent = labels.extent();
  for (int64_t i = 0; i < Count(extent); ++i) {
    const VoxelPoint p{i % extent.x, i / extent.x % extent.y, i / (extent.x * extent.y)};
    for (int axis = 0; axis < 3; ++axis) {
      VoxelPoint q = p;
      ++q[axis];
      if (q[axis] < extent[axis] && labels[p] != labels[q] && labels[p] != 0 && labels[q] != 0) {
        ++faces[std::minmax(labels[p], labels[q])][static_cast<size_t>(axis)];
      }
    }
  }
  return faces;
}

template <typename Label>
void ExpectLikeBruteForce(ArrayView3<const Label> labels) {
  ContactCounter<Label> counter;
  counter.AddInside(labels);
  const std::vector<Contact<Label>> contacts = counter.Take();
  const auto expected = ByBruteForce(labels);
  ASSERT_EQ(contacts.size(), expected.size());
  size_t i = 0;
  for (const auto& [pair, faces] : expected) {  // both ascend by pair
    EXPECT_EQ(contacts[i].pair.a, pair.first);
    EXPECT_EQ(contacts[i].pair.b, pair.second);
    EXPECT_EQ(contacts[i].faces.by_axis, faces);
    ++i;
  }
}

TEST(Contacts, RandomArraysAreLikeBruteForce) {
  std::mt19937_64 random(volume::TestSeed());
  for (int round = 0; round < 100; ++round) {
    const Extent3 extent{volume::Random(random, 1, 70), volume::Random(random, 1, 12), volume::Random(random, 1, 12)};
    const auto wide = volume::RandomLabels<uint64_t>(random, extent, 1 + round % 9);
    ExpectLikeBruteForce<uint64_t>(wide.view());
    const auto narrow = volume::RandomLabels<uint32_t>(random, extent, 1 + round % 9);
    ExpectLikeBruteForce<uint32_t>(narrow.view());
    const VoxelPoint middle{extent.x / 3, extent.y / 3, extent.z / 3};
    ExpectLikeBruteForce<uint32_t>(narrow.view().Crop({middle, VoxelPoint{} + extent}));
  }
}

TEST(Contacts, TakeEmptiesTheCounter) {
  Array3<uint32_t> labels(Extent3{2, 1, 1}, 1);
  labels[{1, 0, 0}] = 2;
  ContactCounter<uint32_t> counter;
  counter.AddInside(labels.view());
  EXPECT_EQ(counter.Take().size(), 1u);
  EXPECT_TRUE(counter.Take().empty());
  counter.AddInside(labels.view());
  ASSERT_EQ(counter.Take().size(), 1u) << "a pair that was counted before is counted anew";
}

TEST(TouchingPairs, LargestAreaFirst) {
  // Along x: 5 5 | 9 9, 2 x 3 faces of 40 x 8 nm; below all of it in z: 7, 4 x 2 faces of 8 x 8 nm.
  Array3<uint64_t> labels(Extent3{4, 2, 4}, 7);
  for (int64_t z = 1; z < 4; ++z) {
    for (int64_t y = 0; y < 2; ++y) {
      for (int64_t x = 0; x < 4; ++x) {
        labels[{x, y, z}] = x < 2 ? 5 : 9;
      }
    }
  }
  const std::vector<TouchingPair> pairs = TouchingPairs(labels.view(), {8, 8, 40});
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].a, 5u);
  EXPECT_EQ(pairs[0].b, 9u);
  EXPECT_EQ(pairs[0].face_count, 6);
  EXPECT_DOUBLE_EQ(pairs[0].area_um2, 6 * 40 * 8 * 1e-6);
  EXPECT_EQ(pairs[1].a, 5u);
  EXPECT_EQ(pairs[1].b, 7u);
  EXPECT_DOUBLE_EQ(pairs[1].area_um2, 4 * 64 * 1e-6);
  EXPECT_EQ(pairs[2].a, 7u) << "equal areas by labels";
}

}  // namespace
}  // namespace cleave::ingest
