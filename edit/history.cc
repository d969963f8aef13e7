#include "edit/history.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/node_times.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::GraphView;
using graph::NodeId;
using graph::OperationId;

constexpr absl::Duration kBeforeFirstOperation = absl::Milliseconds(500);

void SortUnique(std::vector<NodeId>& ids) {
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
}

bool IsMerge(const OperationRecord& record) {
  return !record.added_edges.empty() || !record.restored.empty() || record.kind == OperationKind::kMerge;
}

// The supervoxels that an operation was about.
std::vector<NodeId> SupervoxelsOf(const OperationRecord& record) {
  std::vector<NodeId> ids = record.source_supervoxels;
  ids.insert(ids.end(), record.sink_supervoxels.begin(), record.sink_supervoxels.end());
  if (ids.empty()) {
    for (const std::vector<EdgeEnds>* edges : {&record.added_edges, &record.removed_edges}) {
      for (const EdgeEnds& edge : *edges) {
        ids.insert(ids.end(), {edge.node1, edge.node2});
      }
    }
  }
  if (ids.empty()) {
    std::ranges::transform(record.restored, std::back_inserter(ids), &Restored::fragment);
  }
  return ids;
}

// The roots of supervoxels at one time; of those that were cut, the roots of all that is left of them.
class RootsAt {
 public:
  static absl::StatusOr<RootsAt> Read(const GraphView& view, std::vector<NodeId> supervoxels) {
    SortUnique(supervoxels);
    RootsAt result;
    std::vector<NodeId> frontier = std::move(supervoxels);
    std::vector<NodeId> standing;
    while (!frontier.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> fragments, view.Replacements(frontier));
      std::vector<NodeId> next;
      for (size_t i = 0; i < frontier.size(); ++i) {
        if (fragments[i].empty()) {
          standing.push_back(frontier[i]);
          continue;
        }
        result.fragments_[frontier[i]] = fragments[i];
        std::ranges::copy_if(fragments[i], std::back_inserter(next),
                             [&](NodeId id) { return !result.fragments_.contains(id); });
      }
      SortUnique(next);
      frontier = std::move(next);
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, view.Roots(standing));
    for (size_t i = 0; i < standing.size(); ++i) {
      result.root_of_[standing[i]] = roots[i];
    }
    return result;
  }

  [[nodiscard]] std::set<NodeId> Of(NodeId supervoxel) const {
    std::set<NodeId> roots;
    std::vector<NodeId> stack = {supervoxel};
    while (!stack.empty()) {
      const NodeId id = stack.back();
      stack.pop_back();
      if (const auto fragments = fragments_.find(id); fragments != fragments_.end()) {
        stack.insert(stack.end(), fragments->second.begin(), fragments->second.end());
      } else if (const auto root = root_of_.find(id); root != root_of_.end()) {
        roots.insert(root->second);
      }
    }
    return roots;
  }
  [[nodiscard]] bool AreApart(const std::vector<NodeId>& supervoxels) const {
    std::set<NodeId> roots;
    for (const NodeId supervoxel : supervoxels) {
      roots.merge(Of(supervoxel));
    }
    return roots.size() > 1;
  }

 private:
  absl::flat_hash_map<NodeId, std::vector<NodeId>> fragments_;
  absl::flat_hash_map<NodeId, NodeId> root_of_;
};

