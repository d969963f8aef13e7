// How long a supervoxel split takes and how much memory it needs, by stage, on real tissue.
//
//   split_benchmark [--data FOLDER] [--sizes 128,256,512] [--pairs N] [--json]
//
// Method: a cube of each size in the middle of the pinky40 neuropil volume (512: the whole sample) is ingested with
// pairs of touching segments fused, no segment in two pairs: thin (the smaller one has less than 1 % of the cube),
// medium (1 to 4 %), and the glia-sized segment 28336523 with its largest neighbour where it is in the cube. Each pair
// is split once by two points (ingest/contact_seeds.h). Seconds are those of the whole edit, with its syncs to disk.
// Memory is the largest resident size during the edit less that before it (/proc, reset before each edit), also as a
// multiple of the region's bytes: 8 for each voxel of the box that the chunks of the fused object fill. Without the
// data the program says so and takes synthetic neuropil.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include <nlohmann/json.hpp>

#include "base/progress.h"
#include "edit/editor.h"
#include "graph/dataset.h"
#include "ingest/contact_seeds.h"
#include "ingest/fuse.h"
#include "ingest/ingest.h"
#include "store/temporary_folder.h"
#include "volume/label_source.h"
#include "volume/neuropil.h"
#include "volume/npy.h"
#include "volume/volume.h"

namespace cleave {
namespace {

constexpr uint64_t kGlia = 28336523;
const VoxelSizeNm kVoxelSize{8, 8, 40};

struct Arguments {
  std::string data;
  std::vector<int64_t> sizes = {128, 256, 512};
  int pairs_of_a_kind = 3;
  bool json = false;
};

struct Pair {
  std::string kind;
  ingest::FusePair labels;
  int64_t voxels = 0;
};

struct Result {
  int64_t size = 0;
  std::string kind;
  int64_t voxels = 0;  // of both segments
  int64_t fragments = 0;
  int64_t chunks = 0;  // written
  double seconds = 0;
  double peak_mib = 0;
  double region_mib = 0;
  std::vector<std::pair<std::string, double>> stages;
};

[[noreturn]] void Die(const absl::Status& status) {
  std::cerr << "split_benchmark: " << status << '\n';
  std::exit(1);
}

template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    Die(value.status());
  }
  return *std::move(value);
}

// A line of /proc/self/status, in MiB.
double MemoryMib(const std::string& name) {
  std::ifstream stream("/proc/self/status");
  for (std::string line; std::getline(stream, line);) {
    if (line.rfind(name + ":", 0) == 0) {
      return std::strtod(line.c_str() + name.size() + 1, nullptr) / 1024;
    }
  }
  return 0;
}

void ResetPeakMemory() { std::ofstream("/proc/self/clear_refs") << "5"; }

Array3<uint64_t> Labels(const Arguments& arguments, int64_t size) {
  const std::string path = arguments.data + "/pinky40_neuropil_8x8x40_512x512x512_u32.npy.zst";
  if (!std::filesystem::exists(path)) {
    std::cerr << path << " is not there; synthetic neuropil instead\n";
    return volume::MakeNeuropil({.extent = {size, size, size}});
  }
  const Array3<uint32_t> whole = OrDie(volume::ReadNpy<uint32_t>(path));
  const int64_t lo = (whole.extent().x - size) / 2;
  Array3<uint64_t> labels({size, size, size});
  CopyArray(whole.view().Crop(BoxAt({lo, lo, lo}, labels.extent())), labels.view());
  return labels;
}

std::vector<Pair> ChoosePairs(const Array3<uint64_t>& labels, int of_a_kind) {
  std::map<uint64_t, int64_t> voxels;
  for (int64_t i = 0; i < labels.size(); ++i) {
    ++voxels[labels.data()[i]];
  }
  std::map<std::string, int> found;
  std::set<uint64_t> used;
  std::vector<Pair> pairs;
  for (const ingest::TouchingPair& touching : ingest::TouchingPairs(labels.view(), kVoxelSize)) {
    const double share =
        static_cast<double>(std::min(voxels[touching.a], voxels[touching.b])) / static_cast<double>(labels.size());
    const bool glia = touching.a == kGlia || touching.b == kGlia;
    const std::string kind = glia ? "glia" : share < 0.002 ? "" : share < 0.01 ? "thin" : share < 0.04 ? "medium" : "";
    if (kind.empty() || used.contains(touching.a) || used.contains(touching.b) ||
        found[kind] >= (glia ? 1 : of_a_kind)) {
      continue;
    }
    ++found[kind];
    used.insert({touching.a, touching.b});
    pairs.push_back({kind, {touching.a, touching.b}, voxels[touching.a] + voxels[touching.b]});
  }
  return pairs;
}

// The box of all chunks that hold a part of the object at `point`.
double RegionMib(graph::Dataset& dataset, VoxelPoint point) {
  const VoxelPoint points[] = {point};
  const std::vector<uint64_t> labels = OrDie(dataset.segmentation().ReadVoxels(0, points));
  const std::vector<graph::NodeId> roots = OrDie(dataset.Now().Roots(graph::ToNodeIds(labels)));
  const std::vector<graph::NodeId> l2_nodes = OrDie(dataset.Now().L2Nodes(roots.front(), std::nullopt));
  Box box = dataset.layout().ChunkBox(dataset.layout().ChunkOf(l2_nodes.front()));
  for (const graph::NodeId node : l2_nodes) {
    box = Envelope(box, dataset.layout().ChunkBox(dataset.layout().ChunkOf(node)));
  }
  return static_cast<double>(Count(box.extent())) * 8 / (1 << 20);
}

