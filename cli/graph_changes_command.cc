// The operation log, seen from objects, users and times: graph changes, delta, operations, safe-time.
#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/graph_arguments.h"
#include "nlohmann/json.hpp"

#include "base/clock.h"
#include "base/status.h"
#include "edit/history.h"
#include "edit/safe_time.h"

namespace cleave::cli {
namespace {

using graph::NodeId;
using graph::OperationId;

Json ChangeJson(const edit::ObjectChange& change) {
  return {{"operation", Value(change.operation.id)},
          {"time", TimeText(change.operation.time)},
          {"user", change.operation.user},
          {"before_roots", ToJson(change.before_roots)},
          {"after_roots", ToJson(change.after_roots)},
          {"is_merge", change.is_merge},
          {"in_neuron", change.in_neuron},
          {"is_relevant", change.is_relevant}};
}

Json SummaryJson(const edit::ChangeSummary& summary) {
  Json users = Json::object();
  for (const auto& [user, count] : summary.by_user) {
    users[user] = {{"splits", count.splits}, {"merges", count.merges}};
  }
  return {{"splits", summary.all.splits}, {"merges", summary.all.merges}, {"users", users}};
}

Json OperationLineJson(const edit::OperationRecord& record) {
  return {{"operation", Value(record.id)},
          {"kind", std::string(edit::Name(record.kind))},
          {"time", TimeText(record.time)},
          {"user", record.user}};
}

std::string OperationLine(const edit::OperationRecord& record) {
  return absl::StrFormat("%6d  %s  %-5s  %s\n", Value(record.id), TimeText(record.time),
                         std::string(edit::Name(record.kind)), record.user);
}

// One column's value as JSON. Ids are strings, as everywhere.
Json DetailJson(const edit::DetailValue& value) {
  struct Visitor {
    Json operator()(const std::string& text) const { return text; }
    Json operator()(int64_t number) const { return number; }
    Json operator()(absl::Time time) const { return TimeText(time); }
    Json operator()(const std::vector<uint64_t>& ids) const { return ToJson(graph::ToNodeIds(ids)); }
    Json operator()(const std::vector<graph::EdgeEnds>& edges) const {
      Json list = Json::array();
      for (const graph::EdgeEnds& edge : edges) {
        list.push_back({ToJson(edge.node1), ToJson(edge.node2)});
      }
      return list;
    }
    Json operator()(const VoxelPoint& point) const { return {point.x, point.y, point.z}; }
    Json operator()(const std::vector<VoxelPoint>& points) const { return ToJson(points); }
    Json operator()(const std::vector<float>& numbers) const { return numbers; }
  };
  return std::visit(Visitor(), value);
}

absl::StatusOr<OperationId> ParseOperation(absl::string_view text) {
  uint64_t id = 0;
  if (!absl::SimpleAtoi(text, &id)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no operation number"));
  }
  return OperationId{id};
}

// The stretch of time and the page that log commands take.
struct WindowText {
  std::string since;
  std::string until;
  uint64_t from = 0;
  int64_t limit = 1'000;
};
void RegisterWindow(CLI::App& app, WindowText& text) {
  app.add_option("--since", text.since, "Only operations after this time")->type_name("TIME");
  app.add_option("--until", text.until, "Only operations up to this time")->type_name("TIME");
  app.add_option("--from", text.from, "Go on from this operation")->type_name("N");
  app.add_option("--limit", text.limit, "Operations to look at for one answer")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}
absl::StatusOr<edit::LogWindow> ParseWindow(const WindowText& text) {
  edit::LogWindow window;
  CLEAVE_ASSIGN_OR_RETURN(window.after, TimeOr("--since", text.since, absl::InfinitePast()));
  CLEAVE_ASSIGN_OR_RETURN(window.until, TimeOr("--until", text.until, absl::InfiniteFuture()));
  return window;
}
Json NextJson(const std::optional<OperationId>& next, Console& console) {
  if (next.has_value()) {
    console.Note(absl::StrCat("there is more: go on with --from ", Value(*next)));
  }
  return next.has_value() ? Json(Value(*next)) : Json();
}

class GraphChangesCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph changes", "", "List the edits that made an object what it is",
            "cleave graph changes demo --ids 288230376151711745\n"
            "cleave graph changes demo --ids 288230376151711745 --filtered"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {.at = false}, "Objects");
    app.add_flag("--filtered", filtered_, "Only edits that are in the object and still matter");
    app.add_option("--limit", limit_, "Former objects to look at for each answer")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
  }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    const absl::Time ingested = question.project.dataset->meta().ingested;
    Json roots = Json::array();
    std::string text;
    for (const NodeId root : question.ids) {
      CLEAVE_ASSIGN_OR_RETURN(
          const edit::ChangeLog log,
          edit::ReadChangeLog(question.view(), ingested, {.root = root, .filtered = filtered_, .roots_max = limit_}));
      CLEAVE_ASSIGN_OR_RETURN(const absl::Time last_edit, edit::LastEditOf(question.view(), root));
      Json changes = Json::array();
      Json merges = Json::array();
      absl::StrAppend(&text, Value(root), "\n");
      for (const edit::ObjectChange& change : log.changes) {
        changes.push_back(ChangeJson(change));
        absl::StrAppend(&text, OperationLine(change.operation));
      }
      for (const edit::MergeEntry& merge : edit::MergesOf(log)) {
        merges.push_back({{"operation", Value(merge.operation)},
                          {"edges", DetailJson(merge.edges)},
                          {"sources", ToJson(merge.sources)},
                          {"sinks", ToJson(merge.sinks)}});
      }
      roots.push_back({{"root", ToJson(root)},
                       {"last_edit", TimeText(last_edit)},
                       {"summary", SummaryJson(edit::Summarize(log))},
                       {"changes", changes},
                       {"merges", merges},
                       {"past_roots", ToJson(log.past_roots)},
                       {"cut", !log.continue_from.empty()},
                       {"continue_from", ToJson(log.continue_from)}});
      if (!log.continue_from.empty()) {
        console.Note(absl::StrCat("the past of ", Value(root), " was cut; raise --limit to see more"));
      }
    }
    console.Show({{"roots", roots}}, text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
  bool filtered_ = false;
  int64_t limit_ = graph::kLineageRootsMax;
};

class GraphDeltaCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph delta", "", "List the objects that went and came between two times",
            "cleave graph delta demo --since 2026-01-31T12:00:00Z --until 2026-02-01T12:00:00Z"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {.ids = false, .at = false}, "");
    RegisterWindow(app, window_);
    app.add_flag("--all", all_, "Also objects that lived only in between");
  }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const edit::LogWindow window, ParseWindow(window_));
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraph(graph_, console));
    const OperationId from{window_.from};
    CLEAVE_ASSIGN_OR_RETURN(const edit::DeltaRoots delta,
                            all_ ? edit::ReadProofreadRoots(question.view(), window, from, window_.limit)
                                 : edit::ReadDeltaRoots(question.view(), window, from, window_.limit));
    std::string text;
    for (const NodeId root : delta.old_roots) {
      absl::StrAppend(&text, "- ", Value(root), "\n");
    }
    for (const NodeId root : delta.new_roots) {
      absl::StrAppend(&text, "+ ", Value(root), "\n");
    }
    console.Show({{"old_roots", ToJson(delta.old_roots)},
                  {"new_roots", ToJson(delta.new_roots)},
                  {"next", NextJson(delta.next, console)}},
                 text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
  WindowText window_;
  bool all_ = false;
};

class GraphOperationsCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph operations", "", "Show operations whole, or list those of a stretch of time or of a user",
            "cleave graph operations demo --operations 1,2\n"
            "cleave graph operations demo --user alice --since 2026-01-31T12:00:00Z"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {.ids = false, .at = false}, "");
    app.add_option("--operations", operations_, "Show all that is stored about these")
        ->type_name("N,N,...")
        ->delimiter(',');
    app.add_option("--user", user_, "Only operations of this user")->type_name("NAME");
    app.add_flag("--include-undone", include_undone_,
                 "With --user: also what was undone, and undo and redo themselves");
    RegisterWindow(app, window_);
  }
  absl::Status Run(Console& console) override {
    std::vector<OperationId> ids;
    for (const std::string& text : operations_) {
      CLEAVE_ASSIGN_OR_RETURN(const OperationId id, Named("--operations", ParseOperation(text)));
      ids.push_back(id);
    }
    CLEAVE_ASSIGN_OR_RETURN(const edit::LogWindow window, ParseWindow(window_));
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraph(graph_, console));
    const table::TableReader& reader = question.view().reader();
    if (!ids.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(const auto details, edit::ReadOperationDetails(reader, ids));
      ShowDetails(details, console);
      return absl::OkStatus();
    }
    const OperationId from{window_.from};
    CLEAVE_ASSIGN_OR_RETURN(const edit::LogPage page,
                            user_.empty() ? edit::ReadLogPage(reader, window, from, window_.limit)
                                          : edit::ReadUserOperations(reader, {.user = user_,
                                                                              .window = window,
                                                                              .include_undone = include_undone_,
                                                                              .from = from,
                                                                              .operations_max = window_.limit}));
    Json list = Json::array();
    std::string text;
    for (const edit::OperationRecord& record : page.operations) {
      list.push_back(OperationLineJson(record));
      absl::StrAppend(&text, OperationLine(record));
    }
    console.Show({{"operations", list}, {"next", NextJson(page.next, console)}}, text);
    return absl::OkStatus();
  }

 private:
  static void ShowDetails(const std::map<OperationId, std::vector<edit::OperationDetail>>& details, Console& console) {
    Json json = Json::object();
    std::string text;
    for (const auto& [id, columns] : details) {
      Json& entry = json[absl::StrCat(Value(id))] = Json::object();
      absl::StrAppend(&text, "operation ", Value(id), "\n");
      for (const edit::OperationDetail& detail : columns) {
        entry[detail.name] = DetailJson(detail.value);
        absl::StrAppend(&text, "  ", detail.name, ": ", entry[detail.name].dump(), "\n");
      }
    }
    console.Show({{"operations", json}}, text);
  }

  GraphText graph_;
  std::vector<std::string> operations_;
  std::string user_;
  bool include_undone_ = false;
  WindowText window_;
};

class GraphSafeTimeCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph safe-time", "", "Say up to which time the graph will never change any more",
            "cleave graph safe-time demo"};
  }
  void Register(CLI::App& app) override { RegisterGraph(app, graph_, {.ids = false, .at = false}, ""); }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraph(graph_, console));
    graph::Dataset& dataset = *question.project.dataset;
    CLEAVE_ASSIGN_OR_RETURN(const edit::SafeTime safe,
                            edit::FindSafeTime(dataset.table(), Clock::System(), dataset.meta().ingested));
    CLEAVE_ASSIGN_OR_RETURN(const absl::Time oldest, edit::OldestTime(dataset.table(), dataset.meta().ingested));
    console.Show({{"safe_time", TimeText(safe.time)},
                  {"held_by", safe.held_by.has_value() ? Json(Value(*safe.held_by)) : Json()},
                  {"oldest_time", TimeText(oldest)}},
                 absl::StrCat(TimeText(safe.time), "\n"));
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
};

}  // namespace

std::unique_ptr<Command> MakeGraphChangesCommand() { return std::make_unique<GraphChangesCommand>(); }
std::unique_ptr<Command> MakeGraphDeltaCommand() { return std::make_unique<GraphDeltaCommand>(); }
std::unique_ptr<Command> MakeGraphOperationsCommand() { return std::make_unique<GraphOperationsCommand>(); }
std::unique_ptr<Command> MakeGraphSafeTimeCommand() { return std::make_unique<GraphSafeTimeCommand>(); }

}  // namespace cleave::cli
