// Measures the voxel cut on seeded split problems: quality (the share of voxels on the wrong side) and time.
//
//   voxel_cut_benchmark [--data DIR] [--set listed|tune|held|all] [--only TEXT] [--rounds N] [--export FOLDER] [--json]
//
// The problems are the data set's own list (default), or those that are made by rule from its volumes: 280 fused pairs
// and as many genuine mergers as there are (cut/fused_pairs_testing.h), one half for tuning, the other held out. "all"
// is the three of them, with the groups of those that are made called "made bridge" and so on. Prints one line a case,
// then one a group of cases, and one a group and number of seeds a side, with percentiles. Times are the best of N
// rounds (default 1) of CutVoxels alone, processor time of all its threads. Memory is the most that was resident in the
// first round beyond what was before it. Without --data the data set is looked for in $CLEAVE_DATA and then in
// ../shared/data beside the working folder's source tree.
//
// --export writes each case's mask, truth and our sides as ID_mask.npy, ID_truth.npy and ID_side.npy (uint8) and its
// points as ID.json, for benchmarks/compare_voxel_cut.
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

#include "base/stages.h"
#include "benchmarks/measure.h"
#include "cut/fused_pairs_testing.h"
#include "cut/split_cases_testing.h"
#include "cut/voxel_cut.h"
#include "volume/npy.h"

