#include "edit/fsck_history.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

// The time of a column's oldest cell.
std::optional<absl::Time> OldestTime(const table::Row& row, const table::Column& column) {
  const auto cells = row.cells.find(column);
  return cells == row.cells.end() ? std::nullopt : std::optional(cells->second.back().time);
}

// A compressed array, ascending; noted and empty when it cannot be decoded.
template <typename T>
std::vector<T> TakeArray(const table::Cell& cell, const table::Column& column, NodeHistory& history) {
  absl::StatusOr<std::vector<T>> values = table::DecodeCompressedArray<T>(cell.value);
  if (!values.ok()) {
    history.unreadable.emplace_back(column, cell.time);
    return {};
  }
  std::ranges::sort(*values);
  return *std::move(values);
}

// All cells of a column but the oldest one.
void NoteSurplus(const table::Row& row, const table::Column& column, NodeHistory& history) {
  const std::vector<table::Cell>& cells = row.cells.at(column);
  for (size_t i = 0; i + 1 < cells.size(); ++i) {
    history.surplus.emplace_back(column, cells[i].time);
  }
}

// A supervoxel that came from others before anything took its place was born in a cut; one that did so later was made
// again by the undo of its own.
void AddLives(const table::Row& row, NodeHistory& history) {
  if (const auto cells = row.cells.find(columns::kNewIdentity); cells != row.cells.end()) {
    std::ranges::transform(cells->second, std::back_inserter(history.replaced), &table::Cell::time);
    std::ranges::reverse(history.replaced);
  }
  const auto cells = row.cells.find(columns::kFormerIdentity);
  if (cells == row.cells.end()) {
    return;
  }
  for (auto cell = cells->second.rbegin(); cell != cells->second.rend(); ++cell) {
    const absl::StatusOr<std::vector<NodeId>> former = table::DecodeArray<NodeId>(cell->value);
    const bool is_restored = !history.replaced.empty() && history.replaced.front() < cell->time;
    if (!former.ok() || former->empty() || (!is_restored && former->size() != 1)) {
      history.unreadable.emplace_back(columns::kFormerIdentity, cell->time);
    } else if (is_restored) {
      history.restored.push_back(cell->time);
    } else {
      history.former = former->front();
      history.born = cell->time;
    }
  }
}

}  // namespace

bool NodeHistory::IsReplacedAt(absl::Time time) const {
  const auto last_until = [&](const std::vector<absl::Time>& times) {
    const auto later = std::ranges::upper_bound(times, time);
    return later == times.begin() ? absl::InfinitePast() : *std::prev(later);
  };
  const absl::Time last = last_until(replaced);
  return last != absl::InfinitePast() && last_until(restored) < last;
}

std::vector<Moment> MomentsOf(absl::Time ingested, std::span<const OperationRecord> log, const GenerationSpan& span,
                              int64_t past_operations_max) {
  if (past_operations_max == 0) {
    return {{absl::InfiniteFuture(), span.newest}};
  }
  std::vector<const OperationRecord*> done;
  for (const OperationRecord& record : log) {
    if (record.status == OperationStatus::kSuccess) {
      done.push_back(&record);
    }
  }
  std::ranges::sort(done, {}, [](const OperationRecord* record) { return record->time; });
  std::vector<Moment> moments = {{ingested, span.base}};
  uint64_t generation = span.base;
  for (size_t i = 0; i < done.size(); ++i) {
    const uint64_t before = generation;
    generation = std::max(generation, done[i]->written_generation.value_or(0));
    if (static_cast<int64_t>(done.size() - i) > past_operations_max) {
      continue;
    }
    if (const absl::Time just_before = done[i]->time - absl::Milliseconds(1); just_before > moments.back().time) {
      moments.push_back({just_before, before});
    }
    moments.push_back({done[i]->time, generation});
  }
  moments.push_back({absl::InfiniteFuture(), span.newest});
  return moments;
}

MomentRange MomentsIn(std::span<const Moment> moments, const TimeSpan& span) {
  const auto index_of = [&](absl::Time time) {
    return static_cast<size_t>(std::ranges::lower_bound(moments, time, {}, &Moment::time) - moments.begin());
  };
  return {index_of(span.first), span.end == absl::InfiniteFuture() ? moments.size() : index_of(span.end)};
}

std::pair<NodeId, absl::Time> NodeHistory::ParentFrom(absl::Time time) const {
  const auto found =
      std::ranges::lower_bound(parents, time, std::greater<>(), [](const auto& parent) { return parent.first; });
  const absl::Time end = found == parents.begin() ? absl::InfiniteFuture() : std::prev(found)->first;
  return {found == parents.end() ? NodeId{} : found->second, end};
}

