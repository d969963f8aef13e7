// Undo and redo.
//
// 1. A chain of undos and redos leads to the merge or split that it is about: each undo on the way turns the sense
//    around, a redo keeps it.
// 2. What a merge made active, or a split inactive, is in the log. The inverse of a merge parts these edges; the
//    inverse of a split joins them again, and stores none anew. Where a supervoxel was cut in voxels since, its parts
//    stand for it (edge_states.h).
// 3. A split that cut supervoxels in voxels is taken back in the graph alone: the fragments stay. Fragments of one
//    supervoxel that no edge of the split joins again, because they do not touch, get a fake edge, which a redo parts
//    too.
// 4. With the voxels, the fragments become again what they were cut from (restore_plan.h), whether the objects were
//    joined before or not. A redo then has nothing to part: it is a split of its own, with fresh fragments, and the
//    sides of the first one's fragments as the segmentation had them then; where that version is no longer kept,
//    between the points of the first one. It stands for the first one in later undos and redos; the row of that one
//    says so.
// 5. The row of the merge or split says which undo took it back last, or that it stands again.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/edge_plan.h"
#include "edit/edge_states.h"
#include "edit/restore_plan.h"
#include "edit/task.h"
#include "graph/l2_components.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;
using graph::OperationId;

constexpr int kChainLengthMax = 10000;

absl::string_view PastOf(OperationKind kind) { return kind == OperationKind::kUndo ? "undone" : "done again"; }

absl::Status RequireSuccess(const OperationRecord& record, OperationKind wish) {
  if (record.status == OperationStatus::kSuccess) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("operation ", Value(record.id), ", a ", Name(record.kind), ", cannot be ", PastOf(wish),
                   ": its status is '", Name(record.status), "', only successful operations can",
                   record.exception.empty() ? "" : absl::StrCat(" (", record.exception, ")")));
}

class InverseTask final : public Task {
 public:
  InverseTask(OperationKind wish, InverseRequest request) : wish_(wish), request_(std::move(request)) {}

  // Of what is really done: after Look, the sense that the chain leads to.
  OperationKind kind() const override { return sense_; }
  const std::string& user() const override { return request_.user; }
  const EditTerms& terms() const override { return request_.terms; }
  std::string Text() const override {
    return absl::StrCat(Name(wish_), "|", Value(request_.operation), "|", request_.terms.override_protection, "|",
                        request_.user, request_.voxels ? "|voxels" : "");
  }

  absl::StatusOr<cleave::edit::Plan> Plan(const Draft& draft, const LockChunks& lock_chunks, OperationRecord& record,
                                          Stages& stages) override {
    record.kind = sense_;
    record.target = original_.id;
    absl::StatusOr<cleave::edit::Plan> plan;
    if (split_anew_ != nullptr) {
      plan = split_anew_->Plan(draft, lock_chunks, record, stages);
      if (plan.ok()) {
        plan->flip.push_back(OperationLog::CutAgainMark(original_.id, record.id));
      }
    } else if (request_.voxels) {
      record.added_edges = edges_;
      plan = PlanRestore(draft, {record.id, cut_.fragment_origins, cut_.changed_boxes, edges_, roots_, lock_chunks},
                         stages);
    } else if (Joins()) {
      record.added_edges = edges_;
      plan = PlanJoin(draft, record.id, edges_, fake_edges_, stages);
    } else {
      record.removed_edges = edges_;
      plan = PlanPart(draft, record.id, edges_, stages);
    }
    if (plan.ok()) {
      plan->flip.push_back(
          OperationLog::UndoneMark(original_.id, sense_ == OperationKind::kUndo ? record.id : OperationId{}));
    }
    return plan;
  }

