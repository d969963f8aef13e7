// Goal: boxes, chunks and voxels of a volume are read and written as the format says, whatever the offset, the
// clipped chunks and the encoding. Method: the same suite over every encoding and data type and over stores in memory
// and in files, against one plain array as the oracle; names and bytes of chunks are checked by hand once.
#include "volume/volume.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "store/faulty_store.h"
#include "store/memory_store.h"
#include "store/temporary_folder.h"
#include "volume/test_labels.h"

namespace cleave::volume {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Setting {
  const char* name;
  DataType data_type;
  Encoding encoding;
  bool in_files;
};

Info InfoFor(DataType data_type, Encoding encoding) {
  Info info;
  info.data_type = data_type;
  info.scales.push_back({.key = "8_8_40",
                         .resolution = {8, 8, 40},
                         .size = {50, 37, 21},
                         .voxel_offset = {-13, 5, -2},
                         .chunk_size = {16, 16, 8},
                         .encoding = encoding,
                         .block_size = encoding == Encoding::kRaw ? Extent3{8, 8, 8} : Extent3{8, 8, 4},
                         .other_members = {}});
  info.scales.push_back(info.scales[0]);
  info.scales[1].key = "16_16_40";
  info.scales[1].size = {25, 19, 21};
  return info;
}

class VolumeSuite : public testing::TestWithParam<Setting> {
 protected:
  VolumeSuite() {
    if (GetParam().in_files) {
      store_ = *store::OpenStore(folder_.url());
    } else {
      store_ = std::make_shared<store::MemoryStore>();
    }
    volume_ = *Volume::Create(store_, "some/seg", InfoFor(GetParam().data_type, GetParam().encoding));
    oracle_ = Array3<uint64_t>(volume_->grid(0).bounds.extent());
  }

  const Box& bounds() const { return volume_->grid(0).bounds; }

  Box RandomBox() {
    Box box;
    for (int axis = 0; axis < 3; ++axis) {
      box.lo[axis] = Random(random_, bounds().lo[axis], bounds().hi[axis] - 1);
      box.hi[axis] = Random(random_, box.lo[axis] + 1, bounds().hi[axis]);
    }
    return box;
  }

  Array3<uint64_t> LabelsFor(Extent3 extent) {
    return GetParam().data_type == DataType::kUint8    ? Widen(RandomLabels<uint8_t>(random_, extent, 5))
           : GetParam().data_type == DataType::kUint16 ? Widen(RandomLabels<uint16_t>(random_, extent, 5))
           : GetParam().data_type == DataType::kUint32 ? Widen(RandomLabels<uint32_t>(random_, extent, 5))
                                                       : RandomLabels<uint64_t>(random_, extent, 5);
  }
  template <typename T>
  static Array3<uint64_t> Widen(const Array3<T>& from) {
    Array3<uint64_t> to(from.extent());
    CopyArray(from.view(), to.view());
    return to;
  }

  ArrayView3<uint64_t> OracleOf(const Box& box) {
    return oracle_.view().Crop({box.lo - bounds().lo, box.hi - bounds().lo});
  }

  void Write(const Box& box) {
    const Array3<uint64_t> labels = LabelsFor(box.extent());
    ASSERT_TRUE(volume_->WriteBox(0, box, labels.view()).ok());
    CopyArray(labels.view(), OracleOf(box));
  }

  void CheckBox(const Box& box) {
    const auto labels = volume_->ReadBox(0, box);
    ASSERT_TRUE(labels.ok()) << labels.status();
    EXPECT_TRUE(Equal<uint64_t>(labels->view(), OracleOf(box))) << box;
  }

