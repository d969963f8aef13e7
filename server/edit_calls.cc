#include "server/edit_calls.h"

#include <utility>

#include "base/status.h"
#include "server/marked_points.h"

namespace cleave::server {

using nlohmann::json;

edit::EditTerms EditTermsOf(const Request& request) {
  edit::EditTerms terms;
  terms.key = std::string(HeaderOf(request, "idempotency-key"));
  return terms;
}

std::string OutcomeOf(const absl::Status& status) {
  if (status.ok()) {
    return "done";
  }
  const bool is_fault = absl::IsInternal(status) || absl::IsDataLoss(status) || absl::IsUnknown(status);
  return is_fault ? "failed" : "refused";
}

absl::StatusOr<edit::MergeRequest> MergeOf(Service& service, const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const MarkedSides sides,
                          TwoPointsOf(request, service.dataset.meta().voxel_size_nm, service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<VoxelPoint> voxels,
                          VoxelsAt(service, absl::InfiniteFuture(), {sides.sources[0], sides.sinks[0]}));
  edit::MergeRequest merge{.source = voxels[0], .sink = voxels[1], .user = request.user};
  merge.terms = EditTermsOf(request);
  CLEAVE_ASSIGN_OR_RETURN(merge.chebyshev_distance_max_chunks, ChebyshevDistanceOf(request));
  return merge;
}

absl::StatusOr<edit::SplitRequest> SplitOf(Service& service, const Request& request) {
  if (!FlagOf(request, "mincut", true)) {
    return absl::InvalidArgumentError("a split without a minimum cut (mincut=false) is not offered");
  }
  CLEAVE_ASSIGN_OR_RETURN(const MarkedSides sides,
                          SplitPointsOf(request, service.dataset.meta().voxel_size_nm, service.limits));
  edit::SplitRequest split{.user = request.user};
  CLEAVE_ASSIGN_OR_RETURN(split.sources, VoxelsAt(service, absl::InfiniteFuture(), sides.sources));
  CLEAVE_ASSIGN_OR_RETURN(split.sinks, VoxelsAt(service, absl::InfiniteFuture(), sides.sinks));
  for (const std::vector<MarkedPoint>& side : sides.more) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<VoxelPoint> voxels, VoxelsAt(service, absl::InfiniteFuture(), side));
    split.more_sides.push_back(std::move(voxels));
  }
  split.terms = EditTermsOf(request);
  return split;
}

namespace {

template <typename Inverse>
absl::StatusOr<Inverse> InverseOf(const Request& request) {
  Inverse inverse;
  CLEAVE_ASSIGN_OR_RETURN(inverse.operation, OperationOf(request));
  inverse.user = request.user;
  inverse.terms = EditTermsOf(request);
  return inverse;
}

}  // namespace

absl::StatusOr<edit::UndoRequest> UndoOf(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(edit::UndoRequest undo, InverseOf<edit::UndoRequest>(request));
  CLEAVE_ASSIGN_OR_RETURN(undo.voxels, VoxelsWished(request));
  return undo;
}

absl::StatusOr<edit::RedoRequest> RedoOf(const Request& request) { return InverseOf<edit::RedoRequest>(request); }

json EditJson(const edit::EditReport& report, bool as_text) {
  json boxes = json::array();
  for (const Box& box : report.changed_boxes) {
    boxes.push_back({{box.lo.x, box.lo.y, box.lo.z}, {box.hi.x, box.hi.y, box.hi.z}});
  }
  return {{"operation_id", IdJson(report.operation, as_text)},
          {"new_root_ids", IdsJson(report.new_roots, as_text)},
          {"old_root_ids", IdsJson(report.old_roots, as_text)},
          {"new_lvl2_ids", IdsJson(report.new_l2_nodes, as_text)},
          {"boxes", boxes}};
}

}  // namespace cleave::server