std::vector<Result> Run(const Arguments& arguments, int64_t size) {
  Array3<uint64_t> labels = Labels(arguments, size);
  const std::vector<Pair> pairs = ChoosePairs(labels, arguments.pairs_of_a_kind);
  ingest::IngestOptions options;
  for (const Pair& pair : pairs) {
    options.fuse.push_back(pair.labels);
  }
  const std::vector<std::optional<ingest::ContactSeeds>> seeds =
      ingest::SuggestSeeds(labels.view(), options.fuse, kVoxelSize);
  const store::TemporaryFolder folder;
  options.project_folder = folder.path() + "/project";
  const std::unique_ptr<volume::LabelSource> source = volume::MakeArraySource(std::move(labels), {}, kVoxelSize);
  OrDie(ingest::IngestFrom(*source, options, Progress::Silent()));
  const std::unique_ptr<graph::Dataset> dataset = OrDie(graph::Dataset::Open(options.project_folder));
  const std::unique_ptr<edit::Editor> editor = OrDie(edit::Editor::Open(*dataset));
  std::vector<Result> results;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (!seeds[i].has_value()) {
      continue;
    }
    Result result;
    result.size = size;
    result.kind = pairs[i].kind;
    result.voxels = pairs[i].voxels;
    result.region_mib = RegionMib(*dataset, seeds[i]->source);
    ResetPeakMemory();
    const double before_mib = MemoryMib("VmRSS");
    const absl::Time start = absl::Now();
    const absl::StatusOr<edit::EditReport> report = editor->Split({{seeds[i]->source}, {seeds[i]->sink}, "benchmark"});
    result.seconds = absl::ToDoubleSeconds(absl::Now() - start);
    result.peak_mib = MemoryMib("VmHWM") - before_mib;
    if (!report.ok()) {
      std::cerr << size << " " << pairs[i].kind << " " << pairs[i].labels.a << "," << pairs[i].labels.b << ": "
                << report.status() << '\n';
      continue;
    }
    result.fragments = static_cast<int64_t>(report->fragments.size());
    result.chunks = report->changed_chunk_count;
    for (const auto& [name, duration] : report->stages.list()) {
      result.stages.emplace_back(name, absl::ToDoubleSeconds(duration));
    }
    results.push_back(std::move(result));
  }
  return results;
}

void Print(const Result& result) {
  absl::PrintF("%4d  %-7s %9d voxels  %4d fragments  %4d chunks  %7.1f ms  %7.1f MiB = %.2f of the region's %.0f MiB\n",
               result.size, result.kind, result.voxels, result.fragments, result.chunks, result.seconds * 1e3,
               result.peak_mib, result.peak_mib / result.region_mib, result.region_mib);
  for (const auto& [name, seconds] : result.stages) {
    absl::PrintF("        %-14s %7.1f ms\n", name, seconds * 1e3);
  }
}

nlohmann::json ToJson(const Result& result) {
  nlohmann::json stages;
  for (const auto& [name, seconds] : result.stages) {
    stages[name] = seconds;
  }
  return {{"size", result.size},
          {"kind", result.kind},
          {"voxels", result.voxels},
          {"fragments", result.fragments},
          {"chunks", result.chunks},
          {"seconds", result.seconds},
          {"peak_mib", result.peak_mib},
          {"region_mib", result.region_mib},
          {"stages", stages}};
}

int Main(int argc, char** argv) {
  Arguments arguments;
  const char* data = std::getenv("CLEAVE_DATA");
  arguments.data = data != nullptr ? data : "../shared/data";
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--json") {
      arguments.json = true;
    } else if (name == "--data" && i + 1 < argc) {
      arguments.data = argv[++i];
    } else if (name == "--sizes" && i + 1 < argc) {
      arguments.sizes.clear();
      for (const absl::string_view text : absl::StrSplit(argv[++i], ',')) {
        int64_t size = 0;
        if (!absl::SimpleAtoi(text, &size) || size < 32 || size > 512) {
          Die(absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a size from 32 to 512")));
        }
        arguments.sizes.push_back(size);
      }
    } else if (name == "--pairs" && i + 1 < argc && absl::SimpleAtoi(argv[i + 1], &arguments.pairs_of_a_kind)) {
      ++i;
    } else {
      std::cerr << "usage: split_benchmark [--data FOLDER] [--sizes 128,256,512] [--pairs N] [--json]\n";
      return 2;
    }
  }
  nlohmann::json all = nlohmann::json::array();
  for (const int64_t size : arguments.sizes) {
    for (const Result& result : Run(arguments, size)) {
      if (arguments.json) {
        all.push_back(ToJson(result));
      } else {
        Print(result);
      }
    }
  }
  if (arguments.json) {
    std::cout << all.dump(2) << '\n';
  }
  return 0;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Main(argc, argv); }
