#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/protection.h"

namespace cleave::cli {
namespace {

class UnprotectCommand final : public Command {
 public:
  CommandText text() const override {
    return {"unprotect", "Edit", "Take the protection from an object", "cleave unprotect demo 216172782113783809"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("ROOT", root_, "The object's root")->required();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const graph::NodeId root, ParseNodeId(root_));
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_RETURN_IF_ERROR(edit::Unprotect(*project.dataset, root));
    console.Show({{"root", ToJson(root)}}, absl::StrCat("object ", Value(root), " is no longer protected\n"));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string root_;
};

}  // namespace

std::unique_ptr<Command> MakeUnprotectCommand() { return std::make_unique<UnprotectCommand>(); }

}  // namespace cleave::cli
