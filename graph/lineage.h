// Which roots came from which: every edit replaces roots by new ones, and the rows of both say so.
//
// Everything here is bounded and can be gone on with: an answer that was cut says where the rest begins. Roots are
// visited in the order of their times, the newest first towards the past and the oldest first towards the future. A
// root's formers are all older than it, so what is still to come is never newer than what came: going on from there
// visits no root twice.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "graph/edges.h"
#include "graph/graph_view.h"
#include "graph/ids.h"

namespace cleave::graph {

// What the row of one root says, up to the view's time.
struct RootRow {
  NodeId id{};
  absl::Time created;
  std::vector<NodeId> formers;     // empty for roots of ingest
  std::vector<NodeId> successors;  // empty for the latest
  std::optional<absl::Time> superseded;
  OperationId created_by{};     // 0 for roots of ingest
  OperationId superseded_by{};  // 0 for the latest
};

// Reads rows of roots once each. Not thread-safe. What the view reads from must outlive it.
class RootRows {
 public:
  explicit RootRows(const GraphView& view) : view_(view) {}
  // NOT_FOUND naming an id that is no root at the view's time. References live as long as this.
  [[nodiscard]] absl::Status Read(std::span<const NodeId> roots);
  // REQUIRES: it was read.
  [[nodiscard]] const RootRow& Of(NodeId root) const { return *rows_.at(root); }
  [[nodiscard]] bool Has(NodeId root) const { return rows_.contains(root); }

 private:
  const GraphView view_;
  absl::flat_hash_map<NodeId, std::unique_ptr<RootRow>> rows_;
};

inline constexpr int64_t kLineageRootsMax = 10'000;

// Where to look, from which roots. Both directions are looked at on their own: the future of a root's past is not part
// of the answer.
struct LineageQuery {
  std::vector<NodeId> past_of = {};
  std::vector<NodeId> future_of = {};
  absl::Time not_before = absl::InfinitePast();   // leaves out roots made before
  absl::Time not_after = absl::InfiniteFuture();  // leaves out roots made after
  int64_t roots_max = kLineageRootsMax;           // in one answer, for each direction
  // With those that the two times leave out but a root within them was made from, or became: what stood at these times.
  bool with_border = false;
};

struct Lineage {
  std::vector<RootRow> roots;   // each once, ascending by id; those asked for among them
  std::vector<EdgeEnds> links;  // former, new: ascending
  // Not empty when the answer was cut: ask again with these for the rest. Their links are part of this answer.
  std::vector<NodeId> more_past_of;
  std::vector<NodeId> more_future_of;
  [[nodiscard]] bool is_cut() const { return !more_past_of.empty() || !more_future_of.empty(); }
};
// NOT_FOUND naming an id that is no root at the view's time; INVALID_ARGUMENT for roots_max < 1.
[[nodiscard]] absl::StatusOr<Lineage> ReadLineage(const GraphView& view, const LineageQuery& query);

// A list of roots that may have been cut; then `more` is what to ask for next.
struct RootList {
  std::vector<NodeId> roots;  // ascending
  std::vector<NodeId> more;
};
// All roots that `roots` were made from, or that were made from them; `roots` themselves are left out.
[[nodiscard]] absl::StatusOr<RootList> PastRoots(const GraphView& view, std::span<const NodeId> roots,
                                                 absl::Time not_before, int64_t roots_max);
[[nodiscard]] absl::StatusOr<RootList> FutureRoots(const GraphView& view, std::span<const NodeId> roots,
                                                   absl::Time not_after, int64_t roots_max);
// The ends of the future: what stands now in place of `roots`, those of them that still stand included.
[[nodiscard]] absl::StatusOr<RootList> LatestRootsOf(const GraphView& view, std::span<const NodeId> roots,
                                                     int64_t roots_max);

// For a client that annotated objects in the past: which objects of `past` each root was made from, and what each of
// those is at `future`.
struct PastFutureIds {
  std::map<NodeId, std::vector<NodeId>>
      past;                         // of each root asked for: its ancestors that stood at `past`, or its oldest
  std::map<NodeId, NodeId> future;  // of each of those: the one root it has become; left out where it was split
  bool is_cut = false;              // a history was longer than roots_max: its ids are not among these
};
[[nodiscard]] absl::StatusOr<PastFutureIds> MapPastFuture(const GraphView& view, std::span<const NodeId> roots,
                                                          absl::Time past, absl::Time future, int64_t roots_max);

}  // namespace cleave::graph
