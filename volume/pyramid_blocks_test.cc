// Goal: coarser scales made in blocks are those of the whole volume made at once, and no two blocks share a chunk.
// Method: random volumes at odd and negative places, with random chunk sizes and memory, in memory. The oracle
// downsamples the whole array scale by scale. Blocks run one after the other in random order, first over everything,
// then over the boxes of random changes; every write goes through CompareWithStored.
#include "volume/pyramid_blocks.h"

#include <algorithm>
#include <random>
#include <set>
#include <tuple>

#include "gtest/gtest.h"

#include "base/test_seed.h"
#include "store/memory_store.h"
#include "volume/downsample.h"
#include "volume/pyramid.h"

namespace cleave::volume {
namespace {

int64_t Pick(std::mt19937_64& random, int64_t lo, int64_t hi) {
  return lo + static_cast<int64_t>(random() % static_cast<uint64_t>(hi - lo + 1));
}

class PyramidBlocksTest : public testing::Test {
 protected:
  void MakeVolume() {
    Scale finest;
    finest.resolution = random_() % 2 == 0 ? VoxelSizeNm{8, 8, 40} : VoxelSizeNm{10, 10, 10};
    finest.key = DefaultScaleKey(finest.resolution);
    finest.size = {Pick(random_, 20, 90), Pick(random_, 20, 90), Pick(random_, 5, 40)};
    finest.voxel_offset = {Pick(random_, -40, 40), Pick(random_, -40, 40), Pick(random_, -40, 40)};
    finest.chunk_size = {Pick(random_, 4, 16), Pick(random_, 4, 16), Pick(random_, 3, 9)};
    Info info;
    info.scales = ScalePyramid(finest, ScaleCount{static_cast<int>(Pick(random_, 2, 5))});
    if (random_() % 3 == 0) {  // sizes that differ from scale to scale
      info.scales.back().chunk_size = {5, 7, 6};
    }
    volume_ = Volume::Create(std::make_shared<store::MemoryStore>(), "", info).value();
    Change(finest.bounds());
  }

  // New labels in runs and blobs.
  void Change(const Box& box) {
    Array3<uint64_t> labels(box.extent());
    const auto kinds = static_cast<uint64_t>(Pick(random_, 1, 4));
    for (int64_t i = 0; i < labels.size(); ++i) {
      labels.data()[i] = i > 0 && random_() % 4 != 0 ? labels.data()[i - 1] : random_() % kinds;
    }
    ASSERT_TRUE(volume_->WriteBox(0, box, labels.view()).ok());
  }

  // Returns how many chunks were written.
  int64_t Update(const PyramidBlocks& blocks, const std::optional<Box>& changed) {
    int64_t written = 0;
    for (int tier = 0; tier < blocks.tier_count(); ++tier) {
      std::vector<ChunkPoint> todo = blocks.BlocksOver(tier, changed);
      std::ranges::shuffle(todo, random_);
      std::set<std::string> keys;
      for (const ChunkPoint position : todo) {
        const auto parts = blocks.Downsample(*volume_, {tier, position}, changed);
        EXPECT_TRUE(parts.ok()) << parts.status();
        for (const ScalePart& part : *parts) {
          EXPECT_TRUE(blocks.AtScale(changed, part.scale).Contains(part.box));
          for (const ChunkPoint chunk : volume_->grid(part.scale).ChunksOver(part.box)) {
            EXPECT_TRUE(keys.insert(volume_->ChunkKey(part.scale, chunk)).second) << "two blocks make one chunk";
          }
          const auto writes = CompareWithStored(*volume_, part);
          EXPECT_TRUE(writes.ok()) << writes.status();
          EXPECT_TRUE(volume_->store().WriteBatch(*writes).ok());
          written += std::ssize(*writes);
        }
      }
    }
    return written;
  }

