#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/protection.h"

namespace cleave::cli {
namespace {

class ProtectedCommand final : public Command {
 public:
  CommandText text() const override {
    return {"protected", "Ask", "List the objects that are protected", "cleave protected demo --json"};
  }

  void Register(CLI::App& app) override { app.add_option("PROJECT", project_, "The project's folder")->required(); }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<edit::Protection> protections, edit::ListProtections(*project.dataset));
    Json list = Json::array();
    std::string text;
    for (const edit::Protection& protection : protections) {
      list.push_back({{"root", ToJson(protection.root)},
                      {"user", protection.user},
                      {"since", TimeText(protection.since)},
                      {"note", protection.note}});
      absl::StrAppend(&text, Value(protection.root), "  ", TimeText(protection.since), "  ", protection.user, "  ",
                      protection.note, "\n");
    }
    console.Show({{"protected", list}}, protections.empty() ? "no object is protected\n" : text);
    return absl::OkStatus();
  }

 private:
  std::string project_;
};

}  // namespace

std::unique_ptr<Command> MakeProtectedCommand() { return std::make_unique<ProtectedCommand>(); }

}  // namespace cleave::cli
