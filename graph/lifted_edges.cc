// 1. A node's life begins with its Child cell, and ends when its first child gets another parent.
// 2. The parents of all partners are read with all their versions, and theirs, up to the layer of the nodes.
// 3. A node's lifted edges can only change when a parent cell on the way of one of its partners begins. At its
// beginning
//    and at each such moment within its life, its pairs are lifted; a version is kept when it differs from the one
//    before.
#include "graph/lifted_edges.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"
#include "table/table.h"

namespace cleave::graph {
namespace {

namespace columns = table::columns;

struct ParentVersion {
  absl::Time time;
  NodeId parent{};
};

struct Life {
  NodeId node{};
  int layer = 0;
  absl::Time begin;
  absl::Time end = absl::InfiniteFuture();
  CrossEdges pairs;
};

class Lifter {
 public:
  Lifter(const IdLayout& layout, const table::TableReader& reader) : layout_(layout), reader_(reader) {}

  absl::StatusOr<std::vector<LiftedEdges>> Lift(std::span<const table::Row> rows) {
    CLEAVE_RETURN_IF_ERROR(ReadLives(rows));
    CLEAVE_RETURN_IF_ERROR(ReadParents());
    std::vector<LiftedEdges> results(lives_.size());
    for (size_t i = 0; i < lives_.size(); ++i) {
      results[i] = LiftNode(lives_[i]);
    }
    return results;
  }

