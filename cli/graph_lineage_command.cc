// Objects through time: graph latest, lineage, history.
#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/graph_arguments.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "graph/lineage.h"
#include "graph/node_times.h"

namespace cleave::cli {
namespace {

using graph::NodeId;

Json TimeJson(const std::optional<absl::Time>& time) { return time.has_value() ? Json(TimeText(*time)) : Json(); }
Json OperationJson(graph::OperationId id) { return id == graph::OperationId{} ? Json() : Json(Value(id)); }

void RegisterLimit(CLI::App& app, int64_t& limit, const std::string& what) {
  app.add_option("--limit", limit, what)->type_name("N")->capture_default_str()->check(CLI::PositiveNumber);
}

class GraphLatestCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph latest", "", "Say which objects still stand, or list all that do",
            "cleave graph latest demo --ids 288230376151711745,288230376151711746\n"
            "cleave graph latest demo --limit 1000"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {}, "Objects; without any, all that stand are listed");
    RegisterLimit(app, limit_, "Without ids: rows to look at for one page");
    app.add_option("--from", from_, "Without ids: go on from here")->type_name("ID");
  }
  absl::Status Run(Console& console) override {
    NodeId from{};
    if (!from_.empty() && from_ != "0") {
      CLEAVE_ASSIGN_OR_RETURN(from, Named("--from", ParseNodeId(from_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraph(graph_, console));
    return question.ids.empty() ? List(question, from, console) : Judge(question, console);
  }

 private:
  absl::Status List(const GraphQuestion& question, NodeId from, Console& console) const {
    CLEAVE_ASSIGN_OR_RETURN(const graph::RootPage page, graph::LatestRoots(question.view(), from, limit_));
    std::string text;
    for (const NodeId root : page.roots) {
      absl::StrAppend(&text, Value(root), "\n");
    }
    if (page.next.has_value()) {
      console.Note(absl::StrCat("there is more: go on with --from ", Value(*page.next)));
    }
    console.Show({{"at", AtJson(question)},
                  {"roots", ToJson(page.roots)},
                  {"next", page.next.has_value() ? ToJson(*page.next) : Json()}},
                 text);
    return absl::OkStatus();
  }

  static absl::Status Judge(const GraphQuestion& question, Console& console) {
    CLEAVE_ASSIGN_OR_RETURN(const auto lives, graph::RootLives(question.view(), question.ids));
    Json roots = Json::array();
    std::string text;
    for (size_t i = 0; i < lives.size(); ++i) {
      roots.push_back({{"root", ToJson(question.ids[i])},
                       {"latest", lives[i].is_latest()},
                       {"created", TimeJson(lives[i].created)},
                       {"superseded", TimeJson(lives[i].superseded)}});
      absl::StrAppend(&text, Value(question.ids[i]),
                      lives[i].is_latest()              ? " latest"
                      : lives[i].superseded.has_value() ? absl::StrCat(" superseded ", TimeText(*lives[i].superseded))
                                                        : " unknown",
                      "\n");
    }
    console.Show({{"at", AtJson(question)}, {"roots", roots}}, text);
    return absl::OkStatus();
  }

  GraphText graph_;
  int64_t limit_ = graph::kLineageRootsMax;
  std::string from_;
};

class GraphLineageCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph lineage", "", "Show which objects others were made from, as a graph",
            "cleave graph lineage demo --ids 288230376151711745\n"
            "cleave graph lineage demo --ids 288230376151711745 --future --since 2026-01-31T12:00:00Z"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {.at = false}, "Objects");
    app.add_flag("--future", future_, "What was made from them, instead of what they were made from");
    app.add_option("--since", since_, "Leave out objects made before")->type_name("TIME");
    app.add_option("--until", until_, "Leave out objects made after")->type_name("TIME");
    RegisterLimit(app, limit_, "Objects in one answer; one that was cut says how to go on");
  }
  absl::Status Run(Console& console) override {
    graph::LineageQuery query{.roots_max = limit_};
    CLEAVE_ASSIGN_OR_RETURN(query.not_before, TimeOr("--since", since_, absl::InfinitePast()));
    CLEAVE_ASSIGN_OR_RETURN(query.not_after, TimeOr("--until", until_, absl::InfiniteFuture()));
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    (future_ ? query.future_of : query.past_of) = question.ids;
    CLEAVE_ASSIGN_OR_RETURN(const graph::Lineage lineage, graph::ReadLineage(question.view(), query));
    Json nodes = Json::array();
    Json links = Json::array();
    std::string text;
    for (const graph::RootRow& root : lineage.roots) {
      nodes.push_back({{"id", ToJson(root.id)},
                       {"created", TimeText(root.created)},
                       {"superseded", TimeJson(root.superseded)},
                       {"created_by", OperationJson(root.created_by)},
                       {"superseded_by", OperationJson(root.superseded_by)}});
    }
    for (const graph::EdgeEnds& link : lineage.links) {
      links.push_back({{"source", ToJson(link.node1)}, {"target", ToJson(link.node2)}});
      absl::StrAppend(&text, Value(link.node1), " -> ", Value(link.node2), "\n");
    }
    const std::vector<NodeId>& rest = future_ ? lineage.more_future_of : lineage.more_past_of;
    if (lineage.is_cut()) {
      console.Note(absl::StrCat("the answer was cut: go on with --ids ", IdsText(rest)));
    }
    console.Show({{"nodes", nodes}, {"links", links}, {"cut", lineage.is_cut()}, {"continue_from", ToJson(rest)}},
                 text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
  bool future_ = false;
  std::string since_;
  std::string until_;
  int64_t limit_ = graph::kLineageRootsMax;
};

class GraphHistoryCommand final : public Command {
 public:
  CommandText text() const override {
    return {"graph history", "", "List all objects that one was made from and has become since",
            "cleave graph history demo --ids 288230376151711745"};
  }
  void Register(CLI::App& app) override {
    RegisterGraph(app, graph_, {.at = false}, "Objects");
    RegisterLimit(app, limit_, "Objects of each kind in one answer");
  }
  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const GraphQuestion question, OpenGraphWithIds(graph_, console));
    const graph::GraphView view = question.view();
    Json roots = Json::array();
    std::string text;
    for (const NodeId id : question.ids) {
      const NodeId one[] = {id};
      CLEAVE_ASSIGN_OR_RETURN(const auto past, graph::PastRoots(view, one, absl::InfinitePast(), limit_));
      CLEAVE_ASSIGN_OR_RETURN(const auto future, graph::FutureRoots(view, one, absl::InfiniteFuture(), limit_));
      CLEAVE_ASSIGN_OR_RETURN(const auto latest, graph::LatestRootsOf(view, one, limit_));
      const bool is_cut = !past.more.empty() || !future.more.empty();
      roots.push_back({{"root", ToJson(id)},
                       {"past", ToJson(past.roots)},
                       {"future", ToJson(future.roots)},
                       {"latest", ToJson(latest.roots)},
                       {"cut", is_cut},
                       {"more_past_of", ToJson(past.more)},
                       {"more_future_of", ToJson(future.more)}});
      absl::StrAppend(&text, Value(id), "\n  past: ", IdLine(past.roots), "\n  future: ", IdLine(future.roots),
                      "\n  latest: ", IdLine(latest.roots), "\n");
      if (is_cut) {
        console.Note(absl::StrCat("the history of ", Value(id), " was cut; raise --limit, or use 'graph lineage'"));
      }
    }
    console.Show({{"roots", roots}}, text);
    return absl::OkStatus();
  }

 private:
  GraphText graph_;
  int64_t limit_ = graph::kLineageRootsMax;
};

}  // namespace

std::unique_ptr<Command> MakeGraphLatestCommand() { return std::make_unique<GraphLatestCommand>(); }
std::unique_ptr<Command> MakeGraphLineageCommand() { return std::make_unique<GraphLineageCommand>(); }
std::unique_ptr<Command> MakeGraphHistoryCommand() { return std::make_unique<GraphHistoryCommand>(); }

}  // namespace cleave::cli