namespace cleave::cut {
namespace {

struct Options {
  std::string data = DataFolder(".");
  std::string set = "listed";
  std::string only;
  std::string folder;  // to export to; empty: none
  int rounds = 1;
  bool json = false;
};

struct Outcome {
  std::string id;
  std::string group;
  size_t seeds = 0;  // a side
  int64_t mask_voxels = 0;
  int64_t region_voxels = 0;
  double wrong_share = 0;
  double milliseconds = 0;
  double wall_milliseconds = 0;
  int64_t peak_bytes = 0;
  std::string failure;
};

// What a call needs beyond what is resident before it.
template <typename Call>
auto WithPeakMemory(int64_t& peak_bytes, Call call) {
  malloc_trim(0);  // memory that an earlier case left would not be counted
  Stages stages;
  stages.EnableProfile();
  auto result = [&] {
    const Stages::Scope scope(stages, "call");
    return call();
  }();
  peak_bytes = stages.Profile().front().peak_memory_bytes;
  return result;
}

// Processor time of this program: other programs' load does not count.
double ProcessorMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

bool Export(const std::string& folder, const SplitCase& split_case, const Array3<uint8_t>& side) {
  const std::string start = folder + "/" + split_case.id;
  nlohmann::json points = nlohmann::json::array();
  for (const std::vector<VoxelPoint>& group : split_case.groups) {
    points.push_back(nlohmann::json::array());
    for (const VoxelPoint point : group) {
      points.back().push_back({point.x, point.y, point.z});
    }
  }
  const VoxelSizeNm size = split_case.voxel_size_nm;
  std::ofstream(start + ".json") << nlohmann::json{
      {"id", split_case.id}, {"group", split_case.group}, {"voxel_nm", {size.x, size.y, size.z}}, {"points", points}};
  return volume::WriteNpy<uint8_t>(start + "_mask.npy", split_case.mask.view()).ok() &&
         volume::WriteNpy<uint8_t>(start + "_truth.npy", split_case.truth.view()).ok() &&
         volume::WriteNpy<uint8_t>(start + "_side.npy", side.view()).ok();
}

Outcome Run(const SplitCase& split_case, const Options& options) {
  Outcome outcome{.id = split_case.id,
                  .group = split_case.group,
                  .seeds = split_case.groups[0].size(),
                  .mask_voxels = split_case.mask_voxels,
                  .region_voxels = split_case.mask.size(),
                  .failure = {}};
  for (int round = 0; round < options.rounds; ++round) {
    int64_t peak_bytes = 0;
    double spent = 0;
    double wall = 0;
    const auto cut = WithPeakMemory(peak_bytes, [&] {
      const double start = ProcessorMilliseconds();
      const auto wall_start = std::chrono::steady_clock::now();
      auto result = CutVoxels(
          {.mask = split_case.mask.view(), .voxel_size_nm = split_case.voxel_size_nm, .groups = split_case.groups});
      spent = ProcessorMilliseconds() - start;
      wall = 1e3 * SecondsSince(wall_start);
      return result;
    });
    outcome.peak_bytes = round == 0 ? peak_bytes : outcome.peak_bytes;
    outcome.milliseconds = round == 0 ? spent : std::min(outcome.milliseconds, spent);
    outcome.wall_milliseconds = round == 0 ? wall : std::min(outcome.wall_milliseconds, wall);
    if (!cut.ok()) {
      outcome.failure = cut.status().ToString();
      outcome.wrong_share = 1;
    }
    const Array3<uint8_t> nothing(cut.ok() ? Extent3{} : split_case.mask.extent());
    const Array3<uint8_t>& side = cut.ok() ? cut->side : nothing;
    outcome.wrong_share = WrongShare(split_case, side);
    if (round == 0 && !options.folder.empty() && !Export(options.folder, split_case, side)) {
      outcome.failure = "cannot be exported to " + options.folder;
    }
    if (!cut.ok()) {
      return outcome;
    }
  }
  return outcome;
}

// The nearest-rank quantile; the median of an even count is the mean of the middle two.
double Quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  const size_t count = values.size();
  if (part == 0.5 && count % 2 == 0) {
    return (values[count / 2 - 1] + values[count / 2]) / 2;
  }
  return values[static_cast<size_t>(std::max(1.0, std::ceil(part * static_cast<double>(count)))) - 1];
}

nlohmann::json Summary(const std::vector<Outcome>& outcomes) {
  std::vector<double> wrong;
  std::vector<double> milliseconds;
  int64_t mask_voxels = 0;
  int64_t region_voxels = 0;
  double total = 0;
  int failures = 0;
  for (const Outcome& outcome : outcomes) {
    wrong.push_back(outcome.wrong_share);
    milliseconds.push_back(outcome.milliseconds);
    mask_voxels += outcome.mask_voxels;
    region_voxels += outcome.region_voxels;
    total += outcome.milliseconds;
    failures += !outcome.failure.empty();
  }
  return {{"cases", outcomes.size()},
          {"failures", failures},
          {"wrong_share_p10", Quantile(wrong, 0.1)},
          {"wrong_share_median", Quantile(wrong, 0.5)},
          {"wrong_share_p90", Quantile(wrong, 0.9)},
          {"wrong_share_worst", Quantile(wrong, 1)},
          {"milliseconds_median", Quantile(milliseconds, 0.5)},
          {"milliseconds_worst", Quantile(milliseconds, 1)},
          {"milliseconds_per_million_mask_voxels", total / static_cast<double>(mask_voxels) * 1e6},
          {"mask_voxels_per_microsecond", static_cast<double>(mask_voxels) / total / 1000},
          {"region_voxels_per_microsecond", static_cast<double>(region_voxels) / total / 1000}};
}

void PrintTable(const std::vector<Outcome>& all, const std::map<std::string, nlohmann::json>& groups) {
  for (const Outcome& outcome : all) {
    std::printf("%-8s %-13s mask %8ld  region %9ld  wrong %6.2f %%  %8.1f ms  %s\n", outcome.id.c_str(),
                outcome.group.c_str(), outcome.mask_voxels, outcome.region_voxels, 100 * outcome.wrong_share,
                outcome.milliseconds, outcome.failure.c_str());
  }
  std::printf("\n%-15s cases fail   wrong %%: p10 median    p90  worst   ms: median  worst  a Mvoxel\n", "");
  for (const auto& [name, s] : groups) {
    std::printf("%-15s %5d %4d %14.2f %6.2f %6.2f %6.2f %12.1f %6.1f %9.1f\n", name.c_str(), s["cases"].get<int>(),
                s["failures"].get<int>(), 100 * s["wrong_share_p10"].get<double>(),
                100 * s["wrong_share_median"].get<double>(), 100 * s["wrong_share_p90"].get<double>(),
                100 * s["wrong_share_worst"].get<double>(), s["milliseconds_median"].get<double>(),
                s["milliseconds_worst"].get<double>(), s["milliseconds_per_million_mask_voxels"].get<double>());
  }
}

void PrintJson(const std::vector<Outcome>& all, const std::map<std::string, nlohmann::json>& groups) {
  nlohmann::json cases = nlohmann::json::array();
  for (const Outcome& outcome : all) {
    cases.push_back({{"id", outcome.id},
                     {"group", outcome.group},
                     {"seeds", outcome.seeds},
                     {"mask_voxels", outcome.mask_voxels},
                     {"region_voxels", outcome.region_voxels},
                     {"wrong_share", outcome.wrong_share},
                     {"milliseconds", outcome.milliseconds},
                     {"wall_milliseconds", outcome.wall_milliseconds},
                     {"peak_bytes", outcome.peak_bytes},
                     {"failure", outcome.failure}});
  }
  std::printf("%s\n", nlohmann::json{{"cases", cases}, {"groups", groups}}.dump(1).c_str());
}

bool ParseOptions(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const bool has_value = i + 1 < argc;
    if (name == "--json") {
      options.json = true;
    } else if (name == "--data" && has_value) {
      options.data = argv[++i];
    } else if (name == "--set" && has_value) {
      options.set = argv[++i];
    } else if (name == "--only" && has_value) {
      options.only = argv[++i];
    } else if (name == "--export" && has_value) {
      options.folder = argv[++i];
      std::filesystem::create_directories(options.folder);
    } else if (name == "--rounds" && has_value) {
      options.rounds = std::max(1, std::atoi(argv[++i]));
    } else {
      return false;
    }
  }
  return options.set == "listed" || options.set == "tune" || options.set == "held" || options.set == "all";
}