 private:
  absl::Status ReadLives(std::span<const table::Row> rows) {
    std::vector<NodeId> first_children;
    for (const table::Row& row : rows) {
      absl::StatusOr<Life> life = BeginLife(row, first_children);
      if (!life.ok()) {
        return Annotate(life.status(), absl::StrCat("row ", row.key));
      }
      lives_.push_back(*std::move(life));
    }
    CLEAVE_RETURN_IF_ERROR(ReadParentsOf(first_children));
    for (size_t i = 0; i < lives_.size(); ++i) {
      const std::vector<ParentVersion>& versions = parents_[first_children[i]];
      const auto own = std::ranges::find(versions, lives_[i].node, &ParentVersion::parent);
      if (own != versions.end() && std::next(own) != versions.end()) {
        lives_[i].end = std::next(own)->time;
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Life> BeginLife(const table::Row& row, std::vector<NodeId>& first_children) const {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseNodeRowKey(row.key));
    Life life{.node = NodeId{id}, .layer = layout_.LayerOf(NodeId{id}), .begin = {}, .pairs = {}};
    const table::Cell* child = row.Newest(columns::kChild);
    if (child == nullptr) {
      first_children.push_back(NodeId{});
      return life;
    }
    life.begin = child->time;
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> children, table::DecodeCompressedArray<NodeId>(child->value));
    first_children.push_back(children.empty() ? NodeId{} : children.front());
    for (int layer = life.layer; layer < layout_.layer_count(); ++layer) {
      if (const table::Cell* cell = row.Newest(columns::AtomicCrossChunkEdge({.value = layer}))) {
        CLEAVE_ASSIGN_OR_RETURN(life.pairs[layer], table::DecodeCompressedArray<EdgeEnds>(cell->value));
      }
    }
    return life;
  }

  // Reads the parents of all partners, and so on up, layer by layer.
  absl::Status ReadParents() {
    absl::flat_hash_map<NodeId, int> wanted;  // and the highest layer that is asked for
    for (const Life& life : lives_) {
      for (const auto& [layer, pairs] : life.pairs) {
        for (const EdgeEnds& pair : pairs) {
          int& highest = wanted[pair.node2];
          highest = std::max(highest, life.layer);
        }
      }
    }
    while (!wanted.empty()) {
      std::vector<NodeId> nodes;
      for (const auto& [node, highest] : wanted) {
        nodes.push_back(node);
      }
      CLEAVE_RETURN_IF_ERROR(ReadParentsOf(nodes));
      absl::flat_hash_map<NodeId, int> next;
      for (const auto& [node, highest] : wanted) {
        for (const ParentVersion& version : parents_[node]) {
          if (layout_.LayerOf(version.parent) < highest) {
            int& of_parent = next[version.parent];
            of_parent = std::max(of_parent, highest);
          }
        }
      }
      wanted = std::move(next);
    }
    return absl::OkStatus();
  }

  absl::Status ReadParentsOf(const std::vector<NodeId>& nodes) {
    std::vector<NodeId> unread;
    std::vector<std::string> keys;
    for (const NodeId node : nodes) {
      if (node != NodeId{} && parents_.try_emplace(node).second) {
        unread.push_back(node);
        keys.push_back(table::NodeRowKey(Value(node)));
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                            reader_.ReadRows(keys, {.columns = {columns::kParent, columns::kNewIdentity}}));
    for (size_t i = 0; i < unread.size(); ++i) {
      const auto cells = rows[i].cells.find(columns::kParent);
      if (cells == rows[i].cells.end()) {
        continue;  // a root
      }
      std::vector<ParentVersion>& versions = parents_[unread[i]];
      for (auto cell = cells->second.rbegin(); cell != cells->second.rend(); ++cell) {
        const absl::StatusOr<uint64_t> parent = table::DecodeValue<uint64_t>(cell->value);
        if (!parent.ok()) {
          return Annotate(parent.status(), absl::StrCat("row ", keys[i]));
        }
        versions.push_back({cell->time, NodeId{*parent}});
      }
      // A supervoxel that was replaced has no parent from then on until it stands again, though no cell says so.
      if (const auto replaced = rows[i].cells.find(columns::kNewIdentity); replaced != rows[i].cells.end()) {
        for (const table::Cell& cell : replaced->second) {
          versions.push_back({cell.time, NodeId{}});
        }
        std::ranges::stable_sort(versions, {}, &ParentVersion::time);
      }
    }
    return absl::OkStatus();
  }

  // The moments within a life at which a partner's ancestors may change.
  std::set<absl::Time> MomentsOf(const Life& life) const {
    std::set<absl::Time> moments = {life.begin};
    absl::flat_hash_set<NodeId> seen;
    std::vector<NodeId> open;
    for (const auto& [layer, pairs] : life.pairs) {
      for (const EdgeEnds& pair : pairs) {
        open.push_back(pair.node2);
      }
    }
    while (!open.empty()) {
      const NodeId node = open.back();
      open.pop_back();
      const auto versions = parents_.find(node);
      if (layout_.LayerOf(node) >= life.layer || versions == parents_.end() || !seen.insert(node).second) {
        continue;
      }
      for (const ParentVersion& version : versions->second) {
        if (version.time > life.begin && version.time < life.end) {
          moments.insert(version.time);
        }
        open.push_back(version.parent);
      }
    }
    return moments;
  }

  NodeId AncestorAt(NodeId node, int layer, absl::Time time) const {
    for (;;) {
      const auto versions = parents_.find(node);
      if (versions == parents_.end()) {
        return node;
      }
      NodeId parent{};
      for (const ParentVersion& version : versions->second) {
        if (version.time <= time) {
          parent = version.parent;
        }
      }
      if (parent == NodeId{} || layout_.LayerOf(parent) > layer) {
        return node;
      }
      node = parent;
    }
  }

  LiftedEdges LiftNode(const Life& life) const {
    LiftedEdges lifted;
    if (life.pairs.empty()) {
      return lifted;
    }
    for (const absl::Time moment : MomentsOf(life)) {
      for (const auto& [layer, pairs] : life.pairs) {
        std::vector<EdgeEnds> edges;
        edges.reserve(pairs.size());
        for (const EdgeEnds& pair : pairs) {
          edges.push_back({life.node, AncestorAt(pair.node2, life.layer, moment)});
        }
        std::ranges::sort(edges);
        edges.erase(std::ranges::unique(edges).begin(), edges.end());
        std::vector<LiftedVersion>& versions = lifted[layer];
        if (versions.empty() || versions.back().edges != edges) {
          versions.push_back({moment, std::move(edges)});
        }
      }
    }
    return lifted;
  }

  const IdLayout& layout_;
  const table::TableReader& reader_;
  std::vector<Life> lives_;
  absl::flat_hash_map<NodeId, std::vector<ParentVersion>> parents_;  // oldest first
};

}  // namespace

absl::StatusOr<std::vector<LiftedEdges>> LiftCrossEdges(const IdLayout& layout, const table::TableReader& reader,
                                                        std::span<const table::Row> rows) {
  return Lifter(layout, reader).Lift(rows);
}

}  // namespace cleave::graph
