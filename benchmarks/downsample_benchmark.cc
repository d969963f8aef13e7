// How fast coarser scales are made, and how soon after an edit they are true again.
//
//   downsample_benchmark [--side N] [--labels PATH.npy]     default 512, tiles of the cutout of mouse cortex
//   downsample_benchmark --edits N                           a project, N splits, and the service behind them
//
// Lines of JSON, one a measurement; benchmarks/compare_downsample sets the first ones beside tinybrain:
//   {"line": "2x2x1", "mvoxels_per_second": ..., "memory_mib": ...}   labels of N x N x N/2 voxels, downsampled once by
//       one thread, by its processor time, into memory that is there; memory beyond labels and result
//   {"line": "fill", ...}      all coarser scales of the project, from its store and back into it
//   {"line": "latency", ...}   from the answer of an edit that changed voxels to coarser scales that follow it, seconds
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

#include "base/progress.h"
#include "benchmarks/measure.h"
#include "edit/editor.h"
#include "graph/dataset.h"
#include "ingest/ingest.h"
#include "store/temporary_folder.h"
#include "volume/downsample.h"
#include "volume/label_source.h"
#include "volume/neuropil.h"
#include "volume/npy.h"
#include "volume/volume.h"
#include "work/downsample_service.h"

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
  Array3<uint64_t> coarse(volume::CoarserBox(BoxAt({}, labels.extent()), factor).extent(), 1);
  const double memory_before = PeakMemoryMiB();
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

int MeasureKernels(int64_t side, const std::string& path) {
  Array3<uint64_t> labels;
  if (path.empty()) {
    labels = Tiled(LoadTile(), {side, side, side / 2});
  } else {
    labels = volume::ReadNpy<uint64_t>(path).value();
  }
  MeasureKernel(labels, {2, 2, 1}, "2x2x1");
  MeasureKernel(labels, {2, 2, 2}, "2x2x2");
  return 0;
}

// Splits random objects between points near each other, until so many have changed voxels.
class Splitter {
 public:
  explicit Splitter(graph::Dataset& dataset) : dataset_(dataset), editor_(edit::Editor::Open(dataset).value()) {}

  void SplitOne() {
    const Box bounds = dataset_.meta().volume;
    for (;;) {
      const VoxelPoint p = Near(bounds);
      const VoxelPoint q = Near(Intersect(Grow({p, p + Extent3{1, 1, 1}}, {24, 24, 6}), bounds));
      const auto report = editor_->Split({.sources = {p}, .sinks = {q}, .user = "benchmark"});
      if (report.ok() && !report->changed_boxes.empty()) {
        return;
      }
    }
  }

 private:
  VoxelPoint Near(const Box& box) {
    const auto pick = [&](int64_t lo, int64_t hi) {
      return lo + static_cast<int64_t>(random_() % static_cast<uint64_t>(hi - lo));
    };
    return {pick(box.lo.x, box.hi.x), pick(box.lo.y, box.hi.y), pick(box.lo.z, box.hi.z)};
  }

  graph::Dataset& dataset_;
  const std::unique_ptr<edit::Editor> editor_;
  std::mt19937_64 random_{1};
};

int MeasureProject(int64_t edits) {
  const store::TemporaryFolder folder;
  const std::string path = folder.path() + "/project";
  const Extent3 extent{512, 512, 128};
  const auto source = volume::MakeArraySource(Tiled(LoadTile(), extent), {}, VoxelSizeNm{8, 8, 40});
  ingest::IngestOptions options;
  options.project_folder = path;
  const auto ingested = ingest::IngestFrom(*source, options, Progress::Silent());
  if (!ingested.ok()) {
    std::cerr << ingested.status() << '\n';
    return 1;
  }
  for (const ingest::StepTime& step : ingested->steps) {
    if (step.step == "coarser scales") {
      std::cout << R"({"line": "fill", "mvoxels_per_second": )"
                << static_cast<double>(Count(extent)) / step.thread_seconds * 1e-6 << "}" << std::endl;
    }
  }
  const auto dataset = graph::Dataset::Open(path).value();
  Splitter splitter(*dataset);
  const auto service = work::DownsampleService::Start(*dataset, {}).value();
  std::vector<double> seconds;
  for (int64_t i = 0; i < edits; ++i) {
    splitter.SplitOne();
    const auto start = std::chrono::steady_clock::now();
    while (work::ReadDownsampleQueue(*dataset)->events > 0) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    seconds.push_back(SecondsSince(start));
  }
  std::ranges::sort(seconds);
  std::cout << R"({"line": "latency", "edits": )" << edits << R"(, "median_seconds": )" << seconds[seconds.size() / 2]
            << R"(, "p90_seconds": )" << seconds[seconds.size() * 9 / 10] << R"(, "worst_seconds": )" << seconds.back()
            << R"(, "chunks_written": )" << service->state().done.chunks_written << R"(, "peak_memory_mib": )"
            << PeakMemoryMiB() << "}" << std::endl;
  return 0;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) {
  int64_t side = 512;
  int64_t edits = 0;
  std::string labels;
  bool is_right = true;
  for (int i = 1; i < argc; i += 2) {
    const absl::string_view name = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--labels") {
      labels = value;
    } else {
      int64_t* const number = name == "--side" ? &side : name == "--edits" ? &edits : nullptr;
      is_right = is_right && number != nullptr && absl::SimpleAtoi(value, number) && *number > 1;
    }
  }
  if (!is_right) {
    std::cerr << "usage: downsample_benchmark [--side N] [--labels PATH.npy] | --edits N\n";
    return 2;
  }
  return edits > 0 ? cleave::MeasureProject(edits) : cleave::MeasureKernels(side, labels);
}
