// The plain model that random edits are held against: a list of supervoxels, a list of edges with a flag, and flood
// fill. A merge, or a split by graph, sets flags as reported; after a voxel cut the model routes edges by looking at
// every pair of neighbouring voxels. Not for product code.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "edit/edit_testing.h"
#include "graph/edges.h"

namespace cleave::edit {

inline constexpr VoxelSizeNm kModelVoxelSize{8, 8, 40};

using Pair = std::pair<uint64_t, uint64_t>;
inline Pair Sorted(uint64_t a, uint64_t b) { return {std::min(a, b), std::max(a, b)}; }
inline Pair Sorted(graph::EdgeEnds ends) { return Sorted(Value(ends.node1), Value(ends.node2)); }

// Which supervoxels lie together: each one's partition is named by its smallest member.
using Partition = std::map<uint64_t, uint64_t>;

inline Partition PartitionOf(const std::map<uint64_t, uint64_t>& root_of) {
  std::map<uint64_t, uint64_t> smallest;
  for (const auto& [id, root] : root_of) {
    smallest.try_emplace(root, id);
  }
  Partition partition;
  for (const auto& [id, root] : root_of) {
    partition[id] = smallest[root];
  }
  return partition;
}

// Pairs of different labels that touch: by faces, and by faces, edges or corners.
struct Touching {
  std::map<Pair, int64_t> faces;
  std::set<Pair> near;
};

inline Touching FindTouching(const Array3<uint64_t>& labels) {
  Touching touching;
  const Box all{{}, VoxelPoint{} + labels.extent()};
  for (int64_t z = 0; z < all.hi.z; ++z) {
    for (int64_t y = 0; y < all.hi.y; ++y) {
      for (int64_t x = 0; x < all.hi.x; ++x) {
        for (int step = 14; step < 27; ++step) {  // half of the 26 neighbours
          const VoxelPoint d{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
          const VoxelPoint q = VoxelPoint{x, y, z} + d;
          if (!all.Contains(q)) {
            continue;
          }
          const uint64_t a = labels[{x, y, z}];
          const uint64_t b = labels[q];
          if (a != 0 && b != 0 && a != b) {
            touching.near.insert(Sorted(a, b));
            touching.faces[Sorted(a, b)] += std::abs(d.x) + std::abs(d.y) + std::abs(d.z) == 1 ? 1 : 0;
          }
        }
      }
    }
  }
  return touching;
}

class PlainModel {
 public:
  explicit PlainModel(graph::Dataset& dataset) : layout_(dataset.layout()), labels_(ExportSupervoxels(dataset)) {
    for (const ChunkPoint chunk : layout_.ChunksOverlapping(layout_.volume())) {
      const absl::StatusOr<graph::ChunkEdges> edges = dataset.edges().Read(chunk);
      EXPECT_TRUE(edges.ok()) << edges.status();
      for (const auto* list : {&edges->in, &edges->between, &edges->cross}) {
        for (const graph::Edge& edge : *list) {
          edges_[Sorted(Value(edge.node1), Value(edge.node2))] = {std::isinf(edge.affinity), std::isinf(edge.affinity)};
        }
      }
    }
    NoteInfinite();
  }

  const Array3<uint64_t>& labels() const { return labels_; }

  void Merge(const EditReport& report) {
    for (const graph::EdgeEnds& ends : report.added_edges) {
      edges_[Sorted(ends)].active = true;
    }
    Settle();
  }

  // Edges that are given; inside a chunk, one that others lead around stays active.
  void Part(const EditReport& report) {
    for (const graph::EdgeEnds& ends : report.removed_edges) {
      ASSERT_TRUE(edges_.contains(Sorted(ends))) << Value(ends.node1) << "-" << Value(ends.node2);
      edges_[Sorted(ends)].active = false;
    }
    Settle();
  }

  // Up to `count` active, finite edges of one object, the first at random.
  std::vector<graph::EdgeEnds> SomeActiveEdges(std::mt19937_64& random, size_t count) const {
    std::vector<graph::EdgeEnds> active;
    for (const auto& [ends, edge] : edges_) {
      if (edge.active && !edge.infinite) {
        active.push_back({graph::NodeId{ends.first}, graph::NodeId{ends.second}});
      }
    }
    std::ranges::shuffle(active, random);
    const Partition objects = Objects();
    const uint64_t object = active.empty() ? 0 : objects.at(Value(active.front().node1));
    std::erase_if(active, [&](const graph::EdgeEnds& edge) { return objects.at(Value(edge.node1)) != object; });
    active.resize(std::min(count, active.size()));
    return active;
  }

  // `labels`: the voxels afterwards. `together`: whether the system holds two supervoxels together, asked only where a
  // piece that kept its id touches a fragment by an edge or a corner, since its side is not reported.
  template <typename Together>
  void Split(const EditReport& report, const Array3<uint64_t>& labels, Together together) {
    if (!report.fragments.empty()) {
      labels_ = labels;
      Route(report, together);
    }
    for (const graph::EdgeEnds& ends : report.removed_edges) {
      ASSERT_TRUE(edges_.contains(Sorted(ends))) << Value(ends.node1) << "-" << Value(ends.node2);
      edges_[Sorted(ends)].active = false;
    }
    Settle();
    for (const graph::EdgeEnds& ends : report.removed_edges) {
      EXPECT_FALSE(edges_[Sorted(ends)].active) << "a removed edge still joins one L2 node";
    }
  }

  // An undo with voxels: fragments are one again, with the edges of all of them, and those edges of old that hold what
  // a chunk border divides. `labels`: the voxels afterwards.
  void Restore(const EditReport& report, const Array3<uint64_t>& labels) {
    std::map<uint64_t, uint64_t> former_of;
    for (const Restored& restored : report.restored) {
      former_of[Value(restored.fragment)] = Value(restored.supervoxel);
    }
    const auto renamed = [&](uint64_t id) { return former_of.contains(id) ? former_of[id] : id; };
    std::map<Pair, ModelEdge> edges;
    const auto add = [&](const Pair& pair, const ModelEdge& edge) {
      if (const Pair now = Sorted(renamed(pair.first), renamed(pair.second)); now.first != now.second) {
        edges[now].active |= edge.active;
        edges[now].infinite |= edge.infinite;
      }
    };
    for (const auto& [pair, edge] : edges_) {
      add(pair, edge);
    }
    for (const graph::EdgeEnds& ends : report.added_edges) {
      add(Sorted(ends), {false, true});
    }
    labels_ = labels;
    const std::set<uint64_t> present(labels_.data(), labels_.data() + labels_.size());
    std::set<uint64_t> restored;
    for (const auto& [fragment, former] : former_of) {
      restored.insert(former);
    }
    for (const Pair& pair : infinite_) {
      if ((restored.contains(pair.first) || restored.contains(pair.second)) && present.contains(pair.first) &&
          present.contains(pair.second)) {
        edges[pair] = {true, true};
      }
    }
    edges_ = std::move(edges);
    Settle();
  }

  // The edges that are active here and not in the system, or the other way round; empty when there are none.
  std::string Differences(graph::Dataset& dataset) const {
    std::string text;
    const graph::GraphView view = dataset.Now();
    for (const auto& [ends, edge] : edges_) {
      const graph::EdgeEnds own{graph::NodeId{ends.first}, graph::NodeId{ends.second}};
      const std::vector<graph::NodeId> l2_nodes = view.Parents(std::vector{own.node1, own.node2}).value();
      bool active = l2_nodes[0] == l2_nodes[1];
      if (!InsideOneChunk(ends)) {
        const int layer = layout_.EdgeLayer(own.node1, own.node2);
        const std::vector<std::vector<graph::EdgeEnds>> listed = view.CrossEdgesOf(l2_nodes, layer).value();
        active = std::ranges::count(listed[0], own) > 0;
        if (active != (std::ranges::count(listed[1], own.Reversed()) > 0)) {
          absl::StrAppend(&text, ends.first, "-", ends.second, " is listed by one end only\n");
        }
      }
      if (active != edge.active) {
        absl::StrAppend(&text, edge.infinite ? "infinite " : "", ends.first, "-", ends.second, " is active in the ",
                        active ? "system" : "model", " only\n");
      }
    }
    return text;
  }

  Partition Objects() const {
    std::map<uint64_t, uint64_t> object;
    std::map<uint64_t, std::vector<uint64_t>> neighbours;
    for (const auto& [ends, edge] : edges_) {
      if (edge.active) {
        neighbours[ends.first].push_back(ends.second);
        neighbours[ends.second].push_back(ends.first);
      }
    }
    const std::set<uint64_t> ids(labels_.data(), labels_.data() + labels_.size());
    for (const uint64_t id : ids) {
      if (id != 0 && !object.contains(id)) {
        Flood(id, neighbours, object);
      }
    }
    return object;
  }

 private:
  struct ModelEdge {
    bool infinite = false;
    bool active = false;
  };

  static void Flood(uint64_t start, const std::map<uint64_t, std::vector<uint64_t>>& neighbours,
                    std::map<uint64_t, uint64_t>& object) {
    std::vector<uint64_t> open = {start};
    object[start] = start;
    while (!open.empty()) {
      const uint64_t id = open.back();
      open.pop_back();
      if (const auto found = neighbours.find(id); found != neighbours.end()) {
        for (const uint64_t neighbour : found->second) {
          if (object.try_emplace(neighbour, start).second) {
            open.push_back(neighbour);
          }
        }
      }
    }
  }

  bool InsideOneChunk(const Pair& ends) const {
    return layout_.EdgeLayer(graph::NodeId{ends.first}, graph::NodeId{ends.second}) == graph::kSupervoxelLayer;
  }

  // An edge inside a chunk is active exactly when its ends share an L2 node.
  void Settle() {
    std::map<uint64_t, std::vector<uint64_t>> neighbours;
    for (const auto& [ends, edge] : edges_) {
      if (edge.active && InsideOneChunk(ends)) {
        neighbours[ends.first].push_back(ends.second);
        neighbours[ends.second].push_back(ends.first);
      }
    }
    std::map<uint64_t, uint64_t> l2;
    for (auto& [ends, edge] : edges_) {
      if (InsideOneChunk(ends)) {
        for (const uint64_t id : {ends.first, ends.second}) {
          if (!l2.contains(id)) {
            Flood(id, neighbours, l2);
          }
        }
        edge.active = l2[ends.first] == l2[ends.second];
      }
    }
  }

  // A user's edge between objects that do not touch goes to the one pair whose boxes are nearest. Of pairs that are
  // equally near, it is the one that the system still holds together, or that the cut which followed parted; for an
  // inactive edge, the first.
  template <typename Together>
  void RouteToNearest(const EditReport& report, const ModelEdge& edge, const std::vector<uint64_t>& parts1,
                      const std::vector<uint64_t>& parts2, Together together, std::map<Pair, ModelEdge>& routed) {
    double nearest = 1e300;
    std::vector<Pair> candidates;
    for (const uint64_t a : parts1) {
      for (const uint64_t b : parts2) {
        const double distance = BoxDistanceNm(BoxOf(a), BoxOf(b));
        if (distance < nearest) {
          candidates.clear();
        }
        if (distance <= nearest) {
          nearest = distance;
          candidates.push_back(Sorted(a, b));
        }
      }
    }
    const auto removed = [&](const Pair& pair) {
      return std::ranges::any_of(report.removed_edges,
                                 [&](const graph::EdgeEnds& other) { return Sorted(other) == pair; });
    };
    const auto held = [&](const Pair& pair) { return together(pair.first, pair.second); };
    auto chosen = edge.active ? std::ranges::find_if(candidates, removed) : candidates.begin();
    chosen = chosen == candidates.end() ? std::ranges::find_if(candidates, held) : chosen;
    routed.try_emplace(chosen == candidates.end() ? candidates.front() : *chosen, edge);
  }

  Box BoxOf(uint64_t id) const {
    const Box all{{}, VoxelPoint{} + labels_.extent()};
    Box box{all.hi, all.lo};
    for (int64_t z = 0; z < all.hi.z; ++z) {
      for (int64_t y = 0; y < all.hi.y; ++y) {
        for (int64_t x = 0; x < all.hi.x; ++x) {
          if (labels_[{x, y, z}] == id) {
            box = Envelope(box, BoxAt({x, y, z}, {1, 1, 1}));
          }
        }
      }
    }
    return box;
  }

  // Between the nearest voxels of two boxes.
  static double BoxDistanceNm(const Box& a, const Box& b) {
    const double size_nm[] = {kModelVoxelSize.x, kModelVoxelSize.y, kModelVoxelSize.z};
    double squared = 0;
    for (int axis = 0; axis < 3; ++axis) {
      const int64_t steps = std::max({int64_t{0}, b.lo[axis] - (a.hi[axis] - 1), a.lo[axis] - (b.hi[axis] - 1)});
      squared += std::pow(static_cast<double>(steps) * size_nm[axis], 2);
    }
    return std::sqrt(squared);
  }

  template <typename Together>
  void Route(const EditReport& report, Together together) {
    const Touching touching = FindTouching(labels_);
    std::map<uint64_t, std::vector<uint64_t>> parts;
    std::map<uint64_t, int> side;
    for (const Fragment& fragment : report.fragments) {
      parts[Value(fragment.former)].push_back(Value(fragment.id));
      side[Value(fragment.id)] = fragment.side;
    }
    const auto parts_of = [&](uint64_t id) { return parts.contains(id) ? parts[id] : std::vector<uint64_t>{id}; };
    const auto faces = [&](const Pair& pair) {
      const auto found = touching.faces.find(pair);
      return found == touching.faces.end() ? 0 : found->second;
    };
    std::map<Pair, ModelEdge> kept;
    std::map<Pair, ModelEdge> routed;
    for (const auto& [ends, edge] : edges_) {
      if (!parts.contains(ends.first) && !parts.contains(ends.second)) {
        kept[ends] = edge;
        continue;
      }
      bool touches = false;
      for (const uint64_t a : parts_of(ends.first)) {
        for (const uint64_t b : parts_of(ends.second)) {
          const Pair pair = Sorted(a, b);
          touches = touches || (edge.infinite ? touching.near.contains(pair) : faces(pair) > 0);
          if (!edge.infinite && faces(pair) > 0) {
            routed.try_emplace(pair, edge);
          } else if (edge.infinite && touching.near.contains(pair)) {
            const bool both = side.contains(a) && side.contains(b);
            if (both ? side[a] == side[b] : together(a, b)) {
              routed.try_emplace(pair, edge);
            } else if (faces(pair) > 0) {
              routed.try_emplace(pair, ModelEdge{false, edge.active});
            }
          }
        }
      }
      if (!touches) {
        RouteToNearest(report, edge, parts_of(ends.first), parts_of(ends.second), together, routed);
      }
    }
    for (const auto& [pair, count] : touching.faces) {
      if (count > 0 && side.contains(pair.first) && side.contains(pair.second) &&
          side[pair.first] != side[pair.second]) {
        routed.try_emplace(pair, ModelEdge{false, true});
      }
    }
    kept.insert(routed.begin(), routed.end());
    edges_ = std::move(kept);
    NoteInfinite();
  }

  void NoteInfinite() {
    for (const auto& [pair, edge] : edges_) {
      if (edge.infinite) {
        infinite_.insert(pair);
      }
    }
  }

  graph::IdLayout layout_;
  Array3<uint64_t> labels_;
  std::map<Pair, ModelEdge> edges_;
  std::set<Pair> infinite_;  // that there ever were
};

}  // namespace cleave::edit
