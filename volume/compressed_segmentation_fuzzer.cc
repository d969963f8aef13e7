// Feeds arbitrary bytes to every way of reading a compressed_segmentation chunk. The first six bytes give the extent
// and the block; the rest is the chunk. What decodes is encoded again and must come back the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "volume/compressed_segmentation.h"

namespace cleave::volume {
namespace {

void Require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

template <typename Label>
void ReadAllWays(absl::string_view bytes, Extent3 extent, Extent3 block) {
  const auto chunk = CompressedSegmentation<Label>::Open(bytes, extent, block);
  if (!chunk.ok()) {
    return;
  }
  const Box all = BoxAt({}, extent);
  Array3<Label> labels(extent);
  const absl::Status status = chunk->template Decode<Label>(all, labels.view());
  Array3<uint8_t> mapped(extent);
  const auto low_byte = [](Label label) { return static_cast<uint8_t>(label); };
  Require(chunk->template DecodeMapped<uint8_t>(all, low_byte, mapped.view()).code() == status.code());
  Require(chunk->ForEachLabel([](Label) {}).code() == status.code());
  if (!status.ok()) {
    return;
  }
  for (int64_t i = 0; i < labels.size(); ++i) {
    const VoxelPoint p{i % extent.x, i / extent.x % extent.y, i / extent.x / extent.y};
    Require(*chunk->At(p) == labels[p] && mapped[p] == low_byte(labels[p]));
  }
  const auto again = EncodeCompressedSegmentation<Label>(std::as_const(labels).view(), block);
  Require(again.ok());
  Array3<Label> copy(extent);
  Require(CompressedSegmentation<Label>::Open(*again, extent, block)->template Decode<Label>(all, copy.view()).ok());
  Require(std::equal(copy.data(), copy.data() + copy.size(), labels.data()));
}

}  // namespace
}  // namespace cleave::volume

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cleave::Extent3;
  if (size < 6) {
    return 0;
  }
  const auto side = [data](int i, int modulus) { return int64_t{1} + data[i] % modulus; };
  const Extent3 extent{side(0, 20), side(1, 20), side(2, 20)};
  const Extent3 block{side(3, 10), side(4, 10), side(5, 10)};
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 6, size - 6);
  cleave::volume::ReadAllWays<uint32_t>(bytes, extent, block);
  cleave::volume::ReadAllWays<uint64_t>(bytes, extent, block);
  return 0;
}
