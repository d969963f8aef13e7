// The seeded split problems of the data set, built as its description says. Not for product code.
//
// A problem is the mask of an object that is really two bodies, points on each, and the truth: which body a voxel is.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

#include "base/array.h"
#include "base/geometry.h"
#include "cut/components.h"
#include "cut/npy_testing.h"
#include "cut/voxel_cut.h"

namespace cleave::cut {

struct SplitCase {
  std::string id;
  std::string group;  // "bridge", "whole_contact" or "genuine"
  VoxelSizeNm voxel_size_nm;
  Array3<uint8_t> mask;
  Array3<uint8_t> truth;                        // 1 or 2: the body; 0: not scored
  std::vector<std::vector<VoxelPoint>> groups;  // indices into the mask
  int64_t mask_voxels = 0;
};

// Reads volumes once and builds cases from them.
class SplitCaseReader {
 public:
  explicit SplitCaseReader(std::string folder) : folder_(std::move(folder)) {}

  // The descriptions of all cases.
  std::vector<nlohmann::json> List() const {
    std::ifstream stream(folder_ + "/split_cases.json");
    const nlohmann::json all = nlohmann::json::parse(stream);
    std::vector<nlohmann::json> cases(all["synthetic_merges"].begin(), all["synthetic_merges"].end());
    cases.insert(cases.end(), all["real_merges"].begin(), all["real_merges"].end());
    return cases;
  }

  SplitCase Build(const nlohmann::json& description) {
    SplitCase result;
    result.id = description["id"];
    const auto nm = description["voxel_nm"].get<std::vector<double>>();
    result.voxel_size_nm = {nm[0], nm[1], nm[2]};
    const auto b = description["bbox"].get<std::vector<int64_t>>();
    const Box box{{b[0], b[1], b[2]}, {b[3], b[4], b[5]}};
    for (const char* name : {"seeds_a", "seeds_b"}) {
      result.groups.emplace_back();
      for (const auto& seed : description[name].get<std::vector<std::vector<int64_t>>>()) {
        result.groups.back().push_back(VoxelPoint{seed[0], seed[1], seed[2]} - box.lo + VoxelPoint{});
      }
    }
    const ArrayView3<const uint32_t> voxels = Volume(description["volume"]).Crop(box);
    result.mask = Array3<uint8_t>(box.extent());
    result.truth = Array3<uint8_t>(box.extent());
    if (description.contains("label")) {
      BuildGenuine(description, voxels, Volume(description["groundtruth"]).Crop(box), result);
    } else {
      BuildMerge(description, voxels, box, result);
    }
    KeepScoreOfSeededComponent(result);
    return result;
  }

  // A whole volume, read once.
  ArrayView3<const uint32_t> Volume(const std::string& name) {
    std::vector<uint32_t>& elements = volumes_[name];
    const int64_t edge = name.find("250x250x250") != std::string::npos ? 250 : 512;
    if (elements.empty()) {
      elements = ReadNpyZst<uint32_t>(folder_ + "/" + name + ".npy.zst");
    }
    return {elements.data(), Extent3{edge, edge, edge}};
  }

  template <typename Function>
  static void ForEachVoxel(Extent3 extent, Function function) {
    for (int64_t z = 0; z < extent.z; ++z) {
      for (int64_t y = 0; y < extent.y; ++y) {
        for (int64_t x = 0; x < extent.x; ++x) {
          function(VoxelPoint{x, y, z});
        }
      }
    }
  }

  // Keeps the contact of the two bodies only near the bridge's centre.
  static void RemoveContact(const nlohmann::json& bridge, const Box& box, SplitCase& result) {
    const auto c = bridge["center"].get<std::vector<double>>();
    const double radius_nm = bridge["radius_nm"];
    const Box all = BoxAt({}, box.extent());
    ForEachVoxel(box.extent(), [&](VoxelPoint p) {
      const uint8_t body = result.truth[p];
      if (body == 0) {
        return;
      }
      bool touches = false;
      for (int64_t step = 0; step < 27 && !touches; ++step) {
        const VoxelPoint q = p + VoxelPoint{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
        touches = all.Contains(q) && result.truth[q] + body == 3;
      }
      const double dx = (static_cast<double>(p.x + box.lo.x) - c[0]) * result.voxel_size_nm.x;
      const double dy = (static_cast<double>(p.y + box.lo.y) - c[1]) * result.voxel_size_nm.y;
      const double dz = (static_cast<double>(p.z + box.lo.z) - c[2]) * result.voxel_size_nm.z;
      if (touches && dx * dx + dy * dy + dz * dz > radius_nm * radius_nm) {
        result.mask[p] = 0;
      }
    });
  }

  static void KeepScoreOfSeededComponent(SplitCase& result) {
    Array3<uint32_t> components(result.mask.extent());
    static_cast<void>(LabelComponents<uint8_t>(result.mask.view(), components.view()));
    const uint32_t seeded = components[result.groups[0][0]];
    for (int64_t i = 0; i < result.mask.size(); ++i) {
      result.mask_voxels += result.mask.data()[i] != 0;
      if (components.data()[i] != seeded) {
        result.truth.data()[i] = 0;
      }
    }
  }

 private:
  static void BuildGenuine(const nlohmann::json& description, ArrayView3<const uint32_t> voxels,
                           ArrayView3<const uint32_t> bodies, SplitCase& result) {
    result.group = "genuine";
    const uint32_t label = description["label"];
    const uint32_t a = description["gt"][0];
    const uint32_t b = description["gt"][1];
    ForEachVoxel(voxels.extent(), [&](VoxelPoint p) {
      if (voxels[p] == label) {
        result.mask[p] = 1;
        result.truth[p] = bodies[p] == a ? 1 : bodies[p] == b ? 2 : 0;
      }
    });
  }

  static void BuildMerge(const nlohmann::json& description, ArrayView3<const uint32_t> voxels, const Box& box,
                         SplitCase& result) {
    const uint32_t a = description["merge"][0];
    const uint32_t b = description["merge"][1];
    ForEachVoxel(voxels.extent(), [&](VoxelPoint p) { result.truth[p] = voxels[p] == a ? 1 : voxels[p] == b ? 2 : 0; });
    result.group = "whole_contact";
    std::copy(result.truth.data(), result.truth.data() + result.truth.size(), result.mask.data());
    if (!description["bridge"].is_null()) {
      result.group = "bridge";
      RemoveContact(description["bridge"], box, result);
    }
    for (int64_t i = 0; i < result.mask.size(); ++i) {
      result.mask.data()[i] = result.mask.data()[i] != 0;
      result.truth.data()[i] = result.mask.data()[i] != 0 ? result.truth.data()[i] : 0;
    }
  }

  std::string folder_;
  std::map<std::string, std::vector<uint32_t>> volumes_;
};

// The share of the scored voxels that lie on the wrong side, 0 to 1.
inline double WrongShare(const SplitCase& split_case, const Array3<uint8_t>& side) {
  int64_t scored = 0;
  int64_t wrong = 0;
  for (int64_t i = 0; i < side.size(); ++i) {
    scored += split_case.truth.data()[i] != 0;
    wrong += split_case.truth.data()[i] != 0 && split_case.truth.data()[i] != side.data()[i];
  }
  return scored > 0 ? static_cast<double>(wrong) / static_cast<double>(scored) : 0;
}

}  // namespace cleave::cut