std::vector<std::shared_ptr<const NodeHistory>> EditedRows::Find(std::span<const NodeId> nodes) {
  std::vector<std::shared_ptr<const NodeHistory>> found;
  found.reserve(nodes.size());
  const std::lock_guard lock(mutex_);
  for (const NodeId node : nodes) {
    const auto kept = rows_.find(node);
    found.push_back(kept == rows_.end() ? nullptr : kept->second);
  }
  return found;
}

void EditedRows::Keep(NodeId node, const std::shared_ptr<const NodeHistory>& history) {
  if (history->last_change <= ingested_) {
    return;
  }
  size_t bytes = sizeof(NodeHistory) + history->parents.size() * sizeof(history->parents[0]) +
                 history->children.size() * sizeof(NodeId);
  for (const auto& [layer, edges] : history->cross_edges) {
    bytes += edges.size() * sizeof(graph::EdgeEnds);
  }
  const std::lock_guard lock(mutex_);
  if (bytes_ + bytes <= bytes_max_ && rows_.try_emplace(node, history).second) {
    bytes_ += bytes;
  }
}

table::Filter NodeHistories::Columns() const {
  table::Filter filter{.columns = {columns::kParent, columns::kChild, columns::kNewParent, columns::kFormerIdentity,
                                   columns::kNewIdentity}};
  for (int layer = graph::kL2Layer; layer < layout_.layer_count(); ++layer) {
    filter.columns.push_back(columns::AtomicCrossChunkEdge({.value = layer}));
  }
  return filter;
}

absl::Status NodeHistories::Load(std::span<const NodeId> nodes, Above above) {
  std::vector<NodeId> frontier(nodes.begin(), nodes.end());
  for (int step = 0; !frontier.empty(); ++step) {
    std::ranges::sort(frontier);
    frontier.erase(std::ranges::unique(frontier).begin(), frontier.end());
    std::erase_if(frontier, [&](NodeId id) { return id == NodeId{} || histories_.contains(id); });
    const std::vector<std::shared_ptr<const NodeHistory>> kept =
        shared_ != nullptr ? shared_->Find(frontier) : std::vector<std::shared_ptr<const NodeHistory>>(frontier.size());
    std::vector<NodeId> missing;
    std::vector<std::string> keys;
    for (size_t i = 0; i < frontier.size(); ++i) {
      if (kept[i] != nullptr) {
        Put(frontier[i], kept[i]);
      } else {
        missing.push_back(frontier[i]);
        keys.push_back(table::NodeRowKey(Value(frontier[i])));
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, reader_.ReadRows(keys, Columns()));
    for (size_t i = 0; i < missing.size(); ++i) {
      Add(rows[i], missing[i]);
    }
    if (above == Above::kNothing || (above == Above::kParents && step > 0)) {
      break;
    }
    std::vector<NodeId> next;
    for (const NodeId id : frontier) {
      for (const auto& [time, parent] : Of(id).parents) {
        next.push_back(parent);
      }
    }
    frontier = std::move(next);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NodeId>> NodeHistories::LoadChunk(const graph::ChunkAddress& chunk) {
  const uint64_t first = Value(layout_.MakeNode(chunk, graph::Segment{1}));
  const uint64_t last = Value(layout_.MakeNode(chunk, layout_.SegmentLimit(chunk.layer)));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          reader_.ReadRange(table::NodeRowRange({.first = first, .last = last}), Columns(), 0));
  std::vector<NodeId> nodes;
  std::vector<NodeId> parents;
  for (const table::Row& row : rows) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseNodeRowKey(row.key));
    nodes.push_back(NodeId{id});
    for (const auto& [time, parent] : Add(row, NodeId{id}).parents) {
      parents.push_back(parent);
    }
  }
  CLEAVE_RETURN_IF_ERROR(Load(parents));
  return nodes;
}

void NodeHistories::Put(NodeId node, std::shared_ptr<const NodeHistory> history) {
  histories_[node] = std::move(history);
  last_changes_.clear();
  lives_.clear();
}

const NodeHistory& NodeHistories::Add(const table::Row& row, NodeId node) {
  auto history = std::make_shared<const NodeHistory>(Decode(row));
  if (shared_ != nullptr && layout_.LayerOf(node) >= graph::kL2Layer) {
    shared_->Keep(node, history);
  }
  Put(node, history);
  return *history;
}

