// Many edits in one request, with a report for each. An item is the name of a route and what would be its body:
//
//   {"whole": false, "items": [{"merge": [[id, x, y, z], [id, x, y, z]]},
//                              {"split": {"sources": [...], "sinks": [...]}},
//                              {"undo": {"operation_id": 7}}, {"redo": {"operation_id": 7}}]}
//
// Points mean what the voxels hold when the request comes. Nothing is begun before all items are read.
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "server/edit_calls.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using nlohmann::json;

// An item as the request of its own that it stands for. Without the batch's name, from which each item gets one.
absl::StatusOr<edit::BatchItem> ItemOf(Service& service, const Request& batch, const BatchBody::Item& item) {
  Request one = batch;
  one.headers.erase("idempotency-key");
  one.body = item.body;
  if (item.route == "merge") {
    return MergeOf(service, one);
  }
  if (item.route == "split") {
    return SplitOf(service, one);
  }
  if (item.route == "undo") {
    return UndoOf(one);
  }
  return RedoOf(one);
}

absl::StatusOr<edit::BatchRequest> BatchOf(Service& service, const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const BatchBody body, BatchBodyOf(request));
  edit::BatchRequest batch;
  batch.as_a_whole = body.whole;
  batch.key = EditTermsOf(request).key;
  Request bare = request;
  bare.body.clear();
  for (const BatchBody::Item& item : body.items) {
    absl::StatusOr<edit::BatchItem> read = ItemOf(service, bare, item);
    if (!read.ok()) {
      return Annotate(read.status(), absl::StrCat("item ", batch.items.size(), ", and nothing was done"));
    }
    batch.items.push_back(*std::move(read));
  }
  return batch;
}

std::string KindOf(const edit::BatchItem& item) {
  constexpr const char* kKinds[] = {"merge", "split", "undo", "redo"};
  return kKinds[item.index()];
}

void Count(Service& service, const edit::BatchRequest& batch, const edit::BatchReport& report) {
  for (size_t i = 0; i < report.items.size(); ++i) {
    const edit::ItemReport& item = report.items[i];
    if (absl::IsCancelled(item.status)) {
      continue;  // not begun, for the sake of another
    }
    service.metrics.CountEdit(service.name, KindOf(batch.items[i]), OutcomeOf(item.status));
    // As a whole, all items share the stages.
    if (item.status.ok() && (!batch.as_a_whole || i == 0)) {
      service.metrics.ObserveEdit(service.name, KindOf(batch.items[i]), item.edit.stages);
    }
  }
}

// A batch that was to be done as a whole and was not is an error, which names the item. Else what could not be done
// stands beside what was.
absl::StatusOr<Response> AnswerBatch(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const edit::BatchRequest batch, BatchOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(const edit::BatchReport report, service.editor.Run(batch));
  Count(service, batch, report);
  json items = json::array();
  for (const edit::ItemReport& item : report.items) {
    if (batch.as_a_whole && !report.done && !absl::IsCancelled(item.status)) {
      return Annotate(item.status, absl::StrCat("nothing was done, because of item ", items.size()));
    }
    items.push_back(item.status.ok() ? EditJson(item.edit, WantsText(call.request))
                                     : json::parse(ErrorResponse(item.status, 0).body));
  }
  return JsonResponse({{"done", report.done}, {"items", items}});
}

}  // namespace

std::vector<Route> BatchRoutes() { return {{"POST", std::string(kSegmentation) + "batch", Right::kEdit, AnswerBatch}}; }

}  // namespace cleave::server
