// In passes:
//   1. The histories of the suspects, of all that was ever above them, of their children, and of what they were cut
//   from.
//      Where a node has no readable list of children, all nodes below its chunk are asked for parents that name it.
//   2. For each node, at each time at which it got a parent or a node was made that lists it: who is right
//      (ResolveParents). What is decided there changes lists of children, too.
//   3. Cells that differ from that are mends.
//   4. The edges of the nodes looked at, L2 first, then upwards (repair_edges.h).
#include "edit/repair_hierarchy.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "edit/repair_edges.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

class HierarchyMender {
 public:
  HierarchyMender(graph::Dataset& dataset, const table::TableReader& table, std::span<const OperationRecord> log,
                  const FormerOf& former_of, Mends& mends)
      : dataset_(dataset),
        table_(table),
        layout_(dataset.layout()),
        former_of_(former_of),
        mends_(mends),
        histories_(layout_, table) {
    for (const OperationRecord& record : log) {
      for (const NodeId fragment : record.fragments) {
        if (record.status == OperationStatus::kSuccess) {
          born_[fragment] = record.time;
        }
      }
      for (const Restored& restored : record.restored) {
        if (record.status == OperationStatus::kSuccess) {
          joined_.emplace(restored.fragment, record.time);
          restored_.emplace(restored.supervoxel, record.time);
        }
      }
    }
  }

  absl::Status Run(std::span<const NodeId> named) {
    for (const NodeId id : named) {
      if (layout_.Validate(id).ok()) {
        suspects_.insert(id);
      }
    }
    CLEAVE_RETURN_IF_ERROR(LoadAround());
    IndexClaims();
    for (const NodeId node : to_resolve_) {
      ResolveParents(node);
    }
    for (const NodeId node : to_resolve_) {
      MendParents(node);
    }
    for (const NodeId node : WithListsToMend()) {
      MendChildren(node);
    }
    return MendEdges();
  }

 private:
  using Parents = std::map<absl::Time, NodeId>;

  absl::Status LoadAround() {
    std::vector<NodeId> wanted(suspects_.begin(), suspects_.end());
    CLEAVE_RETURN_IF_ERROR(histories_.Load(wanted));
    std::set<NodeId> around = suspects_;
    for (const NodeId node : suspects_) {
      for (const auto& [time, parent] : histories_.Of(node).parents) {
        if (layout_.Validate(parent).ok()) {
          around.insert(parent);
          above_.insert(parent);
        }
      }
    }
    CLEAVE_RETURN_IF_ERROR(AskBelow());
    for (const NodeId node : suspects_) {
      const std::vector<NodeId>& children = histories_.Of(node).children;
      std::ranges::copy_if(children, std::inserter(around, around.end()),
                           [&](NodeId child) { return layout_.Validate(child).ok(); });
    }
    for (const auto& [parent, nodes] : found_below_) {
      around.insert(nodes.begin(), nodes.end());
    }
    // What they were cut from, and that from what it was cut.
    for (std::vector<NodeId> open(around.begin(), around.end()); !open.empty();) {
      const NodeId former = FormerOfNode(open.back());
      open.pop_back();
      if (former != NodeId{} && around.insert(former).second) {
        open.push_back(former);
      }
    }
    wanted.assign(around.begin(), around.end());
    to_resolve_ = std::move(around);
    std::erase_if(to_resolve_, [&](NodeId id) { return layout_.LayerOf(id) == layout_.layer_count(); });
    return histories_.Load(wanted);
  }

  // Suspects whose list of children is gone or in doubt as a whole.
  bool ListIsLost(NodeId node) const {
    const NodeHistory& history = histories_.Of(node);
    return layout_.LayerOf(node) >= graph::kL2Layer &&
           (history.children.empty() ||
            std::ranges::any_of(history.surplus, [](const auto& cell) { return cell.first == columns::kChild; }));
  }

