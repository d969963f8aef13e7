// Split problems made by rule from the real volumes: pairs of touching bodies taken as one object. Not for product
// code.
//
// 1. Labels that share a face are a pair; its size is the number of faces. Pairs are put into classes of size, each
//    four times the one before (40 faces, 160, 640, 2560 and more), and in each class into the order of a hash, so that
//    contacts of all sizes occur. Classes take turns.
// 2. A face of the pair, by hash, is the middle of the problem. The box around it has an edge, by hash, of 128 or 256
//    voxels (96 or 160 of the isotropic volume), 128 at most along z. The bodies are the 26-connected parts of the two
//    labels in the box that meet at the middle; each must have 2000 voxels.
// 3. Every other problem is a bridge: as in split_cases.json the contact is removed, except within 80, 120 or 200 nm,
// by
//    hash, of the middle.
// 4. One to three seeds a side, by hash: interior voxels (no other body within a voxel) 100 to 700 nm from the contact.
// 5. Even problems are for tuning, odd ones are held out.
//
// Genuine mergers are the supervoxels of the isotropic volume that cover two bodies with at least 300 voxels each, and
// are not in split_cases.json; seeds are interior voxels of the two bodies, one to three a side.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cut/split_cases_testing.h"

namespace cleave::cut {

// A stream of numbers that depends on its seed alone (S. Vigna: splitmix64).
class HashStream {
 public:
  explicit HashStream(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // REQUIRES: bound > 0.
  int64_t Below(int64_t bound) { return static_cast<int64_t>(Next() % static_cast<uint64_t>(bound)); }

 private:
  uint64_t state_;
};

class FusedPairs {
 public:
  struct Source {
    std::string volume;
    VoxelSizeNm voxel_size_nm;
    std::array<int64_t, 2> edges;  // of boxes, in voxels
    int64_t problems;
  };

  FusedPairs(SplitCaseReader& reader, uint64_t seed) : reader_(reader), seed_(seed) {}

  static std::vector<Source> Sources() {
    return {{"pinky40_neuropil_8x8x40_512x512x512_u32", {8, 8, 40}, {128, 256}, 140},
            {"pinky40_soma_8x8x40_512x512x512_u32", {8, 8, 40}, {128, 256}, 60},
            {"fib_medulla_groundtruth_10nm_250x250x250_u32", {10, 10, 10}, {96, 160}, 80}};
  }

  // Calls function(case, is_held_out) for each problem.
  template <typename Function>
  void ForEach(Function function) {
    for (const Source& source : Sources()) {
      ForEachFused(source, function);
    }
    ForEachGenuine(function);
  }

 private:
  using Labels = ArrayView3<const uint32_t>;
  static constexpr int64_t kVoxelsMin = 2000;
  static constexpr int64_t kGenuineVoxelsMin = 300;

  struct Pair {
    uint32_t a;
    uint32_t b;
  };

  static uint64_t KeyOf(uint32_t a, uint32_t b) { return uint64_t{std::min(a, b)} << 32 | std::max(a, b); }

  template <typename Function>
  static void ForEachFace(Labels labels, Function function) {
    const Extent3 extent = labels.extent();
    for (int64_t z = 0; z < extent.z; ++z) {
      for (int64_t y = 0; y < extent.y; ++y) {
        const uint32_t* row = labels.Row(y, z);
        for (int64_t x = 0; x < extent.x; ++x) {
          const uint32_t label = row[x];
          if (x + 1 < extent.x && row[x + 1] != label) {
            function(label, row[x + 1], VoxelPoint{x, y, z}, VoxelPoint{x + 1, y, z});
          }
          if (y + 1 < extent.y && row[x + labels.y_stride()] != label) {
            function(label, row[x + labels.y_stride()], VoxelPoint{x, y, z}, VoxelPoint{x, y + 1, z});
          }
          if (z + 1 < extent.z && row[x + labels.z_stride()] != label) {
            function(label, row[x + labels.z_stride()], VoxelPoint{x, y, z}, VoxelPoint{x, y, z + 1});
          }
        }
      }
    }
  }