  std::mt19937_64 random_{TestSeed()};
  store::TemporaryFolder folder_;
  std::shared_ptr<store::Store> store_;
  std::unique_ptr<Volume> volume_;
  Array3<uint64_t> oracle_;
};

TEST_P(VolumeSuite, RandomBoxesReadBackAsAPlainArrayWould) {
  CheckBox(bounds());
  for (int round = 0; round < 12; ++round) {
    Write(RandomBox());
    CheckBox(RandomBox());
    CheckBox(bounds());
  }
  Write(bounds());
  CheckBox(bounds());
  for (const ChunkPoint chunk : volume_->grid(0).ChunksOver(bounds())) {
    const auto read = volume_->ReadChunk(0, chunk);
    ASSERT_TRUE(read.ok());
    const auto labels = volume_->DecodeChunk(0, chunk, *read);
    ASSERT_TRUE(labels.ok());
    EXPECT_TRUE(Equal<uint64_t>(labels->view(), OracleOf(volume_->grid(0).BoxOf(chunk))));
  }
}

TEST_P(VolumeSuite, VoxelsAndMasksAgreeWithTheBox) {
  Write(RandomBox());
  Write(RandomBox());
  std::vector<VoxelPoint> points;
  for (int i = 0; i < 300; ++i) {
    points.push_back(RandomBox().lo);
  }
  const auto labels = volume_->ReadVoxels(0, points);
  ASSERT_TRUE(labels.ok()) << labels.status();
  for (size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ((*labels)[i], oracle_[points[i] - bounds().lo]) << points[i];
  }
  const Box box = RandomBox();
  const uint64_t wanted = OracleOf(box)[{0, 0, 0}];
  Array3<uint8_t> mask(box.extent(), 9);
  const auto is_wanted = [wanted](uint64_t label) { return static_cast<uint8_t>(label == wanted ? 1 : 0); };
  ASSERT_TRUE(volume_->ReadBoxMapped(0, box, is_wanted, mask.view()).ok());
  Array3<uint32_t> low(box.extent(), 9);
  const auto low_bits = [](uint64_t label) { return static_cast<uint32_t>(label & 0xFFFF); };
  ASSERT_TRUE(volume_->ReadBoxMapped(0, box, low_bits, low.view()).ok());
  for (int64_t i = 0; i < mask.size(); ++i) {
    const VoxelPoint p{i % box.extent().x, i / box.extent().x % box.extent().y, i / box.extent().x / box.extent().y};
    ASSERT_EQ(mask[p], is_wanted(OracleOf(box)[p]));
    ASSERT_EQ(low[p], low_bits(OracleOf(box)[p]));
  }
}

TEST_P(VolumeSuite, AZeroChunkHasNoKey) {
  Write(bounds());
  const Array3<uint64_t> zeros(bounds().extent());
  ASSERT_TRUE(volume_->WriteBox(0, bounds(), zeros.view()).ok());
  EXPECT_THAT(*store_->List({}), ElementsAre("some/seg/info"));
}

TEST_P(VolumeSuite, CodecListsTheLabelsOfAChunk) {
  Write(bounds());
  for (const ChunkPoint chunk : volume_->grid(0).ChunksOver(bounds())) {
    const auto read = volume_->ReadChunk(0, chunk);
    ASSERT_TRUE(read.ok() && read->value);
    const Box box = volume_->grid(0).BoxOf(chunk);
    std::multiset<uint64_t> visited;
    ASSERT_TRUE(volume_->codec(0)
                    .ForEachLabel(*read->value, box.extent(), [&visited](uint64_t label) { visited.insert(label); })
                    .ok());
    const auto labels = volume_->DecodeChunk(0, chunk, *read);
    EXPECT_THAT(visited, testing::ElementsAreArray(std::set(labels->data(), labels->data() + labels->size())));
  }
}

TEST_P(VolumeSuite, ADamagedChunkIsNamed) {
  Write(bounds());
  const std::string key = volume_->ChunkKey(0, {1, 1, 1});
  ASSERT_TRUE(store_->Write(key, "xyz").ok());
  const VoxelPoint point = volume_->grid(0).BoxOf({1, 1, 1}).lo;
  Array3<uint8_t> mask(bounds().extent());
  const auto one = [](uint64_t) { return uint8_t{1}; };
  for (const absl::Status& status :
       {volume_->ReadBox(0, bounds()).status(), volume_->ReadVoxels(0, {&point, 1}).status(),
        volume_->ReadBoxMapped(0, bounds(), one, mask.view()),
        volume_->WriteBox(0, BoxAt(point, {1, 1, 1}), Array3<uint64_t>({1, 1, 1}).view()),
        volume_->DecodeChunk(0, {1, 1, 1}, *store_->Read(key)).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr(store_->Describe(key)));
  }
}

TEST_P(VolumeSuite, AnotherVersionOfTheStoreIsReadWithTheSameInfo) {
  Write(bounds());
  const auto empty = Volume::Over(std::make_shared<store::MemoryStore>(), volume_->prefix(), volume_->info());
  ASSERT_TRUE(empty.ok());
  const auto labels = (*empty)->ReadBox(0, bounds());
  ASSERT_TRUE(labels.ok());
  EXPECT_TRUE(std::all_of(labels->data(), labels->data() + labels->size(), [](uint64_t l) { return l == 0; }));
}

INSTANTIATE_TEST_SUITE_P(
    Formats, VolumeSuite,
    testing::Values(Setting{"RawUint8", DataType::kUint8, Encoding::kRaw, false},
                    Setting{"RawUint16", DataType::kUint16, Encoding::kRaw, false},
                    Setting{"RawUint32", DataType::kUint32, Encoding::kRaw, false},
                    Setting{"RawUint64", DataType::kUint64, Encoding::kRaw, true},
                    Setting{"CompressedUint32", DataType::kUint32, Encoding::kCompressedSegmentation, false},
                    Setting{"CompressedUint64", DataType::kUint64, Encoding::kCompressedSegmentation, false},
                    Setting{"CompressedUint64InFiles", DataType::kUint64, Encoding::kCompressedSegmentation, true}),
    [](const auto& param) { return param.param.name; });

TEST(ChunkGrid, StartsAtTheOffsetAndIsClippedAtTheEnd) {
  const ChunkGrid grid{{{-13, 5, -2}, {37, 42, 19}}, {16, 16, 8}};
  EXPECT_EQ(grid.count(), (Extent3{4, 3, 3}));
  EXPECT_EQ(grid.BoxOf({0, 0, 0}), (Box{{-13, 5, -2}, {3, 21, 6}}));
  EXPECT_EQ(grid.BoxOf({3, 2, 2}), (Box{{35, 37, 14}, {37, 42, 19}}));
  EXPECT_EQ(grid.ChunkName({3, 2, 2}), "35-37_37-42_14-19");
  EXPECT_EQ(grid.ChunkName({0, 0, 0}), "-13-3_5-21_-2-6");
  EXPECT_FALSE(grid.Contains({4, 0, 0}));
  EXPECT_FALSE(grid.Contains({0, -1, 0}));
  EXPECT_EQ(grid.ChunkOf({-14, 5, -2}), (ChunkPoint{-1, 0, 0}));
  EXPECT_EQ(grid.ChunksOver({{2, 5, 5}, {4, 6, 7}}),
            (std::vector<ChunkPoint>{{0, 0, 0}, {1, 0, 0}, {0, 0, 1}, {1, 0, 1}}));
  EXPECT_TRUE(grid.ChunksOver({{40, 5, 5}, {44, 6, 7}}).empty());
  for (const ChunkPoint chunk : grid.ChunksOver(grid.bounds)) {
    const Box box = grid.BoxOf(chunk);
    EXPECT_EQ(grid.ChunkOf(box.lo), chunk);
    EXPECT_EQ(grid.ChunkOf(box.hi - VoxelPoint{1, 1, 1}), chunk);
  }
}

std::unique_ptr<Volume> SmallVolume(const std::shared_ptr<store::Store>& store) {
  return *Volume::Create(store, "", InfoFor(DataType::kUint32, Encoding::kRaw));
}

TEST(Volume, StoresRawChunksAsTheFormatSays) {
  const auto store = std::make_shared<store::MemoryStore>();
  Info info = InfoFor(DataType::kUint16, Encoding::kRaw);
  info.scales[0].size = {3, 2, 1};
  info.scales[0].chunk_size = {2, 2, 2};
  const auto volume = Volume::Create(store, "a/b/", info);
  Array3<uint64_t> labels({3, 2, 1});
  for (int64_t i = 0; i < labels.size(); ++i) {
    labels.data()[i] = static_cast<uint64_t>(0x100 + i);
  }
  ASSERT_TRUE((*volume)->WriteBox(0, info.scales[0].bounds(), labels.view()).ok());
  EXPECT_THAT(*store->List({}),
              ElementsAre("a/b/8_8_40/-11--10_5-7_-2--1", "a/b/8_8_40/-13--11_5-7_-2--1", "a/b/info"));
  EXPECT_EQ(*store->Read("a/b/8_8_40/-13--11_5-7_-2--1")->value, std::string("\0\1\1\1\3\1\4\1", 8));
  EXPECT_EQ(*store->Read("a/b/8_8_40/-11--10_5-7_-2--1")->value, std::string("\2\1\5\1", 4));
}

TEST(Volume, OpensWhatWasCreatedAndNeverCreatesTwice) {
  const auto store = std::make_shared<store::MemoryStore>();
  EXPECT_EQ(Volume::Open(store, "").status().code(), absl::StatusCode::kNotFound);
  const auto created = SmallVolume(store);
  EXPECT_EQ(Volume::Create(store, "", created->info()).status().code(), absl::StatusCode::kFailedPrecondition);
  const auto opened = Volume::Open(store, "");
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ((*opened)->info(), created->info());
  ASSERT_TRUE(store->Write("info", "{}").ok());
  const absl::Status status = Volume::Open(store, "").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(store->Describe("info")));
}

