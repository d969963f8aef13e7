#include "graph/lineage.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>

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

constexpr size_t kReadAhead = 1'000;  // roots whose neighbours are read together

absl::StatusOr<RootRow> DecodeRootRow(NodeId id, const table::Row& row) {
  RootRow root;
  root.id = id;
  root.created = row.Newest(columns::kChild)->time;
  if (const table::Cell* cell = row.Newest(columns::kFormerParent)) {
    CLEAVE_ASSIGN_OR_RETURN(root.formers, table::DecodeArray<NodeId>(cell->value));
  }
  if (const auto cells = row.cells.find(columns::kNewParent); cells != row.cells.end()) {
    root.superseded = cells->second.back().time;
    CLEAVE_ASSIGN_OR_RETURN(root.successors, table::DecodeArray<NodeId>(cells->second.front().value));
  }
  if (const auto cells = row.cells.find(columns::kOperationId); cells != row.cells.end()) {
    for (const table::Cell& cell : cells->second) {  // newest first
      CLEAVE_ASSIGN_OR_RETURN(const uint64_t operation, table::DecodeIdText(cell.value));
      const bool is_end = root.superseded.has_value() && cell.time >= *root.superseded;
      (is_end ? root.superseded_by : root.created_by) = OperationId{operation};
    }
  }
  return root;
}

// One direction of a lineage.
class Search {
 public:
  enum class Direction { kPast, kFuture };
  Search(RootRows& rows, Direction direction, const LineageQuery& query)
      : rows_(rows), direction_(direction), query_(query) {}

  absl::Status Run(std::span<const NodeId> from) {
    CLEAVE_RETURN_IF_ERROR(rows_.Read(from));
    std::ranges::for_each(from, [&](NodeId root) { Push(root); });
    while (!queue_.empty() && std::ssize(visited_) < query_.roots_max) {
      const NodeId root = queue_.begin()->second;
      CLEAVE_RETURN_IF_ERROR(ReadAhead(root));
      queue_.erase(queue_.begin());
      visited_.push_back(root);
      for (const NodeId neighbour : NeighboursOf(root)) {
        const bool is_wanted = IsWanted(neighbour);
        if (!is_wanted && !IsBorder(root, neighbour)) {
          continue;
        }
        links_.push_back(direction_ == Direction::kPast ? EdgeEnds{neighbour, root} : EdgeEnds{root, neighbour});
        if (is_wanted) {
          Push(neighbour);
        } else if (seen_.insert(neighbour).second) {
          visited_.push_back(neighbour);
        }
      }
    }
    return absl::OkStatus();
  }

  [[nodiscard]] const std::vector<NodeId>& visited() const { return visited_; }
  [[nodiscard]] const std::vector<EdgeEnds>& links() const { return links_; }
  [[nodiscard]] std::vector<NodeId> Rest() const {
    std::vector<NodeId> rest;
    std::ranges::transform(queue_, std::back_inserter(rest), &std::pair<int64_t, NodeId>::second);
    std::ranges::sort(rest);
    return rest;
  }

