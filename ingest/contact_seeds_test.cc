// Goal: seeds lie where a person would put them: inside their label, deep, near the contact, in the section that shows
// most of it.
// Method: shapes whose best points are known, and generated neuropil where every suggestion is checked by its meaning.
#include "ingest/contact_seeds.h"

#include <cmath>

#include "gtest/gtest.h"

#include "ingest/fuse.h"
#include "volume/neuropil.h"

namespace cleave::ingest {
namespace {

constexpr VoxelSizeNm kCubes{10, 10, 10};

void Fill(Array3<uint64_t>& labels, const Box& box, uint64_t label) {
  for (int64_t z = box.lo.z; z < box.hi.z; ++z) {
    for (int64_t y = box.lo.y; y < box.hi.y; ++y) {
      for (int64_t x = box.lo.x; x < box.hi.x; ++x) {
        labels[{x, y, z}] = label;
      }
    }
  }
}

TEST(SuggestSeeds, FindsTheMiddleOfTwoBlocks) {
  Array3<uint64_t> labels({40, 21, 11});
  Fill(labels, {{2, 2, 1}, {20, 19, 10}}, 5);
  Fill(labels, {{20, 2, 1}, {38, 19, 10}}, 9);
  for (const FusePair pair : {FusePair{5, 9}, FusePair{9, 5}}) {
    const auto seeds = SuggestSeeds(labels.view(), {pair}, kCubes);
    ASSERT_TRUE(seeds[0].has_value());
    EXPECT_EQ(labels[seeds[0]->source], pair.a);
    EXPECT_EQ(labels[seeds[0]->sink], pair.b);
    EXPECT_EQ(seeds[0]->source.z, seeds[0]->sink.z);
    EXPECT_EQ(std::abs(seeds[0]->source.y - 10), 0) << "half way between the sides";
    EXPECT_GE(seeds[0]->source_depth_nm, 10);
  }
}

TEST(SuggestSeeds, ChoosesTheSectionWithMostOfTheContact) {
  Array3<uint64_t> labels({30, 30, 9});
  Fill(labels, {{1, 10, 0}, {15, 14, 9}}, 1);
  Fill(labels, {{15, 10, 0}, {29, 14, 9}}, 2);
  Fill(labels, {{1, 2, 6}, {15, 28, 7}}, 1);
  Fill(labels, {{15, 2, 6}, {29, 28, 7}}, 2);
  const auto seeds = SuggestSeeds(labels.view(), {{1, 2}}, kCubes);
  ASSERT_TRUE(seeds[0].has_value());
  EXPECT_EQ(seeds[0]->source.z, 6);
  EXPECT_EQ(seeds[0]->sink.z, 6);
}

TEST(SuggestSeeds, StaysInThePieceThatTouches) {
  Array3<uint64_t> labels({60, 40, 9});
  Fill(labels, {{20, 18, 3}, {30, 22, 6}}, 1);
  Fill(labels, {{30, 10, 1}, {50, 30, 8}}, 2);
  Fill(labels, {{1, 1, 0}, {18, 39, 9}}, 1);  // deeper, near, but not joined to the contact
  const auto seeds = SuggestSeeds(labels.view(), {{1, 2}}, kCubes);
  ASSERT_TRUE(seeds[0].has_value());
  EXPECT_GE(seeds[0]->source.x, 20);
}

TEST(SuggestSeeds, HasNothingToSayOfLabelsThatDoNotTouchInASection) {
  Array3<uint64_t> labels({10, 10, 10});
  Fill(labels, {{0, 0, 0}, {5, 5, 5}}, 1);
  Fill(labels, {{0, 0, 5}, {5, 5, 10}}, 2);  // touches along z only
  Fill(labels, {{7, 7, 0}, {10, 10, 10}}, 3);
  const auto seeds = SuggestSeeds(labels.view(), {{1, 2}, {1, 3}, {1, 99}}, kCubes);
  for (const auto& one : seeds) {
    EXPECT_FALSE(one.has_value());
  }
}

TEST(SuggestSeeds, KeepsItsPromisesInNeuropil) {
  const VoxelSizeNm size{8, 8, 40};
  const Array3<uint64_t> labels =
      volume::MakeNeuropil({.seed = 11, .extent = {160, 160, 40}, .voxel_size_nm = size, .neurites_per_um3 = 20});
  std::vector<FusePair> pairs;
  for (const TouchingPair& pair : TouchingPairs(labels.view(), size)) {
    pairs.push_back({pair.a, pair.b});
  }
  ASSERT_GT(pairs.size(), 5U);
  const auto seeds = SuggestSeeds(labels.view(), pairs, size);
  ASSERT_EQ(seeds.size(), pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (seeds[i].has_value()) {
      EXPECT_EQ(labels[seeds[i]->source], pairs[i].a);
      EXPECT_EQ(labels[seeds[i]->sink], pairs[i].b);
      EXPECT_EQ(seeds[i]->source.z, seeds[i]->sink.z);
      EXPECT_GT(std::min(seeds[i]->source_depth_nm, seeds[i]->sink_depth_nm), 0);
    }
  }
}

}  // namespace
}  // namespace cleave::ingest
