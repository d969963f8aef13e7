// How fast coarser scales are made, and how soon after an edit they are true again.
//
//   downsample_benchmark [--side N]    default 512
//
// Lines of JSON, one a measurement; benchmarks/compare_downsample sets the first ones beside tinybrain:
//   {"line": "2x2x1", "mvoxels_per_second": ..., "memory_mib": ...}   labels of N x N x N/2 voxels, downsampled once by
//                                                                     one thread; memory beyond the labels themselves
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

#include "benchmarks/measure.h"
#include "volume/downsample.h"
#include "volume/neuropil.h"
#include "volume/npy.h"

namespace cleave {
namespace {

constexpr int kRounds = 7;

Array3<uint64_t> Tiled(const Array3<uint64_t>& tile, Extent3 extent) {
  Array3<uint64_t> labels(extent);
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      for (int64_t x = 0; x < extent.x; ++x) {
        labels[{x, y, z}] = tile[{x % tile.extent().x, y % tile.extent().y, z % tile.extent().z}];
      }
    }
  }
  return labels;
}

// The cutout of mouse cortex where the data set is there, else generated neuropil.
Array3<uint64_t> LoadTile() {
  const char* const folder = std::getenv("CLEAVE_DATA");
  auto labels = volume::ReadNpy<uint64_t>(std::string(folder != nullptr ? folder : "../shared/data") +
                                          "/pinky40_neuropil_8x8x40_128x128x128_u32.npy.zst");
  return labels.ok() ? *std::move(labels) : volume::MakeNeuropil({.extent = {128, 128, 128}});
}

void MeasureKernel(const Array3<uint64_t>& labels, Extent3 factor, absl::string_view name) {
  const double memory_before = PeakMemoryMiB();
  Array3<uint64_t> coarse(volume::CoarserBox(BoxAt({}, labels.extent()), factor).extent());
  double best_seconds = 1e9;
  uint64_t check = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double start = ProcessorSeconds();
    volume::DownsampleLabels(labels.view(), {}, factor, coarse.view());
    best_seconds = std::min(best_seconds, ProcessorSeconds() - start);
    check += coarse.data()[coarse.size() / 2];
  }
  std::cout << R"({"line": ")" << name << R"(", "mvoxels_per_second": )"
            << static_cast<double>(labels.size()) / best_seconds * 1e-6 << R"(, "memory_mib": )"
            << PeakMemoryMiB() - memory_before << R"(, "check": )" << check % 1000 << "}" << std::endl;
}

int Run(int64_t side) {
  const Array3<uint64_t> labels = Tiled(LoadTile(), {side, side, side / 2});
  MeasureKernel(labels, {2, 2, 1}, "2x2x1");
  MeasureKernel(labels, {2, 2, 2}, "2x2x2");
  return 0;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) {
  int64_t side = 512;
  if (argc > 2 && (absl::string_view(argv[1]) != "--side" || !absl::SimpleAtoi(argv[2], &side) || side < 2)) {
    std::cerr << "usage: downsample_benchmark [--side N]\n";
    return 2;
  }
  return cleave::Run(side);
}