 private:
  const std::vector<NodeId>& NeighboursOf(NodeId root) const {
    const RootRow& row = rows_.Of(root);
    return direction_ == Direction::kPast ? row.formers : row.successors;
  }
  bool IsWanted(NodeId root) const {
    const absl::Time created = rows_.Of(root).created;
    return created >= query_.not_before && created <= query_.not_after;
  }
  // Whether a neighbour that the times leave out stood at the time that leaves it out, or is what comes next.
  bool IsBorder(NodeId root, NodeId neighbour) const {
    if (!query_.with_border || !IsWanted(root)) {
      return false;
    }
    const std::optional<absl::Time>& superseded = rows_.Of(neighbour).superseded;
    return direction_ == Direction::kFuture || (superseded.has_value() && *superseded > query_.not_before);
  }
  void Push(NodeId root) {
    if (seen_.insert(root).second) {
      const int64_t time_ms = absl::ToUnixMillis(rows_.Of(root).created);
      queue_.insert({direction_ == Direction::kPast ? -time_ms : time_ms, root});
    }
  }
  // The rows of the neighbours of `root`, and of those that come next.
  absl::Status ReadAhead(NodeId root) {
    const std::vector<NodeId>& needed = NeighboursOf(root);
    if (std::ranges::all_of(needed, [&](NodeId id) { return rows_.Has(id); })) {
      return absl::OkStatus();
    }
    std::vector<NodeId> wanted;
    for (auto it = queue_.begin(); it != queue_.end() && wanted.size() < kReadAhead; ++it) {
      const std::vector<NodeId>& neighbours = NeighboursOf(it->second);
      wanted.insert(wanted.end(), neighbours.begin(), neighbours.end());
    }
    return rows_.Read(wanted);
  }

  RootRows& rows_;
  const Direction direction_;
  const LineageQuery& query_;
  std::set<std::pair<int64_t, NodeId>> queue_;  // by the order of visits
  absl::flat_hash_set<NodeId> seen_;
  std::vector<NodeId> visited_;
  std::vector<EdgeEnds> links_;
};

void SortOnce(std::vector<NodeId>& ids) {
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
}

absl::StatusOr<RootList> Without(absl::StatusOr<Lineage> lineage, std::span<const NodeId> asked,
                                 std::vector<NodeId> Lineage::*more) {
  CLEAVE_RETURN_IF_ERROR(lineage.status());
  RootList list;
  list.more = std::move((*lineage).*more);
  const absl::flat_hash_set<NodeId> left_out(asked.begin(), asked.end());
  for (const RootRow& root : lineage->roots) {
    if (!left_out.contains(root.id)) {
      list.roots.push_back(root.id);
    }
  }
  return list;
}

// The one root that `start` has become; nullopt where it was split, or the way is longer than `steps_max`.
absl::StatusOr<std::optional<NodeId>> Follow(RootRows& rows, NodeId start, absl::Time until, int64_t steps_max,
                                             bool& is_cut) {
  NodeId root = start;
  for (int64_t step = 0; step < steps_max; ++step) {
    const RootRow& row = rows.Of(root);
    if (row.successors.empty() || *row.superseded > until) {
      return root;
    }
    if (row.successors.size() > 1) {
      return std::nullopt;
    }
    root = row.successors.front();
    CLEAVE_RETURN_IF_ERROR(rows.Read(row.successors));
  }
  is_cut = true;
  return std::nullopt;
}

}  // namespace

absl::Status RootRows::Read(std::span<const NodeId> roots) {
  std::vector<NodeId> unread;
  std::ranges::copy_if(roots, std::back_inserter(unread), [&](NodeId id) { return !Has(id); });
  SortOnce(unread);
  std::vector<std::string> keys;
  for (const NodeId root : unread) {
    if (view_.layout().LayerOf(root) != view_.layout().layer_count()) {
      return absl::NotFoundError(
          absl::StrCat("id ", Value(root), " is not an object: objects have layer ", view_.layout().layer_count()));
    }
    keys.push_back(table::NodeRowKey(Value(root)));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          view_.reader().ReadRows(keys, {.columns = {columns::kChild, columns::kFormerParent,
                                                                     columns::kNewParent, columns::kOperationId},
                                                         .end = view_.at(),
                                                         .end_inclusive = true}));
  for (size_t i = 0; i < unread.size(); ++i) {
    if (rows[i].Newest(columns::kChild) == nullptr) {
      return absl::NotFoundError(absl::StrCat("there is no object ", Value(unread[i]), " at this time"));
    }
    absl::StatusOr<RootRow> row = DecodeRootRow(unread[i], rows[i]);
    if (!row.ok()) {
      return Annotate(row.status(), absl::StrCat("row of object ", Value(unread[i])));
    }
    rows_[unread[i]] = std::make_unique<RootRow>(*std::move(row));
  }
  return absl::OkStatus();
}

