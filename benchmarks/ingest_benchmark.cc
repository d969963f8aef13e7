// How fast a segmentation becomes a project: million voxels a second, by step, and the largest memory in use.
//
//   ingest_benchmark [--labels PATH] [--synthetic X,Y,Z] [--voxel-size-nm X,Y,Z] [--chunk-size X,Y,Z] [--threads N]
//                    [--folder FOLDER] [--json]
//
// Without --labels: the pinky40 neuropil volume in $CLEAVE_DATA (or ../shared/data) where it is there, else synthetic
// neuropil of 256^3 voxels. The project is made in a new folder below --folder (default: the folder for temporary
// files) and removed. Opening the labels is timed apart from ingest, which includes all reading from the opened source,
// encoding, writing and syncing.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <nlohmann/json.hpp>

#include "benchmarks/measure.h"
#include "ingest/ingest.h"
#include "volume/label_source.h"
#include "volume/neuropil.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string labels;
  std::optional<Extent3> synthetic;
  VoxelSizeNm voxel_size_nm{8, 8, 40};
  Extent3 chunk_size = ingest::IngestOptions().chunk_size;
  int threads = DefaultThreadCount();
  std::string folder = fs::temp_directory_path().string();
  bool json = false;
};

// What the clocks showed, in seconds.
struct Timing {
  double open = 0;
  double ingest_processor = 0;
};

bool ParseTriple(const std::string& text, double (&values)[3]) {
  const std::vector<std::string> fields = absl::StrSplit(text, ',');
  for (size_t i = 0; i < 3; ++i) {
    if (fields.size() != 3 || !absl::SimpleAtod(fields[i], &values[i])) {
      return false;
    }
  }
  return true;
}

Extent3 ToExtent(const double (&v)[3]) {
  return {static_cast<int64_t>(v[0]), static_cast<int64_t>(v[1]), static_cast<int64_t>(v[2])};
}

std::optional<Arguments> Parse(const std::vector<std::string>& words) {
  Arguments arguments;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--json") {
      arguments.json = true;
      continue;
    }
    if (i + 1 == words.size()) {
      return std::nullopt;
    }
    const std::string& name = words[i];
    const std::string& value = words[++i];
    double triple[3];
    if (name == "--labels") {
      arguments.labels = value;
    } else if (name == "--folder") {
      arguments.folder = value;
    } else if (name == "--threads" && absl::SimpleAtoi(value, &arguments.threads) && arguments.threads > 0) {
      continue;
    } else if (name == "--synthetic" && ParseTriple(value, triple)) {
      arguments.synthetic = ToExtent(triple);
    } else if (name == "--chunk-size" && ParseTriple(value, triple)) {
      arguments.chunk_size = ToExtent(triple);
    } else if (name == "--voxel-size-nm" && ParseTriple(value, triple)) {
      arguments.voxel_size_nm = {triple[0], triple[1], triple[2]};
    } else {
      return std::nullopt;
    }
  }
  return arguments;
}

absl::StatusOr<std::unique_ptr<volume::LabelSource>> OpenLabels(const Arguments& arguments) {
  if (!arguments.labels.empty()) {
    return volume::OpenLabelSource(arguments.labels);
  }
  const char* data = std::getenv("CLEAVE_DATA");
  const std::string pinky =
      absl::StrCat(data != nullptr ? data : "../shared/data", "/pinky40_neuropil_8x8x40_512x512x512_u32.npy.zst");
  if (!arguments.synthetic.has_value() && fs::exists(pinky)) {
    return volume::OpenLabelSource(pinky);
  }
  volume::NeuropilOptions options;
  options.extent = arguments.synthetic.value_or(Extent3{256, 256, 256});
  options.voxel_size_nm = arguments.voxel_size_nm;
  return volume::MakeArraySource(volume::MakeNeuropil(options), {}, arguments.voxel_size_nm);
}