  void ExpectWhole() {
    Array3<uint64_t> fine = volume_->ReadBox(0, volume_->grid(0).bounds).value();
    for (int scale = 1; scale < volume_->scale_count(); ++scale) {
      const Box bounds = volume_->grid(scale).bounds;
      const Scale& finer = volume_->info().scales[static_cast<size_t>(scale - 1)];
      const Extent3 factor = NextScaleFactor(finer.resolution);
      Array3<uint64_t> expected(bounds.extent());
      DownsampleLabels(std::as_const(fine).view(), finer.voxel_offset, factor, expected.view());
      const Array3<uint64_t> stored = volume_->ReadBox(scale, bounds).value();
      ASSERT_TRUE(std::equal(stored.data(), stored.data() + stored.size(), expected.data())) << "scale " << scale;
      fine = std::move(expected);
    }
  }

  std::mt19937_64 random_{TestSeed()};
  std::unique_ptr<Volume> volume_;
};

TEST_F(PyramidBlocksTest, BlocksMakeWhatTheWholeVolumeMakes) {
  for (int round = 0; round < 30; ++round) {
    ASSERT_NO_FATAL_FAILURE(MakeVolume());
    const int64_t memory = int64_t{1} << Pick(random_, 8, 22);
    const auto blocks = PyramidBlocks::Create(volume_->info(), memory);
    ASSERT_TRUE(blocks.ok()) << blocks.status();
    Update(*blocks, std::nullopt);
    ASSERT_NO_FATAL_FAILURE(ExpectWhole()) << "round " << round << ", memory " << memory;
    EXPECT_EQ(Update(*blocks, std::nullopt), 0) << "what is right is written again";
    const Box bounds = volume_->grid(0).bounds;
    for (int change = 0; change < 4; ++change) {
      const VoxelPoint lo{Pick(random_, bounds.lo.x, bounds.hi.x - 1), Pick(random_, bounds.lo.y, bounds.hi.y - 1),
                          Pick(random_, bounds.lo.z, bounds.hi.z - 1)};
      const Box box = Intersect(BoxAt(lo, {Pick(random_, 1, 20), Pick(random_, 1, 20), Pick(random_, 1, 9)}), bounds);
      ASSERT_NO_FATAL_FAILURE(Change(box));
      Update(*blocks, box);
      ASSERT_NO_FATAL_FAILURE(ExpectWhole()) << "round " << round << ", change of " << ToString(box);
    }
  }
}

TEST_F(PyramidBlocksTest, MemoryBoundsWhatABlockReads) {
  Scale finest;
  finest.resolution = {8, 8, 40};
  finest.key = "8_8_40";
  finest.size = {100'000, 100'000, 10'000};
  Info info;
  info.scales = ScalePyramid(finest);
  ASSERT_GT(info.scales.size(), 8U);
  const int64_t memory = int64_t{256} << 20;
  const PyramidBlocks blocks = PyramidBlocks::Create(info, memory).value();
  int next = 0;
  for (int i = 0; i < blocks.tier_count(); ++i) {
    EXPECT_EQ(blocks.tier(i).base, next);
    EXPECT_GE(blocks.tier(i).top - blocks.tier(i).base, i + 1 < blocks.tier_count() ? 2 : 1);
    const Box read = blocks.BoxToRead({i, {0, 0, 0}}, std::nullopt);
    EXPECT_LE(Count(read.extent()) * 8, memory);
    next = blocks.tier(i).top;
  }
  EXPECT_EQ(next, static_cast<int>(info.scales.size()) - 1);
  // A small change reads a small box, however large the block.
  const Box change = BoxAt({5'000, 5'000, 500}, {30, 30, 10});
  EXPECT_LT(Count(blocks.BoxToRead({0, blocks.BlocksOver(0, change).front()}, change).extent()), 40'000);
}

TEST_F(PyramidBlocksTest, ScalesThatAreNotHalvedAreRefused) {
  ASSERT_NO_FATAL_FAILURE(MakeVolume());
  Info info = volume_->info();
  info.scales[1].size.x += 1;
  EXPECT_TRUE(absl::IsFailedPrecondition(PyramidBlocks::Create(info, 1 << 20).status()));
}

}  // namespace
}  // namespace cleave::volume