  // The pairs in the order in which they are tried.
  std::vector<Pair> Order(Labels labels) const {
    std::unordered_map<uint64_t, int64_t> face_count;
    ForEachFace(labels, [&](uint32_t a, uint32_t b, VoxelPoint, VoxelPoint) {
      if (a != 0 && b != 0) {
        ++face_count[KeyOf(a, b)];
      }
    });
    const std::map<uint64_t, int64_t> faces(face_count.begin(), face_count.end());
    std::array<std::vector<std::pair<uint64_t, Pair>>, 4> classes;
    for (const auto& [key, count] : faces) {
      if (count >= 40) {
        const Pair pair{static_cast<uint32_t>(key >> 32), static_cast<uint32_t>(key)};
        const size_t index = count >= 2560 ? 3 : count >= 640 ? 2 : count >= 160 ? 1 : 0;
        classes[index].push_back({HashOf(pair.a, pair.b).Next(), pair});
      }
    }
    std::vector<Pair> order;
    for (auto& pairs : classes) {
      std::sort(pairs.begin(), pairs.end(), [](const auto& p, const auto& q) { return p.first < q.first; });
    }
    for (size_t i = 0; order.size() < faces.size() && i < faces.size(); ++i) {
      for (const auto& pairs : classes) {
        if (i < pairs.size()) {
          order.push_back(pairs[i].second);
        }
      }
    }
    return order;
  }

  HashStream HashOf(uint64_t a, uint64_t b) const {
    return HashStream(HashStream(HashStream(seed_).Next() ^ a).Next() ^ (b << 20));
  }

  template <typename Function>
  void ForEachFused(const Source& source, Function function) {
    const Labels labels = reader_.Volume(source.volume);
    const std::vector<Pair> order = Order(labels);
    std::unordered_map<uint64_t, std::vector<std::pair<VoxelPoint, VoxelPoint>>> faces;  // of pairs that may be tried
    for (size_t i = 0; i < order.size() && i < 4 * static_cast<size_t>(source.problems); ++i) {
      faces[KeyOf(order[i].a, order[i].b)];
    }
    ForEachFace(labels, [&](uint32_t a, uint32_t b, VoxelPoint p, VoxelPoint q) {
      if (const auto found = faces.find(KeyOf(a, b)); found != faces.end()) {
        found->second.push_back(a < b ? std::pair(p, q) : std::pair(q, p));
      }
    });
    int64_t made = 0;
    for (const Pair& pair : order) {
      if (made == source.problems || !faces.contains(KeyOf(pair.a, pair.b))) {
        break;
      }
      const auto& of_pair = faces[KeyOf(pair.a, pair.b)];
      HashStream hash = HashOf(pair.b, pair.a);
      const auto middle = of_pair[static_cast<size_t>(hash.Below(static_cast<int64_t>(of_pair.size())))];
      std::optional<SplitCase> split_case =
          BuildFused(source, labels, middle.first, middle.second, made / 2 % 2 == 0, hash);
      if (split_case) {
        split_case->id = source.volume.substr(0, source.volume.find('_', 8)) + "-" + std::to_string(made);
        function(*split_case, made % 2 == 1);
        ++made;
      }
    }
  }

  static Array3<uint32_t> Components(const Array3<uint8_t>& mask) {
    Array3<uint32_t> components(mask.extent());
    static_cast<void>(LabelComponents<uint8_t>(mask.view(), components.view()));
    return components;
  }

  std::optional<SplitCase> BuildFused(const Source& source, Labels labels, VoxelPoint in_a, VoxelPoint in_b,
                                      bool is_bridge, HashStream& hash) const {
    const int64_t edge = source.edges[static_cast<size_t>(hash.Below(2))];
    const Extent3 half{edge / 2, edge / 2, std::min<int64_t>(edge, source.voxel_size_nm.z > 20 ? 128 : edge) / 2};
    const Box box = Intersect({in_a - half, in_a + half}, BoxAt({}, labels.extent()));
    SplitCase made;
    made.group = is_bridge ? "bridge" : "whole_contact";
    made.voxel_size_nm = source.voxel_size_nm;
    made.truth = Array3<uint8_t>(box.extent());
    MarkBody(labels.Crop(box), in_a - box.lo + VoxelPoint{}, 1, made.truth);
    MarkBody(labels.Crop(box), in_b - box.lo + VoxelPoint{}, 2, made.truth);
    if (is_bridge) {
      const std::array<double, 3> radii_nm = {80, 120, 200};
      const nlohmann::json bridge = {{"center", {in_a.x, in_a.y, in_a.z}},
                                     {"radius_nm", radii_nm[static_cast<size_t>(hash.Below(3))]}};
      made.mask = made.truth;
      SplitCaseReader::RemoveContact(bridge, box, made);
      made.truth = made.mask;
    }
    made.mask = made.truth;
    KeepPieceOf(in_a - box.lo + VoxelPoint{}, made);
    if (!ChooseSeeds(kVoxelsMin, hash, made)) {
      return std::nullopt;
    }
    return made;
  }

