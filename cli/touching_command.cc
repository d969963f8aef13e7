#include <algorithm>

#include "CLI/CLI.hpp"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "ingest/contact_seeds.h"
#include "ingest/fuse.h"
#include "volume/label_source.h"

namespace cleave::cli {
namespace {

using ingest::ContactSeeds;
using ingest::TouchingPair;
using VoxelCounts = absl::flat_hash_map<uint64_t, int64_t>;

VoxelCounts CountVoxels(const Array3<uint64_t>& labels) {
  VoxelCounts counts;
  for (int64_t begin = 0; begin < labels.size();) {
    int64_t end = begin + 1;
    while (end < labels.size() && labels.data()[end] == labels.data()[begin]) {
      ++end;
    }
    counts[labels.data()[begin]] += end - begin;
    begin = end;
  }
  return counts;
}

// A pair, and where to split it if it were fused.
struct Suggestion {
  TouchingPair pair;
  std::optional<ContactSeeds> seeds;
};

class TouchingCommand final : public Command {
 public:
  CommandText text() const override {
    return {"touching", "Try", "List labels that touch, to choose what to fuse, and where to split it again",
            "cleave touching labels.npy.zst --resolution 8,8,40 --top 10\n"
            "cleave touching labels.npy.zst --resolution 8,8,40 --area-max 0.5 --depth-min 150 --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("SEGMENTATION", source_, "PATH.npy, PATH.npy.zst or the URL of a precomputed volume")->required();
    app.add_option("--resolution", resolution_, "The size of a voxel in nm; default: what the volume says")
        ->type_name("X,Y,Z");
    app.add_option("--box", box_, "Only these voxels")->type_name("X0,Y0,Z0,X1,Y1,Z1");
    app.add_option("--top", top_, "How many pairs to list, largest contact first")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--area-min", area_min_um2_, "Only contacts of at least this area, in square micrometres")
        ->capture_default_str();
    app.add_option("--area-max", area_max_um2_, "Only contacts of at most this area");
    app.add_option("--voxels-min", voxels_min_, "Only labels of at least this many voxels")->capture_default_str();
    app.add_option("--voxels-max", voxels_max_, "Only labels of at most this many voxels");
    app.add_option("--depth-min", depth_min_nm_,
                   "Only pairs whose seeds are at least this deep inside their labels, in nm")
        ->capture_default_str();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const auto source, volume::OpenLabelSource(source_));
    CLEAVE_ASSIGN_OR_RETURN(const VoxelSizeNm size, VoxelSize(*source));
    Box box = source->bounds();
    if (!box_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(box, Named("--box", ParseBox(box_)));
    }
    console.progress().Begin("reading labels", Count(box.extent()), "voxels");
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, source->ReadBox(box));
    console.progress().Advance(Count(box.extent()));
    console.progress().End();
    const VoxelCounts voxels = CountVoxels(labels);
    const std::vector<TouchingPair> pairs = Choose(ingest::TouchingPairs(labels.view(), size), voxels);
    Show(console, voxels, KeepDeep(pairs, Seeds(labels, pairs, size, box.lo)));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<VoxelSizeNm> VoxelSize(const volume::LabelSource& source) const {
    if (!resolution_.empty()) {
      return Named("--resolution", ParseVoxelSize(resolution_));
    }
    if (!source.voxel_size_nm().has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat(source.Describe(), " does not say how large a voxel is; give --resolution X,Y,Z in nm"));
    }
    return *source.voxel_size_nm();
  }