template <typename Function>
void ForEachCase(const Options& options, Function function) {
  SplitCaseReader reader(options.data);
  if (options.set == "listed" || options.set == "all") {
    for (const nlohmann::json& description : reader.List()) {
      function(reader.Build(description));
    }
  }
  if (options.set == "listed") {
    return;
  }
  constexpr uint64_t kSeed = 20240611;
  FusedPairs(reader, kSeed).ForEach([&](SplitCase& split_case, bool is_held_out) {
    if (options.set == "all") {
      split_case.group = "made " + split_case.group;
    }
    if (options.set == "all" || is_held_out == (options.set == "held")) {
      function(split_case);
    }
  });
}

int Main(int argc, char** argv) {
  Options options;
  if (!ParseOptions(argc, argv, options)) {
    std::fprintf(
        stderr,
        "usage: %s [--data DIR] [--set listed|tune|held|all] [--only TEXT] [--rounds N] [--export FOLDER] [--json]\n",
        argv[0]);
    return 2;
  }
  if (!HasData(options.data)) {
    std::fprintf(stderr, "no split_cases.json in %s; say where the data is with --data DIR\n", options.data.c_str());
    return 1;
  }
  std::vector<Outcome> all;
  std::map<std::string, std::vector<Outcome>> by_group;
  ForEachCase(options, [&](const SplitCase& split_case) {
    if (split_case.id.find(options.only) != std::string::npos) {
      all.push_back(Run(split_case, options));
      by_group[all.back().group].push_back(all.back());
      by_group[all.back().group + " " + std::to_string(all.back().seeds)].push_back(all.back());
    }
  });
  std::map<std::string, nlohmann::json> groups;
  for (const auto& [name, outcomes] : by_group) {
    groups[name] = Summary(outcomes);
  }
  options.json ? PrintJson(all, groups) : PrintTable(all, groups);
  return 0;
}

}  // namespace
}  // namespace cleave::cut

int main(int argc, char** argv) { return cleave::cut::Main(argc, argv); }
