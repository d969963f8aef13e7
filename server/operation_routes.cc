// The operation log: by number, by user, by time.
#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "edit/history.h"
#include "edit/log_pages.h"
#include "server/column_json.h"
#include "server/service.h"

namespace cleave::server {
namespace {

using nlohmann::json;

constexpr int64_t kOperationsRead = 10'000;  // at a time

// One column of an operation's row.
json DetailJson(const edit::DetailValue& value, bool as_text) {
  struct Visitor {
    bool as_text;
    json operator()(const std::string& text) const { return text; }
    json operator()(int64_t number) const { return number; }
    json operator()(absl::Time time) const { return IsoText(time); }
    json operator()(const std::vector<uint64_t>& ids) const { return IdsJson(graph::ToNodeIds(ids), as_text); }
    json operator()(const std::vector<graph::EdgeEnds>& edges) const {
      json list = json::array();
      for (const graph::EdgeEnds& edge : edges) {
        list.push_back({IdJson(edge.node1, as_text), IdJson(edge.node2, as_text)});
      }
      return list;
    }
    json operator()(const VoxelPoint& point) const { return {point.x, point.y, point.z}; }
    json operator()(const std::vector<VoxelPoint>& points) const { return VoxelsJson(points); }
    json operator()(const std::vector<float>& numbers) const { return numbers; }
  };
  return std::visit(Visitor{as_text}, value);
}

absl::StatusOr<Response> AnswerDetails(Service& service, const Call& call) {
  CLEAVE_ASSIGN_OR_RETURN(const auto ids, OperationsOf(call.request, "operation_ids", service.limits));
  CLEAVE_ASSIGN_OR_RETURN(const auto details, edit::ReadOperationDetails(service.rows, ids));
  json body = json::object();
  for (const auto& [id, columns] : details) {
    json& operation = body[graph::ToString(id)];
    for (const edit::OperationDetail& column : columns) {
      const json value = DetailJson(column.value, WantsText(call.request));
      const bool is_id = value.is_number() && absl::EndsWith(column.name, "operation_id");
      operation[column.name] = is_id && WantsText(call.request) ? json(value.dump()) : value;
    }
    operation["timestamp"] = operation.value("operation_ts", json());
  }
  return JsonResponse(body);
}

// Successful operations of a window of time, of one user or of all.
struct LogQuestion {
  edit::LogWindow window;
  const std::string* user = nullptr;
  bool include_undone = true;
};
absl::StatusOr<std::vector<edit::OperationRecord>> WholeLog(Service& service, const LogQuestion& question) {
  std::vector<edit::OperationRecord> whole;
  size_t id_count = 0;
  std::optional<graph::OperationId> from = graph::OperationId{};
  while (from.has_value()) {
    edit::LogPage page;
    if (question.user == nullptr) {
      CLEAVE_ASSIGN_OR_RETURN(page, edit::ReadLogPage(service.rows, question.window, *from, kOperationsRead));
    } else {
      CLEAVE_ASSIGN_OR_RETURN(page, edit::ReadUserOperations(service.rows, {.user = *question.user,
                                                                            .window = question.window,
                                                                            .include_undone = question.include_undone,
                                                                            .from = *from,
                                                                            .operations_max = kOperationsRead}));
    }
    for (edit::OperationRecord& operation : page.operations) {
      id_count += 1 + operation.new_roots.size();
      whole.push_back(std::move(operation));
    }
    CLEAVE_RETURN_IF_ERROR(CheckAnswerIds(service.limits, id_count));
    from = page.next;
  }
  return whole;
}

// Of a window whose ends stand in the query. "After" leaves its own moment out, a client's start does not.
absl::StatusOr<edit::LogWindow> WindowOf(const Request& request, const std::string& begin, const std::string& end) {
  CLEAVE_ASSIGN_OR_RETURN(const auto since, TimeOf(request, begin));
  CLEAVE_ASSIGN_OR_RETURN(const auto until, TimeOf(request, end));
  return edit::LogWindow{.after = since.value_or(absl::InfinitePast()) - absl::Milliseconds(1),
                         .until = until.value_or(absl::InfiniteFuture())};
}

absl::StatusOr<Response> AnswerUserOperations(Service& service, const Call& call) {
  LogQuestion question;
  CLEAVE_ASSIGN_OR_RETURN(question.window, WindowOf(call.request, "start_time", "end_time"));
  question.user = QueryOf(call.request, "user_id");
  question.include_undone = FlagOf(call.request, "include_undone", false);
  CLEAVE_ASSIGN_OR_RETURN(const auto operations, WholeLog(service, question));
  ColumnJson columns({"operation_id", "timestamp"});
  for (const edit::OperationRecord& operation : operations) {
    columns.AddRow({IdJson(operation.id, WantsText(call.request)), absl::ToUnixMillis(operation.time)});
  }
  return JsonResponse(std::move(columns).Take());
}

bool IsMerge(const edit::OperationRecord& operation) { return !operation.added_edges.empty(); }

absl::StatusOr<Response> AnswerRecent(Service& service, const Call& call) {
  LogQuestion question;
  CLEAVE_ASSIGN_OR_RETURN(question.window, WindowOf(call.request, "timestamp", "timestamp_end"));
  CLEAVE_ASSIGN_OR_RETURN(const auto operations, WholeLog(service, question));
  ColumnJson columns({"operation_id", "timestamp", "user_id", "is_merge"});
  for (const edit::OperationRecord& operation : operations) {
    columns.AddRow({IdJson(operation.id, WantsText(call.request)), absl::ToUnixMillis(operation.time), operation.user,
                    IsMerge(operation)});
  }
  return JsonResponse(std::move(columns).Take());
}

// A field of a CSV file; a name may hold anything.
std::string CsvField(const std::string& text) {
  std::string field = "\"";
  for (const char c : text) {
    field += c == '"' ? std::string("\"\"") : std::string(1, c);
  }
  return field + "\"";
}

absl::StatusOr<Response> AnswerWholeLog(Service& service, const Call& /*call*/) {
  CLEAVE_ASSIGN_OR_RETURN(const auto operations, WholeLog(service, {}));
  Response response;
  response.content_type = "text/csv";
  response.headers.emplace_back("Content-Disposition", "attachment; filename=change_log.csv");
  response.body = "user_id,action,root_ids,timestamp\n";
  for (const edit::OperationRecord& operation : operations) {
    absl::StrAppend(&response.body, CsvField(operation.user), ",", edit::Name(operation.kind), ",\"",
                    absl::StrJoin(graph::ToIntegers(operation.new_roots), " "), "\",", IsoText(operation.time), "\n");
  }
  return response;
}

}  // namespace

std::vector<Route> OperationRoutes() {
  const std::string base = kSegmentation;
  return {{"GET", base + "operation_details", Right::kView, AnswerDetails},
          {"GET", base + "user_operations", Right::kView, AnswerUserOperations},
          {"GET", base + "tabular_change_log_recent", Right::kView, AnswerRecent},
          {"GET", base + "change_log", Right::kView, AnswerWholeLog}};
}

}  // namespace cleave::server
