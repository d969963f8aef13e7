// Cleave's own questions and orders, for the operator's page: what was edited, what is going on, what is stuck, what is
// protected. All ids are decimal strings, so that no page loses digits.
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/log_pages.h"
#include "edit/protection.h"
#include "edit/scope_locks.h"
#include "edit/stuck.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using nlohmann::json;

constexpr bool kAsText = true;
constexpr uint64_t kOperationsShown = 50;
constexpr uint64_t kOperationsShownMax = 1'000;
constexpr size_t kNoteBytesMax = 4'096;

absl::StatusOr<uint64_t> CountOf(const Request& request, const std::string& name, uint64_t otherwise) {
  const std::string* text = QueryOf(request, name);
  uint64_t count = otherwise;
  if (text != nullptr && !absl::SimpleAtoi(*text, &count)) {
    return absl::InvalidArgumentError(absl::StrCat(name, " must be a whole number, not '", *text, "'"));
  }
  return count;
}

json TimeJson(absl::Time time) { return time == absl::InfinitePast() ? json() : json(IsoText(time)); }

json OperationOrNull(graph::OperationId id) { return id == graph::OperationId{} ? json() : IdJson(id, kAsText); }

json RecordJson(const edit::OperationRecord& record) {
  return {{"operation_id", IdJson(record.id, kAsText)},
          {"kind", std::string(edit::Name(record.kind))},
          {"status", std::string(edit::Name(record.status))},
          {"timestamp", TimeJson(record.time)},
          {"user", record.user},
          {"target", OperationOrNull(record.target)},
          {"undone_by", OperationOrNull(record.undone_by.value_or(graph::OperationId{}))},
          {"old_root_ids", IdsJson(record.old_roots, kAsText)},
          {"new_root_ids", IdsJson(record.new_roots, kAsText)},
          {"source_coords", VoxelsJson(record.sources)},
          {"sink_coords", VoxelsJson(record.sinks)},
          {"cut_voxels", !record.fragments.empty()},
          {"exception", record.exception}};
}

// Whether ?user, where it is given, is this one.
bool IsAskedUser(const Request& request, absl::string_view user) {
  const std::string* asked = QueryOf(request, "user");
  return asked == nullptr || *asked == user;
}

// The newest operations of the stretch that fit, page by page.
absl::StatusOr<std::vector<edit::OperationRecord>> NewestOperationsOf(const Service& service, const Request& request,
                                                                      edit::OperationStretch stretch, size_t limit) {
  const bool all = QueryOf(request, "user") == nullptr;
  const auto page_size = static_cast<int64_t>(all ? limit : kOperationsShownMax);
  std::vector<edit::OperationRecord> found;
  for (bool more = true; more && found.size() < limit;) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<edit::OperationRecord> page,
                            edit::ReadNewestOperations(service.rows, stretch, page_size));
    more = std::ssize(page) == page_size;
    stretch.before = more ? page.back().id : stretch.before;
    std::ranges::copy_if(page, std::back_inserter(found),
                         [&](const edit::OperationRecord& record) { return IsAskedUser(request, record.user); });
  }
  found.resize(std::min(found.size(), limit));
  return found;
}

// ?after and ?before: only between these two operations. ?user: only his. ?limit: so many of them, the newest.
absl::StatusOr<Response> AnswerOperations(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t after, CountOf(call.request, "after", 0));
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t before, CountOf(call.request, "before", UINT64_MAX));
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t limit, CountOf(call.request, "limit", kOperationsShown));
  if (limit < 1 || limit > kOperationsShownMax) {
    return absl::InvalidArgumentError(absl::StrCat("limit must be from 1 to ", kOperationsShownMax));
  }
  const edit::OperationStretch stretch{.after = graph::OperationId{after}, .before = graph::OperationId{before}};
  CLEAVE_ASSIGN_OR_RETURN(const auto records, NewestOperationsOf(service, call.request, stretch, limit));
  json operations = json::array();
  for (const edit::OperationRecord& record : records) {
    operations.push_back(RecordJson(record));
  }
  return JsonResponse({{"operations", operations}});
}