NodeHistory NodeHistories::Decode(const table::Row& row) const {
  NodeHistory history;
  for (const auto& [column, cells] : row.cells) {
    history.last_change = std::max(history.last_change, cells.front().time);
  }
  if (const auto cells = row.cells.find(columns::kParent); cells != row.cells.end()) {
    for (const table::Cell& cell : cells->second) {
      if (const absl::StatusOr<uint64_t> parent = table::DecodeValue<uint64_t>(cell.value); parent.ok()) {
        history.parents.emplace_back(cell.time, NodeId{*parent});
      } else {
        history.unreadable.emplace_back(columns::kParent, cell.time);
      }
    }
  }
  if (const table::Cell* cell = row.Newest(columns::kChild)) {
    history.children = TakeArray<NodeId>(*cell, columns::kChild, history);
    history.created = OldestTime(row, columns::kChild);
    NoteSurplus(row, columns::kChild, history);
  }
  for (int layer = graph::kL2Layer; layer < layout_.layer_count(); ++layer) {
    const table::Column column = columns::AtomicCrossChunkEdge({.value = layer});
    if (const table::Cell* cell = row.Newest(column)) {
      std::vector<graph::EdgeEnds> edges = TakeArray<graph::EdgeEnds>(*cell, column, history);
      NoteSurplus(row, column, history);
      if (!edges.empty()) {
        history.cross_edges[layer] = std::move(edges);
      }
    }
  }
  AddLives(row, history);
  history.superseded = OldestTime(row, columns::kNewParent);
  return history;
}

std::vector<NodeId> NodeHistories::Loaded() const {
  std::vector<NodeId> nodes;
  for (const auto& [node, history] : histories_) {
    nodes.push_back(node);
  }
  std::ranges::sort(nodes);
  return nodes;
}

const NodeHistory& NodeHistories::Of(NodeId node) const {
  static const NodeHistory none;
  const auto found = histories_.find(node);
  return found == histories_.end() ? none : *found->second;
}

NodeId NodeHistories::AncestorAt(NodeId node, int layer, absl::Time time) const {
  while (true) {
    const NodeId up = Of(node).ParentAt(time);
    // A parent is always in a higher layer; where damage says otherwise, the climb must end all the same.
    if (up == NodeId{} || layout_.LayerOf(up) > layer || layout_.LayerOf(up) <= layout_.LayerOf(node)) {
      return node;
    }
    node = up;
  }
}

NodeId NodeHistories::RootAt(NodeId node, absl::Time time) const {
  const NodeId top = AncestorAt(node, layout_.layer_count(), time);
  return layout_.LayerOf(top) == layout_.layer_count() ? top : NodeId{};
}

bool NodeHistories::IsAlive(NodeId node, absl::Time time) const {
  const auto happened = [&](const std::optional<absl::Time>& when) { return when.has_value() && *when <= time; };
  const NodeId root = RootAt(node, time);
  return happened(Of(node).created) && happened(Of(root).created) && !happened(Of(root).superseded);
}

const std::vector<TimeSpan>& NodeHistories::LivesOf(NodeId node) const {
  if (const auto known = lives_.find(node); known != lives_.end()) {
    return known->second;
  }
  const NodeHistory& history = Of(node);
  const int layer = layout_.LayerOf(node);
  const absl::Time born =
      layer == graph::kSupervoxelLayer ? absl::InfinitePast() : history.created.value_or(absl::InfiniteFuture());
  std::vector<TimeSpan> lives;
  const auto add = [&](absl::Time first, absl::Time end) {
    first = std::max(first, born);
    if (first >= end) {
      return;
    }
    if (!lives.empty() && lives.back().end >= first) {
      lives.back().end = std::max(lives.back().end, end);
    } else {
      lives.push_back({first, end});
    }
  };
  if (layer == layout_.layer_count()) {
    add(born, history.superseded.value_or(absl::InfiniteFuture()));
  } else {
    for (auto parent = history.parents.rbegin(); parent != history.parents.rend(); ++parent) {
      // A parent is always in a higher layer; where damage says otherwise, it leads nowhere.
      if (layout_.LayerOf(parent->second) <= layer || layout_.LayerOf(parent->second) > layout_.layer_count()) {
        continue;
      }
      const absl::Time until =
          std::next(parent) == history.parents.rend() ? absl::InfiniteFuture() : std::next(parent)->first;
      for (const TimeSpan& life : LivesOf(parent->second)) {
        add(std::max(life.first, parent->first), std::min(life.end, until));
      }
    }
  }
  return lives_.emplace(node, std::move(lives)).first->second;
}

absl::Time NodeHistories::LastChange(NodeId node) const {
  if (const auto known = last_changes_.find(node); known != last_changes_.end()) {
    return known->second;
  }
  absl::Time last = Of(node).last_change;
  for (const auto& [time, parent] : Of(node).parents) {
    if (layout_.LayerOf(parent) > layout_.LayerOf(node)) {
      last = std::max(last, LastChange(parent));
    }
  }
  last_changes_.emplace(node, last);
  return last;
}

}  // namespace cleave::edit
