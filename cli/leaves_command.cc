#include <optional>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

class LeavesCommand final : public Command {
 public:
  CommandText text() const override {
    return {"leaves", "Ask", "List the supervoxels of an object",
            "cleave leaves demo --root 288230376151711745\n"
            "cleave leaves demo --root 288230376151711745 --box 0,0,0,128,128,64"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--root", root_, "The object's id, a past one too; inner nodes are taken as well")
        ->type_name("ID")
        ->required();
    app.add_option("--box", box_, "Only supervoxels whose chunk overlaps this box")->type_name("X0,Y0,Z0,X1,Y1,Z1");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const graph::NodeId root, Named("--root", ParseNodeId(root_)));
    std::optional<Box> box;
    if (!box_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(box, Named("--box", ParseBox(box_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_RETURN_IF_ERROR(project.dataset->layout().Validate(root));
    const graph::GraphView view = project.dataset->Now();
    const graph::NodeId one[] = {root};
    CLEAVE_ASSIGN_OR_RETURN(const auto children, view.Children(one));
    if (children[0].empty()) {
      return absl::NotFoundError(absl::StrCat("there is no object ", Value(root)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const auto successors, view.Successors(one));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::NodeId> leaves, view.Leaves(root, box));
    std::string text;
    for (const graph::NodeId leaf : leaves) {
      absl::StrAppend(&text, Value(leaf), "\n");
    }
    if (!successors[0].empty()) {
      console.Note(absl::StrCat("object ", Value(root), " was replaced by ", IdsText(successors[0]),
                                "; these are the supervoxels it had"));
    }
    console.Show({{"root", ToJson(root)},
                  {"current", successors[0].empty()},
                  {"successors", ToJson(successors[0])},
                  {"count", leaves.size()},
                  {"supervoxels", ToJson(leaves)}},
                 text);
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string root_;
  std::string box_;
};

}  // namespace

std::unique_ptr<Command> MakeLeavesCommand() { return std::make_unique<LeavesCommand>(); }

}  // namespace cleave::cli