using Users = std::map<graph::OperationId, std::string>;

std::vector<graph::OperationId> HoldersOf(const edit::ScopeLock& lock) {
  std::vector<graph::OperationId> holders;
  for (const auto& holder : {lock.state.temporal, lock.state.indefinite}) {
    if (holder.has_value()) {
      holders.push_back(graph::OperationId{holder->operation_id});
    }
  }
  return holders;
}

// Whose the operations are that hold locks; those without a row yet are left out.
absl::StatusOr<Users> UsersOf(const Service& service, const std::vector<edit::ScopeLock>& locks) {
  std::vector<graph::OperationId> ids;
  for (const edit::ScopeLock& lock : locks) {
    std::ranges::copy(HoldersOf(lock), std::back_inserter(ids));
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto records, edit::ReadOperations(service.rows, ids));
  Users users;
  for (const edit::OperationRecord& record : records) {
    users[record.id] = record.user;
  }
  return users;
}

json HolderJson(const std::optional<table::LockHolder>& holder, const Users& users) {
  if (!holder.has_value()) {
    return {};
  }
  const graph::OperationId operation{holder->operation_id};
  const auto user = users.find(operation);
  return {{"operation_id", IdJson(operation, kAsText)},
          {"user", user == users.end() ? json() : json(user->second)},
          {"since", TimeJson(holder->since)}};
}

// ?user: only those that operations of his hold.
absl::StatusOr<Response> AnswerLocks(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const auto locks, edit::ListLocks(service.dataset));
  CLEAVE_ASSIGN_OR_RETURN(const Users users, UsersOf(service, locks));
  json list = json::array();
  for (const edit::ScopeLock& lock : locks) {
    const bool is_asked = std::ranges::any_of(HoldersOf(lock), [&](graph::OperationId holder) {
      const auto user = users.find(holder);
      return IsAskedUser(call.request, user == users.end() ? "" : user->second);
    });
    if (!is_asked && QueryOf(call.request, "user") != nullptr) {
      continue;
    }
    json row = {{"temporal", HolderJson(lock.state.temporal, users)},
                {"indefinite", HolderJson(lock.state.indefinite, users)}};
    if (lock.is_chunk) {
      const ChunkPoint chunk = service.dataset.layout().ChunkOf(lock.id).position;
      row["chunk"] = {chunk.x, chunk.y, chunk.z};
    } else {
      row["root_id"] = IdJson(lock.id, kAsText);
    }
    list.push_back(std::move(row));
  }
  return JsonResponse({{"locks", list}});
}

json StuckJson(const edit::StuckOperation& operation, absl::Time now) {
  json row = {{"operation_id", IdJson(operation.scope.id, kAsText)},
              {"state", std::string(edit::Name(operation.state))},
              {"kind", nullptr},
              {"user", nullptr},
              {"since", TimeJson(operation.since)},
              {"age_seconds", nullptr},
              {"locks", operation.lock_count},
              {"locked_roots", IdsJson(operation.scope.locked_roots, kAsText)},
              {"chunks", operation.scope.chunk_scope.size()},
              {"problem", std::string(operation.row_problem.message())}};
  if (operation.record.has_value()) {
    row["kind"] = std::string(edit::Name(operation.record->kind));
    row["user"] = operation.record->user;
  }
  if (operation.since != absl::InfinitePast()) {
    row["age_seconds"] = absl::ToDoubleSeconds(now - operation.since);
  }
  return row;
}