  static void MarkBody(Labels labels, VoxelPoint at, uint8_t body, Array3<uint8_t>& truth) {
    Array3<uint8_t> of_label(labels.extent());
    SplitCaseReader::ForEachVoxel(labels.extent(), [&](VoxelPoint p) { of_label[p] = labels[p] == labels[at]; });
    const Array3<uint32_t> components = Components(of_label);
    for (int64_t i = 0; i < truth.size(); ++i) {
      if (components.data()[i] == components[at]) {
        truth.data()[i] = body;
      }
    }
  }

  // The mask becomes the connected piece of `at`, as 0 and 1; the truth is kept inside it only.
  static void KeepPieceOf(VoxelPoint at, SplitCase& made) {
    for (int64_t i = 0; i < made.mask.size(); ++i) {
      made.mask.data()[i] = made.mask.data()[i] != 0;
    }
    const Array3<uint32_t> components = Components(made.mask);
    for (int64_t i = 0; i < made.mask.size(); ++i) {
      made.mask.data()[i] = components.data()[i] == components[at] && components[at] != 0;
      made.truth.data()[i] = made.mask.data()[i] != 0 ? made.truth.data()[i] : 0;
      made.mask_voxels += made.mask.data()[i];
    }
  }

  static bool IsInterior(const SplitCase& made, VoxelPoint p) {
    for (int64_t step = 0; step < 27; ++step) {
      const VoxelPoint q = p + VoxelPoint{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
      if (!BoxAt({}, made.truth.extent()).Contains(q) || made.truth[q] != made.truth[p]) {
        return false;
      }
    }
    return true;
  }

  // Step 4. False when a body is too small or has too few such voxels.
  static bool ChooseSeeds(int64_t voxels_min, HashStream& hash, SplitCase& made) {
    std::array<std::vector<VoxelPoint>, 3> bodies;
    std::vector<VoxelPoint> contact;
    const Box all = BoxAt({}, made.truth.extent());
    SplitCaseReader::ForEachVoxel(made.truth.extent(), [&](VoxelPoint p) {
      const uint8_t body = made.truth[p];
      bodies[body].push_back(p);
      if (body == 1) {
        for (int64_t step = 0; step < 27; ++step) {
          const VoxelPoint q = p + VoxelPoint{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
          if (all.Contains(q) && made.truth[q] == 2) {
            contact.push_back(p);
            return;
          }
        }
      }
    });
    const int64_t count = 1 + hash.Below(3);
    if (std::min(bodies[1].size(), bodies[2].size()) < static_cast<size_t>(voxels_min) || contact.empty()) {
      return false;
    }
    for (size_t body = 1; body <= 2; ++body) {
      made.groups.emplace_back();
      for (int attempt = 0; attempt < 3000 && std::ssize(made.groups.back()) < count; ++attempt) {
        const VoxelPoint p = bodies[body][static_cast<size_t>(hash.Below(std::ssize(bodies[body])))];
        const double nm = DistanceNm(contact, p, made.voxel_size_nm);
        if (nm >= 100 && nm <= 700 && IsInterior(made, p)) {
          made.groups.back().push_back(p);
        }
      }
      if (std::ssize(made.groups.back()) < count) {
        return false;
      }
    }
    return true;
  }

  static double DistanceNm(const std::vector<VoxelPoint>& points, VoxelPoint from, VoxelSizeNm nm) {
    double least = 1e18;
    for (const VoxelPoint p : points) {
      const double x = static_cast<double>(p.x - from.x) * nm.x;
      const double y = static_cast<double>(p.y - from.y) * nm.y;
      const double z = static_cast<double>(p.z - from.z) * nm.z;
      least = std::min(least, x * x + y * y + z * z);
    }
    return std::sqrt(least);
  }

  template <typename Function>
  void ForEachGenuine(Function function) {
    const Labels supervoxels = reader_.Volume("fib_medulla_supervoxels_10nm_250x250x250_u32");
    const Labels bodies = reader_.Volume("fib_medulla_groundtruth_10nm_250x250x250_u32");
    std::set<uint32_t> listed;
    for (const nlohmann::json& description : reader_.List()) {
      if (description.contains("label")) {
        listed.insert(description["label"].get<uint32_t>());
      }
    }
    std::map<uint32_t, std::map<uint32_t, int64_t>> covered;
    std::map<uint32_t, Box> boxes;
    ForEachRun(supervoxels, bodies, [&](uint32_t label, uint32_t body, const Box& run) {
      covered[label][body] += run.extent().x;
      const auto [place, is_new] = boxes.try_emplace(label, run);
      place->second = Envelope(place->second, run);
    });
    int64_t made_count = 0;
    for (const auto& [label, of_label] : covered) {
      std::vector<std::pair<int64_t, uint32_t>> by_size;
      for (const auto& [body, count] : of_label) {
        if (body != 0) {
          by_size.push_back({-count, body});
        }
      }
      std::sort(by_size.begin(), by_size.end());
      if (listed.contains(label) || label == 0 || by_size.size() < 2 || -by_size[1].first < kGenuineVoxelsMin) {
        continue;
      }
      SplitCase made;
      made.id = "genuine-" + std::to_string(label);
      made.group = "genuine";
      made.voxel_size_nm = {10, 10, 10};
      const Box box = boxes[label];
      made.mask = Array3<uint8_t>(box.extent());
      made.truth = Array3<uint8_t>(box.extent());
      SplitCaseReader::ForEachVoxel(box.extent(), [&](VoxelPoint p) {
        const VoxelPoint at = p + (box.lo - VoxelPoint{});
        const uint32_t body = bodies[at];
        made.mask[p] = supervoxels[at] == label;
        made.truth[p] = made.mask[p] == 0 ? 0 : body == by_size[0].second ? 1 : body == by_size[1].second ? 2 : 0;
      });
      if (BuildGenuine(label, made)) {
        function(made, made_count % 2 == 1);
        ++made_count;
      }
    }
  }

  // Calls function(label, body, box) for every run along x of one label and one body.
  template <typename Function>
  static void ForEachRun(Labels labels, Labels bodies, Function function) {
    const Extent3 extent = labels.extent();
    for (int64_t z = 0; z < extent.z; ++z) {
      for (int64_t y = 0; y < extent.y; ++y) {
        const uint32_t* label = labels.Row(y, z);
        const uint32_t* body = bodies.Row(y, z);
        int64_t begin = 0;
        for (int64_t x = 1; x <= extent.x; ++x) {
          if (x == extent.x || label[x] != label[begin] || body[x] != body[begin]) {
            function(label[begin], body[begin], BoxAt({begin, y, z}, {x - begin, 1, 1}));
            begin = x;
          }
        }
      }
    }
  }

  // One to three interior voxels of each body, by hash.
  bool BuildGenuine(uint32_t label, SplitCase& made) {
    HashStream hash = HashOf(label, 0);
    std::array<std::vector<VoxelPoint>, 3> inside;
    SplitCaseReader::ForEachVoxel(made.truth.extent(), [&](VoxelPoint p) {
      made.mask_voxels += made.mask[p];
      if (made.truth[p] != 0 && IsInterior(made, p)) {
        inside[made.truth[p]].push_back(p);
      }
    });
    const int64_t count = 1 + hash.Below(3);
    const Array3<uint32_t> components = Components(made.mask);
    for (size_t body = 1; body <= 2; ++body) {
      if (inside[body].empty()) {
        return false;
      }
      made.groups.emplace_back();
      for (int64_t i = 0; i < count; ++i) {
        made.groups.back().push_back(inside[body][static_cast<size_t>(hash.Below(std::ssize(inside[body])))]);
        if (components[made.groups.back().back()] != components[made.groups.front().front()]) {
          return false;
        }
      }
    }
    SplitCaseReader::KeepScoreOfSeededComponent(made);
    return true;
  }

  SplitCaseReader& reader_;
  uint64_t seed_;
};

}  // namespace cleave::cut
