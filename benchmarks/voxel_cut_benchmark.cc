// Measures the voxel cut on seeded split problems: quality (the share of voxels on the wrong side) and time.
//
//   voxel_cut_benchmark [--data DIR] [--only TEXT] [--rounds N] [--json]
//
// Prints one line a case, then one a group of cases with median, 90th percentile and worst. Times are the best of N
// rounds (default 1) of CutVoxels alone, processor time of its one thread. Without --data the data set is looked for in
// $CLEAVE_DATA and then in
// ../shared/data beside the working folder's source tree.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

#include "cut/split_cases_testing.h"
#include "cut/voxel_cut.h"

namespace cleave::cut {
namespace {

struct Options {
  std::string data = DataFolder(".");
  std::string only;
  int rounds = 1;
  bool json = false;
};

struct Outcome {
  std::string id;
  std::string group;
  int64_t mask_voxels = 0;
  int64_t region_voxels = 0;
  double wrong_share = 0;
  double milliseconds = 0;
  std::string failure;
};

// Processor time of this thread: the cut runs on one thread, and other programs' load does not count.
double ThreadMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

Outcome Run(const SplitCase& split_case, int rounds) {
  Outcome outcome{.id = split_case.id,
                  .group = split_case.group,
                  .mask_voxels = split_case.mask_voxels,
                  .region_voxels = split_case.mask.size(),
                  .failure = {}};
  for (int round = 0; round < rounds; ++round) {
    const double start = ThreadMilliseconds();
    const auto cut = CutVoxels(
        {.mask = split_case.mask.view(), .voxel_size_nm = split_case.voxel_size_nm, .groups = split_case.groups});
    const double spent = ThreadMilliseconds() - start;
    outcome.milliseconds = round == 0 ? spent : std::min(outcome.milliseconds, spent);
    if (!cut.ok()) {
      outcome.failure = cut.status().ToString();
      outcome.wrong_share = 1;
      return outcome;
    }
    outcome.wrong_share = WrongShare(split_case, cut->side);
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
          {"wrong_share_median", Quantile(wrong, 0.5)},
          {"wrong_share_p90", Quantile(wrong, 0.9)},
          {"wrong_share_worst", Quantile(wrong, 1)},
          {"milliseconds_median", Quantile(milliseconds, 0.5)},
          {"milliseconds_worst", Quantile(milliseconds, 1)},
          {"mask_voxels_per_microsecond", static_cast<double>(mask_voxels) / total / 1000},
          {"region_voxels_per_microsecond", static_cast<double>(region_voxels) / total / 1000}};
}

void PrintTable(const std::vector<Outcome>& all, const std::map<std::string, nlohmann::json>& groups) {
  for (const Outcome& outcome : all) {
    std::printf("%-8s %-13s mask %8ld  region %9ld  wrong %6.2f %%  %8.1f ms  %s\n", outcome.id.c_str(),
                outcome.group.c_str(), outcome.mask_voxels, outcome.region_voxels, 100 * outcome.wrong_share,
                outcome.milliseconds, outcome.failure.c_str());
  }
  std::printf("\n%-13s cases fail   wrong %%: median    p90  worst   ms: median  worst   Mvoxel/s: mask region\n", "");
  for (const auto& [name, s] : groups) {
    std::printf("%-13s %5d %4d %17.2f %6.2f %6.2f %12.1f %6.1f %16.1f %6.0f\n", name.c_str(), s["cases"].get<int>(),
                s["failures"].get<int>(), 100 * s["wrong_share_median"].get<double>(),
                100 * s["wrong_share_p90"].get<double>(), 100 * s["wrong_share_worst"].get<double>(),
                s["milliseconds_median"].get<double>(), s["milliseconds_worst"].get<double>(),
                s["mask_voxels_per_microsecond"].get<double>(), s["region_voxels_per_microsecond"].get<double>());
  }
}

void PrintJson(const std::vector<Outcome>& all, const std::map<std::string, nlohmann::json>& groups) {
  nlohmann::json cases = nlohmann::json::array();
  for (const Outcome& outcome : all) {
    cases.push_back({{"id", outcome.id},
                     {"group", outcome.group},
                     {"mask_voxels", outcome.mask_voxels},
                     {"region_voxels", outcome.region_voxels},
                     {"wrong_share", outcome.wrong_share},
                     {"milliseconds", outcome.milliseconds},
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
    } else if (name == "--only" && has_value) {
      options.only = argv[++i];
    } else if (name == "--rounds" && has_value) {
      options.rounds = std::max(1, std::atoi(argv[++i]));
    } else {
      return false;
    }
  }
  return true;
}

int Main(int argc, char** argv) {
  Options options;
  if (!ParseOptions(argc, argv, options)) {
    std::fprintf(stderr, "usage: %s [--data DIR] [--only TEXT] [--rounds N] [--json]\n", argv[0]);
    return 2;
  }
  if (!HasData(options.data)) {
    std::fprintf(stderr, "no split_cases.json in %s; say where the data is with --data DIR\n", options.data.c_str());
    return 1;
  }
  SplitCaseReader reader(options.data);
  std::vector<Outcome> all;
  std::map<std::string, std::vector<Outcome>> by_group;
  for (const nlohmann::json& description : reader.List()) {
    if (description["id"].get<std::string>().find(options.only) != std::string::npos) {
      all.push_back(Run(reader.Build(description), options.rounds));
      by_group[all.back().group].push_back(all.back());
    }
  }
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