 protected:
  absl::StatusOr<std::vector<NodeId>> Look(const Draft& draft) override {
    edges_.clear();
    fake_edges_.clear();
    roots_.clear();
    split_anew_.reset();
    CLEAVE_RETURN_IF_ERROR(FollowChain(draft));
    CLEAVE_RETURN_IF_ERROR(ReadCut(draft));
    CLEAVE_RETURN_IF_ERROR(RequireSense());
    if (sense_ == OperationKind::kRedo && IsUndoneWithVoxels()) {
      return LookAnew(draft);
    }
    if (request_.voxels) {
      return LookForVoxels(draft);
    }
    CLEAVE_RETURN_IF_ERROR(FindEdges(draft));
    if (Joins()) {
      CLEAVE_RETURN_IF_ERROR(JoinFragments(draft));
    }
    if (edges_.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "operation ", Value(original_.id), ", a ", Name(original_.kind), ", cannot be ", PastOf(sense_), ": ",
          Joins() ? "all its edges are active" : "none of its edges is active", ", later edits have seen to that"));
    }
    return EndsOf(edges_);
  }

  absl::Status Check(const Draft&, const std::vector<NodeId>&, const std::vector<NodeId>& roots) override {
    roots_ = roots;
    return absl::OkStatus();
  }

 private:
  bool Joins() const { return (original_.kind == OperationKind::kMerge) == (sense_ == OperationKind::kRedo); }

  absl::Status FollowChain(const Draft& draft) {
    sense_ = wish_;
    OperationId next = request_.operation;
    for (int i = 0; i < kChainLengthMax; ++i) {
      CLEAVE_ASSIGN_OR_RETURN(original_, OperationLog::ReadFrom(draft.reader(), next));
      CLEAVE_RETURN_IF_ERROR(RequireSuccess(original_, wish_));
      if (original_.kind == OperationKind::kMerge || original_.kind == OperationKind::kSplit) {
        return absl::OkStatus();
      }
      if (original_.kind == OperationKind::kRepair) {
        return absl::FailedPreconditionError(
            absl::StrCat("operation ", Value(original_.id), " is a repair; only merges and splits are undone"));
      }
      if (original_.kind == OperationKind::kUndo) {
        sense_ = sense_ == OperationKind::kUndo ? OperationKind::kRedo : OperationKind::kUndo;
      }
      next = original_.target;
    }
    return absl::DataLossError(absl::StrCat("the chain of undos and redos from operation ", Value(request_.operation),
                                            " leads to no merge or split"));
  }

  // What stands for the original today, and what undid it last.
  absl::Status ReadCut(const Draft& draft) {
    cut_ = original_;
    undo_ = {};
    if (original_.cut_again_by != OperationId{}) {
      CLEAVE_ASSIGN_OR_RETURN(cut_, OperationLog::ReadFrom(draft.reader(), original_.cut_again_by));
    }
    if (original_.undone_by.value_or(OperationId{}) != OperationId{}) {
      CLEAVE_ASSIGN_OR_RETURN(undo_, OperationLog::ReadFrom(draft.reader(), *original_.undone_by));
    }
    return absl::OkStatus();
  }

  bool IsUndoneWithVoxels() const { return !undo_.restored.empty(); }

  // A redo of a cut whose fragments are no more: the roots of the split that it is.
  absl::StatusOr<std::vector<NodeId>> LookAnew(const Draft& draft) {
    if (cut_.sources.empty() || cut_.sinks.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("operation ", Value(original_.id), ", a ", Name(original_.kind), ", cannot be ", PastOf(sense_),
                       ": its log has no points to cut between; split the object anew"));
    }
    SplitRequest request{.sources = cut_.sources,
                         .sinks = cut_.sinks,
                         .user = request_.user,
                         .refuse_isolating_cut = false,
                         .more_sides = MoreSidesOf(cut_)};
    CLEAVE_ASSIGN_OR_RETURN(std::optional<EarlierSplit> earlier, FindEarlierSplit(draft));
    split_anew_ = earlier.has_value() ? MakeSplitAgainTask(std::move(request), *std::move(earlier))
                                      : MakeSplitTask(std::move(request));
    absl::StatusOr<std::vector<NodeId>> roots = split_anew_->Resolve(draft);
    return roots.ok() ? roots
                      : Annotate(roots.status(), absl::StrCat("operation ", Value(original_.id), " cannot be ",
                                                              PastOf(sense_), " between its points"));
  }

  // Nothing where the version with the cut's voxels is not there: of a batch that is not written, or removed since.
  absl::StatusOr<std::optional<EarlierSplit>> FindEarlierSplit(const Draft& draft) const {
    if (!cut_.written_generation.has_value()) {
      return std::nullopt;
    }
    absl::StatusOr<std::unique_ptr<volume::Volume>> voxels =
        draft.dataset().SegmentationAt({.generation = cut_.written_generation, .time = std::nullopt});
    if (absl::IsNotFound(voxels.status())) {
      return std::nullopt;
    }
    CLEAVE_RETURN_IF_ERROR(voxels.status());
    return EarlierSplit{*std::move(voxels), cut_.fragment_origins};
  }

  absl::StatusOr<std::vector<NodeId>> LookForVoxels(const Draft& draft) {
    CLEAVE_RETURN_IF_ERROR(RequireFragments(draft));
    CLEAVE_RETURN_IF_ERROR(FindEdges(draft));
    std::vector<NodeId> supervoxels = EndsOf(edges_);
    supervoxels.insert(supervoxels.end(), cut_.fragments.begin(), cut_.fragments.end());
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> partners, FindStalePartners(draft, cut_.fragment_origins));
    supervoxels.insert(supervoxels.end(), partners.begin(), partners.end());
    return supervoxels;
  }

  absl::Status RefuseVoxels(absl::string_view why) const {
    return absl::FailedPreconditionError(absl::StrCat("operation ", Value(cut_.id), ", a ", Name(cut_.kind),
                                                      ", cannot be undone with its voxels: ", why));
  }

  // That the cut made fragments, and all of them stand.
  absl::Status RequireFragments(const Draft& draft) const {
    if (cut_.fragments.empty()) {
      return RefuseVoxels("it cut no supervoxel in voxels, so there are no old ids; undo it without the voxels");
    }
    if (cut_.fragment_origins.size() != cut_.fragments.size()) {
      return RefuseVoxels("its log does not say what its fragments were cut from; undo it without the voxels");
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::vector<NodeId>> replacements,
                            draft.Now().Replacements(cut_.fragments));
    for (size_t i = 0; i < replacements.size(); ++i) {
      if (!replacements[i].empty()) {
        CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                                draft.reader().ReadRow(table::NodeRowKey(Value(replacements[i].front())),
                                                       {.columns = {table::columns::kOperationId}}));
        const auto made_by = row.cells.find(table::columns::kOperationId);
        if (made_by == row.cells.end()) {
          return RefuseVoxels(absl::StrCat("its fragment ", Value(cut_.fragments[i]), " is no more"));
        }
        CLEAVE_ASSIGN_OR_RETURN(const uint64_t operation, table::DecodeIdText(made_by->second.back().value));
        return RefuseVoxels(absl::StrCat("its fragment ", Value(cut_.fragments[i]),
                                         " was cut again since, by operation ", operation,
                                         "; undo that with its voxels first, or this without"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status RequireSense() const {
    if (request_.voxels && sense_ == OperationKind::kRedo) {
      return absl::InvalidArgumentError(
          absl::StrCat("voxels get their old ids back by an undo; this would do operation ", Value(original_.id),
                       " again, leave the voxels out"));
    }
    if (!original_.undone_by.has_value()) {
      return absl::OkStatus();  // the edges tell
    }
    const bool undone = *original_.undone_by != OperationId{};
    const bool is_half = request_.voxels && !IsUndoneWithVoxels();  // the objects are joined, the ids still new
    if (sense_ == OperationKind::kUndo && undone && !is_half) {
      return absl::FailedPreconditionError(absl::StrCat("operation ", Value(original_.id), ", a ", Name(original_.kind),
                                                        ", is undone already, by operation ",
                                                        Value(*original_.undone_by)));
    }
    if (sense_ == OperationKind::kRedo && !undone) {
      return absl::FailedPreconditionError(absl::StrCat("operation ", Value(original_.id), ", a ", Name(original_.kind),
                                                        ", was done again already; it stands"));
    }
    return absl::OkStatus();
  }

  // Adds those of `recorded` that are not yet as they should be.
  absl::Status AddEdges(const Draft& draft, const std::vector<EdgeEnds>& recorded) {
    if (recorded.empty()) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const EdgeStates states, FindEdgeStates(draft, recorded));
    if (!states.missing.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("operation ", Value(original_.id), ", a ", Name(original_.kind), ", cannot be ", PastOf(sense_),
                       ": there is no edge between supervoxels ", Value(states.missing[0].node1), " and ",
                       Value(states.missing[0].node2)));
    }
    const std::vector<EdgeEnds>& wanted = Joins() ? states.inactive : states.active;
    edges_.insert(edges_.end(), wanted.begin(), wanted.end());
    return absl::OkStatus();
  }

  absl::Status FindEdges(const Draft& draft) {
    const bool merge = original_.kind == OperationKind::kMerge;
    CLEAVE_RETURN_IF_ERROR(AddEdges(draft, merge ? original_.added_edges : cut_.removed_edges));
    if (!merge && !Joins()) {
      CLEAVE_RETURN_IF_ERROR(AddEdges(draft, undo_.added_edges));
    }
    std::ranges::sort(edges_);
    edges_.erase(std::ranges::unique(edges_).begin(), edges_.end());
    return absl::OkStatus();
  }

  // One part of every fragment, in lists by the supervoxel that they were.
  absl::StatusOr<std::map<NodeId, std::vector<NodeId>>> Siblings(const Draft& draft) const {
    std::map<NodeId, std::vector<NodeId>> siblings;
    CLEAVE_ASSIGN_OR_RETURN(const auto parts, FindParts(draft, cut_.fragments));
    for (const Fragment& fragment : cut_.fragment_origins) {
      siblings[fragment.former].push_back(parts.at(fragment.id).front());
    }
    return siblings;
  }

  // Adds an edge between fragments of one supervoxel that would stay apart.
  absl::Status JoinFragments(const Draft& draft) {
    CLEAVE_ASSIGN_OR_RETURN(const auto siblings, Siblings(draft));
    std::vector<NodeId> supervoxels = EndsOf(edges_);
    for (const auto& [former, list] : siblings) {
      supervoxels.insert(supervoxels.end(), list.begin(), list.end());
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, draft.Now().Roots(supervoxels));
    absl::flat_hash_map<NodeId, NodeId> root_of;
    for (size_t i = 0; i < supervoxels.size(); ++i) {
      root_of[supervoxels[i]] = roots[i];
    }
    std::vector<EdgeEnds> joined;
    joined.reserve(edges_.size());
    for (const EdgeEnds& edge : edges_) {
      joined.push_back({root_of.at(edge.node1), root_of.at(edge.node2)});
    }
    std::vector<EdgeEnds> wanted;
    absl::flat_hash_map<NodeId, NodeId> object_of = ObjectsOf(roots, joined);
    for (const auto& [former, list] : siblings) {
      for (const NodeId other : list) {
        const EdgeEnds apart{root_of.at(list.front()), root_of.at(other)};
        if (object_of.at(apart.node1) != object_of.at(apart.node2)) {
          wanted.push_back(EdgeEnds{list.front(), other}.Sorted());
          joined.push_back(apart);
          object_of = ObjectsOf(roots, joined);
        }
      }
    }
    return AddFragmentEdges(draft, wanted);
  }

  absl::Status AddFragmentEdges(const Draft& draft, const std::vector<EdgeEnds>& wanted) {
    if (wanted.empty()) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const EdgeStates states, FindEdgeStates(draft, wanted));
    fake_edges_ = states.missing;
    edges_.insert(edges_.end(), wanted.begin(), wanted.end());
    std::ranges::sort(edges_);
    edges_.erase(std::ranges::unique(edges_).begin(), edges_.end());
    return absl::OkStatus();
  }

  // The smallest root of those that `joined` makes one object.
  static absl::flat_hash_map<NodeId, NodeId> ObjectsOf(std::vector<NodeId> roots, const std::vector<EdgeEnds>& joined) {
    std::ranges::sort(roots);
    roots.erase(std::ranges::unique(roots).begin(), roots.end());
    absl::flat_hash_map<NodeId, NodeId> object_of;
    for (const std::vector<NodeId>& component : graph::ComponentsOf(roots, joined)) {
      for (const NodeId root : component) {
        object_of[root] = component.front();
      }
    }
    return object_of;
  }

  const OperationKind wish_;
  const InverseRequest request_;
  OperationKind sense_ = wish_;
  OperationRecord original_;
  OperationRecord cut_;   // what stands for the original: itself, or the redo that cut anew
  OperationRecord undo_;  // the last undo of the original, while it is undone
  std::unique_ptr<Task> split_anew_;
  std::vector<NodeId> roots_;         // as Check got them
  std::vector<EdgeEnds> edges_;       // to be changed
  std::vector<EdgeEnds> fake_edges_;  // those of them that do not exist yet
};

}  // namespace

std::unique_ptr<Task> MakeUndoTask(UndoRequest request) {
  return std::make_unique<InverseTask>(OperationKind::kUndo, std::move(request));
}

std::unique_ptr<Task> MakeRedoTask(RedoRequest request) {
  return std::make_unique<InverseTask>(OperationKind::kRedo, std::move(request));
}

}  // namespace cleave::edit