  // Reads the parents of all nodes below the chunks of suspects whose list is lost.
  absl::Status AskBelow() {
    std::set<NodeId> lost;
    std::set<graph::ChunkAddress> chunks;
    for (const NodeId node : suspects_) {
      if (ListIsLost(node)) {
        lost.insert(node);
        chunks.insert(layout_.ChunkOf(node));
      }
    }
    std::set<graph::ChunkAddress> below;
    for (const graph::ChunkAddress& chunk : chunks) {
      std::vector<graph::ChunkAddress> open = {chunk};
      while (!open.empty()) {
        const graph::ChunkAddress next = open.back();
        open.pop_back();
        if (next.layer == graph::kSupervoxelLayer) {
          continue;
        }
        for (const graph::ChunkAddress& child : layout_.ChildChunks(next)) {
          if (below.insert(child).second) {
            open.push_back(child);
          }
        }
      }
    }
    for (const graph::ChunkAddress& chunk : below) {
      const table::RowRange range =
          table::NodeRowRange({.first = Value(layout_.MakeNode(chunk, graph::Segment{1})),
                               .last = Value(layout_.MakeNode(chunk, layout_.SegmentLimit(chunk.layer)))});
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                              table_.ReadRange(range, {.columns = {columns::kParent}}, 0));
      for (const table::Row& row : rows) {
        for (const table::Cell& cell : row.cells.at(columns::kParent)) {
          const absl::StatusOr<uint64_t> parent = table::DecodeValue<uint64_t>(cell.value);
          if (parent.ok() && lost.contains(NodeId{*parent})) {
            CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseNodeRowKey(row.key));
            found_below_[NodeId{*parent}].insert(NodeId{id});
          }
        }
      }
    }
    return absl::OkStatus();
  }

  NodeId FormerOfNode(NodeId node) const {
    const auto found = former_of_.find(node);
    return found != former_of_.end() ? found->second : histories_.Of(node).former;
  }
  absl::Time BornAt(NodeId node) const {
    const auto found = born_.find(node);
    return found != born_.end() ? found->second : histories_.Of(node).born;
  }

  // When a node was made. Of several lists of children, the one whose time its children confirm.
  std::optional<absl::Time> MadeAt(NodeId node) {
    const auto [known, fresh] = made_.try_emplace(node);
    if (!fresh) {
      return known->second;
    }
    const NodeHistory& history = histories_.Of(node);
    std::map<absl::Time, int64_t> votes;
    if (history.created.has_value()) {
      ++votes[*history.created];
    }
    if (ListIsLost(node)) {
      std::vector<NodeId> witnesses(found_below_[node].begin(), found_below_[node].end());
      for (const NodeId witness : witnesses) {
        for (const auto& [time, parent] : histories_.Of(witness).parents) {
          votes[time] += parent == node ? 1 : 0;
        }
      }
    }
    std::erase_if(votes, [](const auto& vote) { return vote.second == 0; });
    const auto best = std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
    known->second = best == votes.end() ? std::nullopt : std::optional(best->first);
    return known->second;
  }

  // Who lists whom.
  void IndexClaims() {
    for (const NodeId node : histories_.Loaded()) {
      if (!layout_.Validate(node).ok() || layout_.LayerOf(node) < graph::kL2Layer) {
        continue;
      }
      if (const std::optional<absl::Time> made = MadeAt(node)) {
        for (const NodeId child : histories_.Of(node).children) {
          if (MayBeChild(child, node)) {
            claims_[child].emplace(*made, node);
          }
        }
      }
    }
  }

  bool MayBeChild(NodeId child, NodeId parent) const {
    return layout_.Validate(child).ok() && layout_.Validate(parent).ok() &&
           layout_.LayerOf(child) < layout_.LayerOf(parent) && layout_.LayerOf(parent) >= graph::kL2Layer &&
           (layout_.LayerOf(child) > graph::kSupervoxelLayer || layout_.LayerOf(parent) == graph::kL2Layer) &&
           layout_.AncestorChunk(layout_.ChunkOf(child), layout_.LayerOf(parent)) == layout_.ChunkOf(parent);
  }

  const Parents& ResolveParents(NodeId node) {
    const auto [known, fresh] = parents_.try_emplace(node);
    Parents& parents = known->second;
    if (!fresh) {
      return parents;
    }
    const NodeHistory& history = histories_.Of(node);
    const absl::Time born = BornAt(node);
    if (const NodeId former = FormerOfNode(node); former != NodeId{}) {
      for (const auto& [time, parent] : ResolveParents(former)) {
        if (time < born) {
          parents[time] = parent;
        }
      }
    }
    std::map<absl::Time, NodeId> stored;
    for (const auto& [time, parent] : history.parents) {
      stored[time] = parent;
    }
    std::set<absl::Time> times;
    for (const auto& [time, parent] : stored) {
      times.insert(time);
    }
    for (const auto& [column, time] : history.unreadable) {
      if (column == columns::kParent) {
        times.insert(time);
      }
    }
    std::map<absl::Time, std::vector<NodeId>> claims;
    for (const auto& [time, parent] : claims_[node]) {
      claims[time].push_back(parent);
      times.insert(time);
    }
    for (const absl::Time time : times) {
      if (time >= born) {
        const auto cell = stored.find(time);
        Resolve(node, time, cell == stored.end() ? NodeId{} : cell->second, claims[time], parents);
      }
    }
    return parents;
  }

  // What parent `node` got at `time`: by its own cell (0: there is none to read), and by the lists of nodes made then.
  void Resolve(NodeId node, absl::Time time, NodeId stored, const std::vector<NodeId>& claims, Parents& parents) {
    if (claims.empty() && stored != NodeId{} && joined_.contains({node, time})) {
      parents[time] = stored;  // leads to where the supervoxel is that it became, which does not list it
      return;
    }
    if (claims.empty()) {
      // A list may have lost the node; else the cell names a node that was not made then.
      if (stored != NodeId{} && MayBeChild(node, stored) && MadeAt(stored) == time) {
        parents[time] = stored;
        added_[stored].insert(node);
      } else if (stored == NodeId{}) {
        mends_.doubts.push_back(absl::StrCat("the parent that node ", Value(node), " got at ", absl::FormatTime(time),
                                             " cannot be decoded, and no node made then lists it"));
      }
      return;
    }
    if (std::ranges::count(claims, stored) > 0) {
      parents[time] = stored;
      for (const NodeId other : claims) {
        if (other != stored) {
          dropped_[other].insert(node);
        }
      }
      return;
    }
    if (claims.size() > 1) {
      mends_.doubts.push_back(absl::StrCat("nodes ", absl::StrJoin(graph::ToIntegers(claims), " and "),
                                           " were both made at ", absl::FormatTime(time), " and both list node ",
                                           Value(node), ", whose own row names neither"));
      if (stored != NodeId{}) {
        parents[time] = stored;
      }
      return;
    }
    if (stored != NodeId{} || MayGetParentAt(node, time, parents)) {
      parents[time] = claims.front();
    } else {
      dropped_[claims.front()].insert(node);
    }
  }

  // A node without a cell of that time gets a parent when it is made, or made again, and whenever the object that held
  // it is replaced.
  bool MayGetParentAt(NodeId node, absl::Time time, const Parents& before) {
    if (restored_.contains({node, time})) {
      return true;
    }
    const auto later = before.upper_bound(time);
    if (later == before.begin()) {
      return layout_.LayerOf(node) == graph::kSupervoxelLayer ? time == dataset_.meta().ingested : MadeAt(node) == time;
    }
    const NodeId present = std::prev(later)->second;
    return histories_.IsAlive(present, time - absl::Milliseconds(1)) && !histories_.IsAlive(present, time);
  }

  void MendParents(NodeId node) {
    const NodeHistory& history = histories_.Of(node);
    std::map<absl::Time, NodeId> stored(history.parents.begin(), history.parents.end());
    std::set<absl::Time> unreadable;
    for (const auto& [column, time] : history.unreadable) {
      if (column == columns::kParent) {
        unreadable.insert(time);
      }
    }
    const Parents& parents = parents_[node];
    Mend mend;
    for (const auto& [time, parent] : parents) {
      const auto cell = stored.find(time);
      if (cell == stored.end() || cell->second != parent) {
        mend.cells.push_back({NodeKey(node), columns::kParent, time, {}, table::EncodeValue(Value(parent))});
        mend.ids.push_back(Value(parent));
        mend.evidence = time < BornAt(node) ? absl::StrCat("before its birth it has the parents of ",
                                                           Value(FormerOfNode(node)), ", which it was cut from")
                                            : absl::StrCat("node ", Value(parent), " was made at ",
                                                           absl::FormatTime(time), " and lists it as a child");
      }
    }
    for (const auto& [time, parent] : stored) {
      if (!parents.contains(time)) {
        mend.cells.push_back({NodeKey(node), columns::kParent, time, {}, {}});
        mend.ids.push_back(Value(parent));
        mend.evidence = absl::StrCat("node ", Value(parent), " was not made at ", absl::FormatTime(time),
                                     ", and no node that was lists it");
      }
    }
    if (!mend.cells.empty()) {
      mend.ids.insert(mend.ids.begin(), Value(node));
      Add(3, node, absl::StrCat("node ", Value(node), " has lost or wrong parents"), std::move(mend));
    }
  }

  std::set<NodeId> WithListsToMend() const {
    std::set<NodeId> nodes;
    for (const NodeId node : suspects_) {
      if (layout_.LayerOf(node) >= graph::kL2Layer) {
        nodes.insert(node);
      }
    }
    for (const auto* changed : {&added_, &dropped_}) {
      for (const auto& [node, children] : *changed) {
        nodes.insert(node);
      }
    }
    return nodes;
  }

  static bool GotParent(const Parents& parents, absl::Time time, NodeId parent) {
    const auto found = parents.find(time);
    return found != parents.end() && found->second == parent;
  }

  std::vector<NodeId> ChildrenOf(NodeId node) {
    std::set<NodeId> candidates(histories_.Of(node).children.begin(), histories_.Of(node).children.end());
    candidates.merge(std::set<NodeId>(added_[node]));
    candidates.merge(std::set<NodeId>(found_below_[node]));
    const std::optional<absl::Time> made = MadeAt(node);
    std::vector<NodeId> children;
    for (const NodeId child : candidates) {
      if (!made.has_value() || !MayBeChild(child, node) || dropped_[node].contains(child) || BornAt(child) > *made ||
          joined_.contains({child, *made})) {
        continue;
      }
      // A child that was not resolved is one that nobody doubted.
      const auto resolved = parents_.find(child);
      if (resolved == parents_.end() || GotParent(resolved->second, *made, node)) {
        children.push_back(child);
      }
    }
    return children;
  }

  void MendChildren(NodeId node) {
    const NodeHistory& history = histories_.Of(node);
    const std::optional<absl::Time> made = MadeAt(node);
    const std::vector<NodeId> children = ChildrenOf(node);
    if (!made.has_value() || children.empty()) {
      if (made.has_value() || !history.parents.empty() || !history.cross_edges.empty()) {
        mends_.doubts.push_back(absl::StrCat("the children of node ", Value(node), " are lost: no node names it"));
      }
      return;
    }
    Mend mend;
    const bool at_another_time = history.created != made;
    std::vector<absl::Time> surplus;
    for (const auto& [column, time] : history.surplus) {
      if (column == columns::kChild) {
        surplus.push_back(time);
      }
    }
    if (history.created.has_value()) {
      surplus.push_back(*history.created);
    }
    std::erase(surplus, *made);
    if (history.children != children || at_another_time || !surplus.empty()) {
      mend.cells.push_back({NodeKey(node), columns::kChild, *made, {}, table::EncodeCompressedArray(children)});
    }
    for (const absl::Time time : surplus) {
      mend.cells.push_back({NodeKey(node), columns::kChild, time, {}, {}});
    }
    if (!mend.cells.empty()) {
      mend.ids = {Value(node)};
      mend.evidence = absl::StrCat("these ", children.size(), " nodes got it as their parent at ",
                                   absl::FormatTime(*made), ", when it was made");
      Add(3, node, absl::StrCat("node ", Value(node), " has a lost or wrong list of children"), std::move(mend));
    }
  }

  absl::Status MendEdges() {
    std::vector<NodeId> nodes;
    for (const auto* group : {&suspects_, &above_}) {
      for (const NodeId node : *group) {
        if (layout_.LayerOf(node) >= graph::kL2Layer && MadeAt(node).has_value()) {
          nodes.push_back(node);
        }
      }
    }
    // The parents as they will be.
    for (const NodeId node : suspects_) {
      for (const auto& [time, parent] : parents_[node]) {
        if (MadeAt(parent).has_value()) {
          nodes.push_back(parent);
        }
      }
    }
    std::ranges::sort(nodes);
    nodes.erase(std::ranges::unique(nodes).begin(), nodes.end());
    EdgeSources sources;
    sources.histories = &histories_;
    sources.made_at = [this](NodeId node) { return MadeAt(node); };
    sources.children_of = [this](NodeId node) { return ChildrenOf(node); };
    sources.parent_at = [this](NodeId node, absl::Time time) {
      const auto resolved = parents_.find(node);
      if (resolved == parents_.end()) {
        return histories_.Of(node).ParentAt(time);
      }
      const auto later = resolved->second.upper_bound(time);
      return later == resolved->second.begin() ? NodeId{} : std::prev(later)->second;
    };
    return MendCrossEdges(dataset_, table_, nodes, sources, mends_);
  }

  void Add(int invariant, NodeId node, std::string what, Mend mend) {
    mend.invariant = invariant;
    mend.what = std::move(what);
    mend.where = layout_.ChunkBox(layout_.ChunkOf(node));
    mends_.mends.push_back(std::move(mend));
  }

  graph::Dataset& dataset_;
  const table::TableReader& table_;
  const graph::IdLayout& layout_;
  const FormerOf& former_of_;
  Mends& mends_;
  NodeHistories histories_;
  std::map<NodeId, absl::Time> born_;
  std::set<std::pair<NodeId, absl::Time>> restored_;  // supervoxels that were made again
  std::set<std::pair<NodeId, absl::Time>> joined_;    // fragments, and when they gave their voxels back
  std::set<NodeId> suspects_;
  std::set<NodeId> above_;                                            // whatever was a suspect's parent
  std::set<NodeId> to_resolve_;                                       // below the top layer
  std::map<NodeId, std::set<NodeId>> found_below_;                    // who names a node without a list
  std::map<NodeId, std::set<std::pair<absl::Time, NodeId>>> claims_;  // who lists a node, and since when
  std::map<NodeId, std::optional<absl::Time>> made_;
  std::map<NodeId, Parents> parents_;  // as they should be
  std::map<NodeId, std::set<NodeId>> added_;
  std::map<NodeId, std::set<NodeId>> dropped_;
};

}  // namespace

absl::Status MendHierarchy(graph::Dataset& dataset, const table::TableReader& table, std::span<const NodeId> suspects,
                           std::span<const OperationRecord> log, const FormerOf& former_of, Mends& mends) {
  return HierarchyMender(dataset, table, log, former_of, mends).Run(suspects);
}

}  // namespace cleave::edit