absl::StatusOr<Lineage> ReadLineage(const GraphView& view, const LineageQuery& query) {
  if (query.roots_max < 1) {
    return absl::InvalidArgumentError("a lineage needs room for at least one object");
  }
  RootRows rows(view);
  Search past(rows, Search::Direction::kPast, query);
  Search future(rows, Search::Direction::kFuture, query);
  CLEAVE_RETURN_IF_ERROR(past.Run(query.past_of));
  CLEAVE_RETURN_IF_ERROR(future.Run(query.future_of));
  Lineage lineage;
  lineage.more_past_of = past.Rest();
  lineage.more_future_of = future.Rest();
  std::vector<NodeId> ids = past.visited();
  ids.insert(ids.end(), future.visited().begin(), future.visited().end());
  SortOnce(ids);
  for (const NodeId id : ids) {
    lineage.roots.push_back(rows.Of(id));
  }
  lineage.links = past.links();
  lineage.links.insert(lineage.links.end(), future.links().begin(), future.links().end());
  std::ranges::sort(lineage.links);
  lineage.links.erase(std::ranges::unique(lineage.links).begin(), lineage.links.end());
  return lineage;
}

absl::StatusOr<RootList> PastRoots(const GraphView& view, std::span<const NodeId> roots, absl::Time not_before,
                                   int64_t roots_max) {
  return Without(
      ReadLineage(view, {.past_of = {roots.begin(), roots.end()}, .not_before = not_before, .roots_max = roots_max}),
      roots, &Lineage::more_past_of);
}

absl::StatusOr<RootList> FutureRoots(const GraphView& view, std::span<const NodeId> roots, absl::Time not_after,
                                     int64_t roots_max) {
  return Without(
      ReadLineage(view, {.future_of = {roots.begin(), roots.end()}, .not_after = not_after, .roots_max = roots_max}),
      roots, &Lineage::more_future_of);
}

absl::StatusOr<RootList> LatestRootsOf(const GraphView& view, std::span<const NodeId> roots, int64_t roots_max) {
  CLEAVE_ASSIGN_OR_RETURN(Lineage lineage,
                          ReadLineage(view, {.future_of = {roots.begin(), roots.end()}, .roots_max = roots_max}));
  RootList list;
  list.more = std::move(lineage.more_future_of);
  for (const RootRow& root : lineage.roots) {
    if (root.successors.empty()) {
      list.roots.push_back(root.id);
    }
  }
  return list;
}

absl::StatusOr<PastFutureIds> MapPastFuture(const GraphView& view, std::span<const NodeId> roots, absl::Time past,
                                            absl::Time future, int64_t roots_max) {
  PastFutureIds ids;
  RootRows rows(view);
  for (const NodeId root : roots) {
    const LineageQuery query{.not_before = past, .roots_max = roots_max, .with_border = true};
    Search search(rows, Search::Direction::kPast, query);
    const NodeId one[] = {root};
    CLEAVE_RETURN_IF_ERROR(search.Run(one));
    if (!search.Rest().empty()) {
      ids.is_cut = true;
      continue;
    }
    absl::flat_hash_set<NodeId> younger;
    for (const EdgeEnds& link : search.links()) {
      younger.insert(link.node2);
    }
    std::vector<NodeId>& oldest = ids.past[root];
    std::ranges::copy_if(search.visited(), std::back_inserter(oldest),
                         [&](NodeId id) { return !younger.contains(id); });
    std::ranges::sort(oldest);
    for (const NodeId id : oldest) {
      CLEAVE_ASSIGN_OR_RETURN(const std::optional<NodeId> latest, Follow(rows, id, future, roots_max, ids.is_cut));
      if (latest.has_value()) {
        ids.future[id] = *latest;
      }
    }
  }
  return ids;
}

}  // namespace cleave::graph
