// A plain model of what ingest makes of labels, for tests: floods and brute force over the whole array, no chunks of
// work, no borders, no layers.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "base/array.h"
#include "graph/edges.h"
#include "graph/ids.h"

namespace cleave::ingest {

// Blobs of a few labels: cells around random centres, some of them background, so that labels meet at chunk faces,
// edges and corners, and some labels have several pieces.
inline Array3<uint64_t> RandomBlobs(std::mt19937_64& random, Extent3 extent) {
  struct Centre {
    VoxelPoint point;
    uint64_t label;
  };
  std::vector<Centre> centres(1 + random() % 40);
  for (Centre& centre : centres) {
    centre.point = {static_cast<int64_t>(random() % static_cast<uint64_t>(extent.x)),
                    static_cast<int64_t>(random() % static_cast<uint64_t>(extent.y)),
                    static_cast<int64_t>(random() % static_cast<uint64_t>(extent.z))};
    centre.label = random() % 4 == 0 ? 0 : (uint64_t{1} << 40) + random() % 20;
  }
  const uint64_t noise_percent = random() % 10;
  Array3<uint64_t> labels(extent);
  for (int64_t i = 0; i < labels.size(); ++i) {
    const VoxelPoint p{i % extent.x, i / extent.x % extent.y, i / (extent.x * extent.y)};
    int64_t best = INT64_MAX;
    for (const Centre& centre : centres) {
      const VoxelPoint d = p - centre.point;
      if (const int64_t distance = d.x * d.x + d.y * d.y + d.z * d.z; distance < best) {
        best = distance;
        labels.data()[i] = centre.label;
      }
    }
    if (random() % 100 < noise_percent) {
      labels.data()[i] = random() % 5;
    }
  }
  return labels;
}

using Ends = std::pair<uint64_t, uint64_t>;  // supervoxel ids, the smaller one first

struct OracleEdge {
  bool cross = false;
  std::array<int64_t, 3> faces = {0, 0, 0};  // by axis
  bool active = false;
};

// The model of `labels` (fused already), whose first voxel is the first of the layout's volume.
class Oracle {
 public:
  Oracle(const graph::IdLayout& layout, const Array3<uint64_t>& labels,
         const std::function<uint64_t(uint64_t)>& object_of)
      : layout_(layout), labels_(labels), ids_(labels.extent()) {
    for (const ChunkPoint chunk : layout.ChunksOverlapping(layout.volume())) {
      NumberChunk(chunk);
    }
    FindEdges(object_of);
    FindObjects();
  }

  // The id of every voxel.
  [[nodiscard]] const Array3<uint64_t>& ids() const { return ids_; }
  [[nodiscard]] const std::set<uint64_t>& supervoxels() const { return supervoxels_; }
  [[nodiscard]] const std::map<Ends, OracleEdge>& edges() const { return edges_; }
  // The sets of supervoxels that active edges hold together.
  [[nodiscard]] const std::set<std::set<uint64_t>>& objects() const { return objects_; }

 private:
  void NumberChunk(ChunkPoint chunk) {
    const Box box = layout_.ChunkBox({graph::kSupervoxelLayer, chunk});
    const Box local{box.lo - layout_.volume().lo, box.hi - layout_.volume().lo};
    uint64_t segment = 0;
    ForVoxels(local, [&](VoxelPoint start) {
      if (labels_[start] == 0 || ids_[start] != 0) {
        return;
      }
      const uint64_t id = Value(layout_.MakeNode({graph::kSupervoxelLayer, chunk}, graph::Segment{++segment}));
      supervoxels_.insert(id);
      ids_[start] = id;
      std::vector<VoxelPoint> open = {start};
      while (!open.empty()) {
        const VoxelPoint p = open.back();
        open.pop_back();
        ForNeighbours(p, [&](VoxelPoint q) {
          if (local.Contains(q) && ids_[q] == 0 && labels_[q] == labels_[start]) {
            ids_[q] = id;
            open.push_back(q);
          }
        });
      }
    });
  }

  void FindEdges(const std::function<uint64_t(uint64_t)>& object_of) {
    const Box all = BoxAt({}, labels_.extent());
    ForVoxels(all, [&](VoxelPoint p) {
      ForNeighbours(p, [&](VoxelPoint q) {
        if (q < p || !all.Contains(q) || ids_[p] == 0 || ids_[q] == 0 || ids_[p] == ids_[q]) {
          return;
        }
        const Ends ends = std::minmax(ids_[p], ids_[q]);
        const VoxelPoint d = q - p;
        if (labels_[p] == labels_[q]) {
          edges_[ends] = {.cross = true, .faces = {}, .active = true};
        } else if (std::abs(d.x) + std::abs(d.y) + std::abs(d.z) == 1) {
          OracleEdge& edge = edges_[ends];
          ++edge.faces[d.x != 0 ? 0 : d.y != 0 ? 1 : 2];
          edge.active = object_of(labels_[p]) == object_of(labels_[q]);
        }
      });
    });
  }

  void FindObjects() {
    std::map<uint64_t, std::vector<uint64_t>> neighbours;
    for (const auto& [ends, edge] : edges_) {
      if (edge.active) {
        neighbours[ends.first].push_back(ends.second);
        neighbours[ends.second].push_back(ends.first);
      }
    }
    std::set<uint64_t> seen;
    for (const uint64_t start : supervoxels_) {
      if (seen.contains(start)) {
        continue;
      }
      std::set<uint64_t> object;
      std::vector<uint64_t> open = {start};
      while (!open.empty()) {
        const uint64_t id = open.back();
        open.pop_back();
        if (object.insert(id).second) {
          seen.insert(id);
          open.insert(open.end(), neighbours[id].begin(), neighbours[id].end());
        }
      }
      objects_.insert(std::move(object));
    }
  }

  template <typename Visit>
  static void ForVoxels(const Box& box, Visit visit) {
    for (int64_t z = box.lo.z; z < box.hi.z; ++z) {
      for (int64_t y = box.lo.y; y < box.hi.y; ++y) {
        for (int64_t x = box.lo.x; x < box.hi.x; ++x) {
          visit({x, y, z});
        }
      }
    }
  }

  template <typename Visit>
  static void ForNeighbours(VoxelPoint p, Visit visit) {
    for (int64_t step = 0; step < 27; ++step) {
      if (step != 13) {
        visit(p + VoxelPoint{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1});
      }
    }
  }

  const graph::IdLayout& layout_;
  const Array3<uint64_t>& labels_;
  Array3<uint64_t> ids_;
  std::set<uint64_t> supervoxels_;
  std::map<Ends, OracleEdge> edges_;
  std::set<std::set<uint64_t>> objects_;
};

}  // namespace cleave::ingest