// Edits that have not ended: at work, or left behind. ?min_age: only those of which nothing was heard for so many
// seconds. ?user: only his.
absl::StatusOr<Response> AnswerStuck(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t seconds, CountOf(call.request, "min_age", 0));
  constexpr uint64_t kSecondsMax = 100 * 366 * 86'400ULL;
  const absl::Time now = service.clock.Now();
  CLEAVE_ASSIGN_OR_RETURN(
      const auto operations,
      edit::ListStuck(service.dataset, now, absl::Seconds(static_cast<int64_t>(std::min(seconds, kSecondsMax)))));
  json list = json::array();
  for (const edit::StuckOperation& operation : operations) {
    if (IsAskedUser(call.request, operation.record.has_value() ? operation.record->user : "")) {
      list.push_back(StuckJson(operation, now));
    }
  }
  return JsonResponse({{"operations", list}});
}

using Settle = absl::StatusOr<edit::StuckOutcome> (*)(graph::Dataset&, Clock&, graph::OperationId);

template <Settle settle>
absl::StatusOr<Response> AnswerSettle(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const graph::OperationId operation, OperationOf(call.request));
  CLEAVE_ASSIGN_OR_RETURN(const edit::StuckOutcome outcome, settle(service.dataset, service.clock, operation));
  return JsonResponse({{"operation_id", IdJson(operation, kAsText)}, {"outcome", std::string(edit::Name(outcome))}});
}

absl::StatusOr<Response> AnswerProtected(Service& service, const Call& /*call*/) {
  CLEAVE_ASSIGN_OR_RETURN(const auto protections, edit::ListProtections(service.dataset));
  json list = json::array();
  for (const edit::Protection& protection : protections) {
    list.push_back({{"root_id", IdJson(protection.root, kAsText)},
                    {"user", protection.user},
                    {"since", TimeJson(protection.since)},
                    {"note", protection.note}});
  }
  return JsonResponse({{"protected", list}});
}

absl::StatusOr<graph::NodeId> RootOf(Service& service, const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, TextOf(request, "root_id"));
  return NodeOf(service, text);
}

absl::StatusOr<Response> AnswerProtect(Service& service, const Call& call) {
  edit::Protection protection;
  protection.user = call.request.user;
  protection.since = service.clock.Now();
  CLEAVE_ASSIGN_OR_RETURN(protection.root, RootOf(service, call.request));
  CLEAVE_ASSIGN_OR_RETURN(protection.note, TextOf(call.request, "note"));
  if (protection.note.size() > kNoteBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("a note may have ", kNoteBytesMax, " bytes"));
  }
  CLEAVE_RETURN_IF_ERROR(service.editor.Protect(protection));
  return JsonResponse({{"root_id", IdJson(protection.root, kAsText)}});
}

absl::StatusOr<Response> AnswerUnprotect(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const graph::NodeId root, RootOf(service, call.request));
  CLEAVE_RETURN_IF_ERROR(edit::Unprotect(service.dataset, root));
  return JsonResponse({{"root_id", IdJson(root, kAsText)}});
}

// What a page asks first: which graphs it may show, and as whom it asks.
absl::StatusOr<Response> AnswerDatasets(Service& service, const Call& call) {
  json datasets = json::array();
  for (const ServedDataset& served : service.visible) {
    datasets.push_back({{"graph", served.name}, {"source", absl::StrCat("/segmentation/table/", served.name)}});
  }
  return JsonResponse({{"datasets", datasets}, {"user", call.request.user}});
}

}  // namespace

std::vector<Route> OperatorRoutes() {
  const std::string base = kOwn;
  return {{"GET", "/cleave/api/v1/datasets", Right::kView, AnswerDatasets},
          {"GET", base + "operations", Right::kView, AnswerOperations},
          {"GET", base + "locks", Right::kView, AnswerLocks},
          {"GET", base + "stuck", Right::kView, AnswerStuck},
          {"POST", base + "stuck/replay", Right::kAdmin, AnswerSettle<edit::ReplayStuck>},
          {"POST", base + "stuck/revert", Right::kAdmin, AnswerSettle<edit::RevertStuck>},
          {"GET", base + "protected", Right::kView, AnswerProtected},
          {"POST", base + "protect", Right::kEdit, AnswerProtect},
          {"POST", base + "unprotect", Right::kEdit, AnswerUnprotect}};
}

}  // namespace cleave::server
