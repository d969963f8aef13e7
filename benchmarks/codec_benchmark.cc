// How fast chunks are encoded and decoded, in voxels per second, on real labels: the 128^3 cutout of mouse cortex and
// the 64^3 cube of fly brain. $CLEAVE_DATA names their folder; without it generated neuropil stands in.
#include <cstdlib>
#include <string>
#include <utility>

#include "benchmark/benchmark.h"

#include "volume/compressed_segmentation.h"
#include "volume/neuropil.h"
#include "volume/npy.h"

namespace cleave::volume {
namespace {

constexpr Extent3 kBlock{8, 8, 8};

Array3<uint64_t> LoadLabels(int which) {
  const char* folder = std::getenv("CLEAVE_DATA");
  const std::string name =
      which == 0 ? "pinky40_neuropil_8x8x40_128x128x128_u32.npy.zst" : "ng_testdata_64x64x64_u64.npy.zst";
  auto labels = ReadNpy<uint64_t>(std::string(folder != nullptr ? folder : "../shared/data") + "/" + name);
  return labels.ok() ? *std::move(labels) : MakeNeuropil({.extent = {128, 128, 128}});
}

void SetRates(benchmark::State& state, const Array3<uint64_t>& labels, const std::string& bytes) {
  state.SetItemsProcessed(state.iterations() * labels.size());
  state.counters["ratio"] = static_cast<double>(labels.size()) * sizeof(uint64_t) / static_cast<double>(bytes.size());
}

void BM_Encode(benchmark::State& state) {
  const Array3<uint64_t> labels = LoadLabels(static_cast<int>(state.range(0)));
  std::string bytes;
  for (auto _ : state) {
    bytes = *EncodeCompressedSegmentation<uint64_t>(labels.view(), kBlock);
    benchmark::DoNotOptimize(bytes.data());
  }
  SetRates(state, labels, bytes);
}
BENCHMARK(BM_Encode)->Arg(0)->Arg(1);

// Runs body(chunk) on the encoded labels.
template <typename Body>
void RunOnChunk(benchmark::State& state, Body body) {
  const Array3<uint64_t> labels = LoadLabels(static_cast<int>(state.range(0)));
  const std::string bytes = *EncodeCompressedSegmentation<uint64_t>(labels.view(), kBlock);
  const auto chunk = *CompressedSegmentation<uint64_t>::Open(bytes, labels.extent(), kBlock);
  for (auto _ : state) {
    body(chunk, labels);
  }
  SetRates(state, labels, bytes);
}

void BM_Decode(benchmark::State& state) {
  Array3<uint64_t> out;
  RunOnChunk(state, [&out](const auto& chunk, const Array3<uint64_t>& labels) {
    if (out.size() == 0) {
      out = Array3<uint64_t>(labels.extent());
    }
    benchmark::DoNotOptimize(chunk.template Decode<uint64_t>(BoxAt({}, labels.extent()), out.view()).ok());
  });
}
BENCHMARK(BM_Decode)->Arg(0)->Arg(1);

// A mask of one label, as a cut needs it.
void BM_DecodeMask(benchmark::State& state) {
  Array3<uint8_t> out;
  RunOnChunk(state, [&out](const auto& chunk, const Array3<uint64_t>& labels) {
    if (out.size() == 0) {
      out = Array3<uint8_t>(labels.extent());
    }
    const uint64_t wanted = labels.data()[labels.size() / 2];
    const auto is_wanted = [wanted](uint64_t label) { return static_cast<uint8_t>(label == wanted); };
    benchmark::DoNotOptimize(
        chunk.template DecodeMapped<uint8_t>(BoxAt({}, labels.extent()), is_wanted, out.view()).ok());
  });
}
BENCHMARK(BM_DecodeMask)->Arg(0)->Arg(1);

void BM_ListLabels(benchmark::State& state) {
  RunOnChunk(state, [](const auto& chunk, const Array3<uint64_t>&) {
    uint64_t sum = 0;
    benchmark::DoNotOptimize(chunk.ForEachLabel([&sum](uint64_t label) { sum += label; }).ok());
    benchmark::DoNotOptimize(sum);
  });
}
BENCHMARK(BM_ListLabels)->Arg(0)->Arg(1);

void BM_ReadOneVoxel(benchmark::State& state) {
  int64_t i = 0;
  RunOnChunk(state, [&i](const auto& chunk, const Array3<uint64_t>& labels) {
    i = (i + 7919) % labels.size();
    const Extent3 e = labels.extent();
    benchmark::DoNotOptimize(*chunk.At({i % e.x, i / e.x % e.y, i / e.x / e.y}));
  });
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ReadOneVoxel)->Arg(0);

void BM_MakeNeuropil(benchmark::State& state) {
  const NeuropilOptions options{.extent = {256, 256, 64}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(MakeNeuropil(options).data());
  }
  state.SetItemsProcessed(state.iterations() * Count(options.extent));
}
BENCHMARK(BM_MakeNeuropil)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cleave::volume

BENCHMARK_MAIN();