// Sets the two flags of each change.
absl::Status Judge(const GraphView& view, absl::Time ingested, const graph::RootRow& root,
                   std::vector<ObjectChange>& changes) {
  std::vector<NodeId> supervoxels;
  for (const ObjectChange& change : changes) {
    const std::vector<NodeId> own = SupervoxelsOf(change.operation);
    supervoxels.insert(supervoxels.end(), own.begin(), own.end());
  }
  const GraphView at_ingest(view.layout(), view.reader(), ingested);
  const GraphView at_creation(view.layout(), view.reader(), root.created);
  CLEAVE_ASSIGN_OR_RETURN(const RootsAt first, RootsAt::Read(at_ingest, supervoxels));
  CLEAVE_ASSIGN_OR_RETURN(const RootsAt then, RootsAt::Read(at_creation, supervoxels));
  CLEAVE_ASSIGN_OR_RETURN(const RootsAt now, RootsAt::Read(view, supervoxels));
  for (ObjectChange& change : changes) {
    const std::vector<NodeId> own = SupervoxelsOf(change.operation);
    const auto is_in = [&](NodeId supervoxel) { return then.Of(supervoxel).contains(root.id); };
    change.in_neuron = change.is_merge ? std::ranges::all_of(own, is_in) : std::ranges::any_of(own, is_in);
    change.is_relevant = change.is_merge ? first.AreApart(own) : now.AreApart(own);
  }
  return absl::OkStatus();
}

std::vector<NodeId> RootsMadeBy(const std::vector<OperationRecord>& operations) {
  std::vector<NodeId> made;
  for (const OperationRecord& record : operations) {
    made.insert(made.end(), record.new_roots.begin(), record.new_roots.end());
  }
  SortUnique(made);
  return made;
}

// From the rows of the roots: logs that others wrote do not say what was replaced. REQUIRES: the rows were read.
std::vector<NodeId> FormersOf(const graph::RootRows& rows, const std::vector<NodeId>& made) {
  std::vector<NodeId> formers;
  for (const NodeId root : made) {
    const std::vector<NodeId>& own = rows.Of(root).formers;
    formers.insert(formers.end(), own.begin(), own.end());
  }
  SortUnique(formers);
  return formers;
}

// What the operations of a page made and replaced.
struct MadeAndReplaced {
  std::vector<NodeId> made;
  std::vector<NodeId> replaced;
};
absl::StatusOr<MadeAndReplaced> RootsOf(const GraphView& view, const std::vector<OperationRecord>& operations) {
  MadeAndReplaced roots{RootsMadeBy(operations), {}};
  graph::RootRows rows(view);
  CLEAVE_RETURN_IF_ERROR(rows.Read(roots.made));
  roots.replaced = FormersOf(rows, roots.made);
  return roots;
}

}  // namespace