void PrintJson(const ingest::IngestReport& report, const std::string& source, const Timing& timing) {
  nlohmann::ordered_json json;
  json["labels"] = source;
  json["voxels"] = report.voxels;
  json["chunks"] = report.chunks;
  json["supervoxels"] = report.supervoxels;
  json["edges"] = {{"inside", report.edges_inside}, {"between", report.edges_between}, {"cross", report.edges_cross}};
  json["l2_nodes"] = report.l2_nodes;
  json["roots"] = report.roots;
  json["open_seconds"] = timing.open;
  json["ingest_seconds"] = report.seconds;
  json["ingest_processor_seconds"] = timing.ingest_processor;
  json["mvoxel_per_second"] = static_cast<double>(report.voxels) * 1e-6 / report.seconds;
  for (const ingest::StepTime& step : report.steps) {
    json["thread_seconds"][step.step] = step.thread_seconds;
  }
  json["peak_memory_mib"] = PeakMemoryMiB();
  std::printf("%s\n", json.dump(2).c_str());
}

void PrintTable(const ingest::IngestReport& report, const std::string& source, const Timing& timing) {
  const double mvoxels = static_cast<double>(report.voxels) * 1e-6;
  std::printf("%s: %.1f Mvoxel in %lld chunks\n", source.c_str(), mvoxels, static_cast<long long>(report.chunks));
  std::printf("%lld supervoxels, %lld L2 nodes, %lld roots; edges: %lld inside, %lld between, %lld cross\n",
              static_cast<long long>(report.supervoxels), static_cast<long long>(report.l2_nodes),
              static_cast<long long>(report.roots), static_cast<long long>(report.edges_inside),
              static_cast<long long>(report.edges_between), static_cast<long long>(report.edges_cross));
  std::printf("%-16s %14s %20s\n", "step", "thread seconds", "Mvoxel/thread second");
  for (const ingest::StepTime& step : report.steps) {
    std::printf("%-16s %14.3f %20.1f\n", step.step.c_str(), step.thread_seconds,
                step.thread_seconds > 0 ? mvoxels / step.thread_seconds : 0.0);
  }
  std::printf("open %.2f s, ingest %.2f s (processors: %.2f s) = %.1f Mvoxel/s, peak memory %.0f MiB\n", timing.open,
              report.seconds, timing.ingest_processor, mvoxels / report.seconds, PeakMemoryMiB());
}

absl::Status Run(const Arguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<std::unique_ptr<volume::LabelSource>> source = OpenLabels(arguments);
  if (!source.ok()) {
    return source.status();
  }
  Timing timing{.open = SecondsSince(start), .ingest_processor = -ProcessorSeconds()};
  std::string pattern = absl::StrCat(arguments.folder, "/cleave_ingest_XXXXXX");
  if (mkdtemp(pattern.data()) == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot make a folder below ", arguments.folder));
  }
  ingest::IngestOptions options;
  options.project_folder = pattern;
  options.voxel_size_nm = arguments.voxel_size_nm;
  options.chunk_size = arguments.chunk_size;
  options.threads = arguments.threads;
  const absl::StatusOr<ingest::IngestReport> report = ingest::IngestFrom(**source, options, Progress::Silent());
  timing.ingest_processor += ProcessorSeconds();
  fs::remove_all(pattern);
  if (!report.ok()) {
    return report.status();
  }
  (arguments.json ? PrintJson : PrintTable)(*report, (*source)->Describe(), timing);
  return absl::OkStatus();
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) {
  const std::optional<cleave::Arguments> arguments = cleave::Parse({argv + 1, argv + argc});
  if (!arguments.has_value()) {
    std::fprintf(stderr,
                 "usage: ingest_benchmark [--labels PATH] [--synthetic X,Y,Z] [--voxel-size-nm X,Y,Z]\n"
                 "                        [--chunk-size X,Y,Z] [--threads N] [--folder FOLDER] [--json]\n");
    return 2;
  }
  const absl::Status status = cleave::Run(*arguments);
  if (!status.ok()) {
    std::fprintf(stderr, "ingest_benchmark: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