TEST(Volume, ScaleKeysMayLeadBesideTheInfoButNotOutOfTheStore) {
  const auto store = std::make_shared<store::MemoryStore>();
  Info info = InfoFor(DataType::kUint32, Encoding::kRaw);
  info.scales[0].key = "../elsewhere/8_8_40";
  const auto volume = Volume::Create(store, "a/seg/", info);
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_EQ((*volume)->ChunkKey(0, {0, 0, 0}), "a/elsewhere/8_8_40/-13-3_5-21_-2-6");
  EXPECT_EQ(Volume::Create(store, "", info).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Volume, RefusesWhatLiesOutside) {
  const auto volume = SmallVolume(std::make_shared<store::MemoryStore>());
  const std::vector<VoxelPoint> points = {{0, 10, 0}, {37, 10, 0}};
  const absl::Status point = volume->ReadVoxels(0, points).status();
  EXPECT_EQ(point.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(point.message()), HasSubstr("37,10,0"));
  const Box beyond{{0, 5, 0}, {38, 6, 1}};
  EXPECT_EQ(volume->ReadBox(0, beyond).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(volume->WriteBox(0, beyond, Array3<uint64_t>(beyond.extent()).view()).code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(volume->ReadChunk(0, {4, 0, 0}).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(volume->ReadChunk(2, {0, 0, 0}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(volume->ReadBox(-1, beyond).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(volume->ReadBox(0, Box{{0, 5, 0}, {0, 6, 1}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(volume->EncodeChunkWrite(0, {0, 0, 0}, Array3<uint64_t>({1, 1, 1}).view(), std::nullopt).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Volume, RefusesALabelThatTheTypeCannotHold) {
  const auto volume = SmallVolume(std::make_shared<store::MemoryStore>());
  const Array3<uint64_t> labels({1, 1, 1}, uint64_t{1} << 32);
  const absl::Status status = volume->WriteBox(0, BoxAt({0, 5, 0}, {1, 1, 1}), labels.view());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("4294967296"));
}

TEST(Volume, AChunkWriteHoldsTheGenerationItWasGiven) {
  const auto store = std::make_shared<store::MemoryStore>();
  const auto volume = SmallVolume(store);
  const Array3<uint64_t> labels({16, 16, 8}, 5);
  const auto absent = volume->ReadChunk(0, {0, 0, 0});
  ASSERT_TRUE(absent.ok());
  EXPECT_FALSE(absent->value);
  const auto write = volume->EncodeChunkWrite(0, {0, 0, 0}, labels.view(), absent->generation);
  ASSERT_TRUE(write.ok()) << write.status();
  ASSERT_TRUE(store->WriteBatch(std::span(&*write, 1)).ok());
  EXPECT_EQ(store->WriteBatch(std::span(&*write, 1)).code(), absl::StatusCode::kAborted);
}

TEST(Volume, WriteBoxNeverOverwritesWhatAnotherWriterPutIntoAPartlyCoveredChunk) {
  const auto inner = std::make_shared<store::MemoryStore>();
  const auto store = std::make_shared<store::FaultyStore>(inner);
  const auto volume = SmallVolume(store);
  bool has_come_between = false;
  store->SetHook([&](int64_t) {  // just before the write, after the read
    if (!std::exchange(has_come_between, true)) {
      ASSERT_TRUE(inner->Write(volume->ChunkKey(0, {0, 0, 0}), std::string(16 * 16 * 8 * 4, 1)).ok());
    }
  });
  const Box box = BoxAt({-13, 5, -2}, {1, 1, 1});
  const Array3<uint64_t> labels({1, 1, 1}, 7);
  EXPECT_EQ(volume->WriteBox(0, box, labels.view()).code(), absl::StatusCode::kAborted);
  ASSERT_TRUE(volume->WriteBox(0, box, labels.view()).ok());
  const auto read = volume->ReadBox(0, BoxAt({-13, 5, -2}, {2, 1, 1}));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ((*read)[VoxelPoint{}], 7U);
  EXPECT_EQ((*read).data()[1], 0x01010101U);
}

}  // namespace
}  // namespace cleave::volume