absl::StatusOr<ChangeLog> ReadChangeLog(const GraphView& view, absl::Time ingested, const ChangeQuery& query) {
  graph::RootRows rows(view);
  const NodeId one[] = {query.root};
  CLEAVE_RETURN_IF_ERROR(rows.Read(one));
  graph::LineageQuery past{
      .past_of = query.continue_from, .not_before = query.not_before, .roots_max = query.roots_max};
  if (past.past_of.empty()) {
    past.past_of = {query.root};
  }
  CLEAVE_ASSIGN_OR_RETURN(graph::Lineage lineage, graph::ReadLineage(view, past));
  ChangeLog log;
  log.continue_from = std::move(lineage.more_past_of);
  std::vector<OperationId> ids;
  for (const graph::RootRow& root : lineage.roots) {
    if (root.created_by != OperationId{}) {
      ids.push_back(root.created_by);
    }
    if (root.id != query.root) {
      log.past_roots.push_back(root.id);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<OperationRecord> operations, ReadOperations(view.reader(), ids));
  CLEAVE_RETURN_IF_ERROR(rows.Read(RootsMadeBy(operations)));
  for (OperationRecord& record : operations) {
    ObjectChange change;
    change.after_roots = record.new_roots;
    change.before_roots = FormersOf(rows, record.new_roots);
    change.is_merge = IsMerge(record);
    change.operation = std::move(record);
    log.changes.push_back(std::move(change));
  }
  CLEAVE_RETURN_IF_ERROR(Judge(view, ingested, rows.Of(query.root), log.changes));
  if (query.filtered) {
    std::erase_if(log.changes, [](const ObjectChange& change) { return !change.in_neuron || !change.is_relevant; });
  }
  return log;
}

ChangeSummary Summarize(const ChangeLog& log) {
  ChangeSummary summary;
  for (const ObjectChange& change : log.changes) {
    for (ChangeCount* count : {&summary.all, &summary.by_user[change.operation.user]}) {
      (change.is_merge ? count->merges : count->splits) += 1;
    }
    summary.operations.push_back(change.operation.id);
  }
  return summary;
}

std::vector<MergeEntry> MergesOf(const ChangeLog& log) {
  std::vector<MergeEntry> merges;
  for (const ObjectChange& change : log.changes) {
    if (change.is_merge) {
      const OperationRecord& record = change.operation;
      merges.push_back({record.id, record.added_edges, record.sources, record.sinks});
    }
  }
  return merges;
}

absl::StatusOr<DeltaRoots> ReadDeltaRoots(const GraphView& view, const LogWindow& window, OperationId from,
                                          int64_t operations_max) {
  CLEAVE_ASSIGN_OR_RETURN(const LogPage page, ReadLogPage(view.reader(), window, from, operations_max));
  CLEAVE_ASSIGN_OR_RETURN(const MadeAndReplaced roots, RootsOf(view, page.operations));
  const GraphView at_end(view.layout(), view.reader(), window.until);
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::RootLife> made, graph::RootLives(at_end, roots.made));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::RootLife> replaced, graph::RootLives(at_end, roots.replaced));
  DeltaRoots delta;
  delta.next = page.next;
  for (size_t i = 0; i < roots.made.size(); ++i) {
    if (made[i].is_latest()) {
      delta.new_roots.push_back(roots.made[i]);
    }
  }
  for (size_t i = 0; i < roots.replaced.size(); ++i) {
    if (replaced[i].created.has_value() && *replaced[i].created <= window.after) {
      delta.old_roots.push_back(roots.replaced[i]);
    }
  }
  return delta;
}

absl::StatusOr<DeltaRoots> ReadProofreadRoots(const GraphView& view, const LogWindow& window, OperationId from,
                                              int64_t operations_max) {
  CLEAVE_ASSIGN_OR_RETURN(const LogPage page, ReadLogPage(view.reader(), window, from, operations_max));
  CLEAVE_ASSIGN_OR_RETURN(MadeAndReplaced roots, RootsOf(view, page.operations));
  return DeltaRoots{std::move(roots.replaced), std::move(roots.made), page.next};
}

absl::StatusOr<LogPage> ReadUserOperations(const table::TableReader& reader, const UserQuery& query) {
  CLEAVE_ASSIGN_OR_RETURN(LogPage page, ReadLogPage(reader, query.window, query.from, query.operations_max));
  std::erase_if(page.operations, [&](const OperationRecord& record) { return record.user != query.user; });
  if (!query.include_undone) {
    CLEAVE_ASSIGN_OR_RETURN(const UndoneOperations undone, ReadUndone(reader));
    std::erase_if(page.operations, [&](const OperationRecord& record) {
      return undone.undone.contains(record.id) || undone.undo_or_redo.contains(record.id);
    });
  }
  return page;
}

absl::StatusOr<absl::Time> LastEditOf(const GraphView& view, NodeId root) {
  graph::RootRows rows(view);
  const NodeId one[] = {root};
  CLEAVE_RETURN_IF_ERROR(rows.Read(one));
  return rows.Of(root).created;
}

absl::StatusOr<absl::Time> OldestTime(const table::TableReader& reader, absl::Time ingested) {
  CLEAVE_ASSIGN_OR_RETURN(const LogPage first, ReadLogPage(reader, {}, OperationId{}, 1));
  if (first.operations.empty()) {
    return ingested;
  }
  return std::max(ingested, first.operations.front().time - kBeforeFirstOperation);
}

}  // namespace cleave::edit
