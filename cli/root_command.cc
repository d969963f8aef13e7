#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/moment.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

class RootCommand final : public Command {
 public:
  CommandText text() const override {
    return {"root", "Ask", "Say which object a supervoxel belongs to, now or at a past time",
            "cleave root demo --supervoxel 72057594037927941\n"
            "cleave root demo --supervoxel 72057594037927941 --at 2026-01-31T12:00:00Z"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--supervoxel", supervoxel_, "The id; nodes of other layers are taken too")
        ->type_name("ID")
        ->required();
    app.add_option("--at", moment_.at, "The root at this time instead of the newest")->type_name("TIME");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const graph::NodeId id, Named("--supervoxel", ParseNodeId(supervoxel_)));
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_RETURN_IF_ERROR(project.dataset->layout().Validate(id));
    CLEAVE_ASSIGN_OR_RETURN(const edit::Instant instant, ResolveMoment(*project.dataset, moment_));
    const graph::GraphView view = project.dataset->View(instant.graph_time);
    const graph::NodeId one[] = {id};
    CLEAVE_ASSIGN_OR_RETURN(const auto replacements, view.Replacements(one));
    if (!replacements[0].empty()) {
      return absl::FailedPreconditionError(absl::StrCat(graph::DescribeReplacement(id, replacements[0]),
                                                        "; ask for what took its place, or for an earlier time with "
                                                        "--at"));
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::NodeId> roots, view.Roots(one));
    CLEAVE_RETURN_IF_ERROR(RequireExists(view, id, roots[0]));
    CLEAVE_ASSIGN_OR_RETURN(const auto successors, view.Successors(roots));
    Json json = {{"node", ToJson(id)}, {"root", ToJson(roots[0])}, {"at", InstantJson(instant)["at"]}};
    json["current"] = successors[0].empty();
    json["successors"] = ToJson(successors[0]);
    std::string text = absl::StrCat(Value(roots[0]), "\n");
    if (!successors[0].empty()) {
      console.Note(absl::StrCat("object ", Value(roots[0]), " was replaced by ", IdsText(successors[0])));
    }
    console.Show(json, text);
    return absl::OkStatus();
  }

 private:
  // Roots gives every id of the top layer back as it is, whether it exists or not.
  static absl::Status RequireExists(const graph::GraphView& view, graph::NodeId id, graph::NodeId root) {
    const graph::NodeId one[] = {root};
    CLEAVE_ASSIGN_OR_RETURN(const auto children, view.Children(one));
    if (root == graph::NodeId{} || children[0].empty()) {
      return absl::NotFoundError(absl::StrCat("there is no node ", Value(id), " at this time"));
    }
    return absl::OkStatus();
  }

  std::string project_;
  std::string supervoxel_;
  MomentText moment_;
};

}  // namespace

std::unique_ptr<Command> MakeRootCommand() { return std::make_unique<RootCommand>(); }

}  // namespace cleave::cli