  // Candidates: with a demand on the seeds, which are found later, more than will be listed.
  std::vector<TouchingPair> Choose(const std::vector<TouchingPair>& all, const VoxelCounts& voxels) const {
    const auto fits = [&](uint64_t label) {
      const int64_t count = voxels.at(label);
      return count >= voxels_min_ && count <= voxels_max_;
    };
    constexpr int64_t kCandidatesPerPair = 20;
    const int64_t count_max = depth_min_nm_ > 0 ? top_ * kCandidatesPerPair : top_;
    std::vector<TouchingPair> chosen;
    for (const TouchingPair& pair : all) {
      if (static_cast<int64_t>(chosen.size()) < count_max && pair.area_um2 >= area_min_um2_ &&
          pair.area_um2 <= area_max_um2_ && fits(pair.a) && fits(pair.b)) {
        chosen.push_back(pair);
      }
    }
    return chosen;
  }

  static std::vector<std::optional<ContactSeeds>> Seeds(const Array3<uint64_t>& labels,
                                                        const std::vector<TouchingPair>& pairs, const VoxelSizeNm& size,
                                                        VoxelPoint offset) {
    std::vector<ingest::FusePair> wanted;
    for (const TouchingPair& pair : pairs) {
      wanted.push_back({pair.a, pair.b});
    }
    std::vector<std::optional<ContactSeeds>> seeds = ingest::SuggestSeeds(labels.view(), wanted, size);
    for (std::optional<ContactSeeds>& one : seeds) {
      if (one.has_value()) {
        one->source = one->source + offset;
        one->sink = one->sink + offset;
        one->middle = one->middle + offset;
      }
    }
    return seeds;
  }

  std::vector<Suggestion> KeepDeep(const std::vector<TouchingPair>& pairs,
                                   const std::vector<std::optional<ContactSeeds>>& seeds) const {
    std::vector<Suggestion> kept;
    for (size_t i = 0; i < pairs.size() && static_cast<int64_t>(kept.size()) < top_; ++i) {
      const double depth_nm = seeds[i].has_value() ? std::min(seeds[i]->source_depth_nm, seeds[i]->sink_depth_nm) : 0;
      if (depth_nm >= depth_min_nm_) {
        kept.push_back({pairs[i], seeds[i]});
      }
    }
    return kept;
  }

  static void Show(Console& console, const VoxelCounts& voxels, const std::vector<Suggestion>& suggestions) {
    Json json = {{"pairs", Json::array()}};
    std::string text = absl::StrFormat("%12s %12s %12s %12s %10s  %-14s %-14s\n", "label", "voxels", "label", "voxels",
                                       "um2", "source", "sink");
    for (const auto& [pair, seeds] : suggestions) {
      Json entry = {{"labels", {absl::StrCat(pair.a), absl::StrCat(pair.b)}},
                    {"voxels", {voxels.at(pair.a), voxels.at(pair.b)}},
                    {"area_um2", pair.area_um2},
                    {"faces", pair.face_count},
                    {"source", nullptr},
                    {"sink", nullptr},
                    {"middle", nullptr},
                    {"depths_nm", nullptr}};
      std::string points = "no seeds: they touch along z only";
      if (seeds.has_value()) {
        entry["source"] = ToJson(seeds->source);
        entry["sink"] = ToJson(seeds->sink);
        entry["middle"] = ToJson(seeds->middle);
        entry["depths_nm"] = {seeds->source_depth_nm, seeds->sink_depth_nm};
        points = absl::StrFormat("%-14s %s", ToString(seeds->source), ToString(seeds->sink));
      }
      json["pairs"].push_back(entry);
      absl::StrAppendFormat(&text, "%12d %12s %12d %12s %10.3f  %s\n", pair.a, CountText(voxels.at(pair.a)), pair.b,
                            CountText(voxels.at(pair.b)), pair.area_um2, points);
    }
    console.Show(json, suggestions.empty() ? "no such pairs\n" : text);
  }

  std::string source_;
  std::string resolution_;
  std::string box_;
  int64_t top_ = 10;
  double area_min_um2_ = 0;
  double area_max_um2_ = 1e9;
  int64_t voxels_min_ = 0;
  int64_t voxels_max_ = int64_t{1} << 60;
  double depth_min_nm_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeTouchingCommand() { return std::make_unique<TouchingCommand>(); }

}  // namespace cleave::cli
