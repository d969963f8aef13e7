#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "cli/user_name.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/protection.h"

namespace cleave::cli {
namespace {

class ProtectCommand final : public Command {
 public:
  CommandText text() const override {
    return {"protect", "Edit", "Mark an object as finished: edits that touch it are refused",
            "cleave protect demo 216172782113783809 --note 'proofread, see sheet 4'"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("ROOT", root_, "The object's root")->required();
    app.add_option("--note", note_, "Why, for those whose edits are refused")->type_name("TEXT");
    app.add_option("--user", user_, "Who protects it; default: who runs the program")->type_name("NAME");
  }

  absl::Status Run(Console& console) override {
    edit::Protection protection{.root = {}, .user = user_, .since = {}, .note = note_};
    CLEAVE_ASSIGN_OR_RETURN(protection.root, ParseNodeId(root_));
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_RETURN_IF_ERROR(project.editor->Protect(protection));
    console.Show({{"root", ToJson(protection.root)}, {"user", user_}, {"note", note_}},
                 absl::StrCat("object ", Value(protection.root), " is protected\n"));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string root_;
  std::string note_;
  std::string user_ = UserName();
};

}  // namespace

std::unique_ptr<Command> MakeProtectCommand() { return std::make_unique<ProtectCommand>(); }

}  // namespace cleave::cli
