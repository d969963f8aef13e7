#include <memory>
#include <optional>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/branch.h"

namespace cleave::cli {
namespace {

class BranchCommand final : public Command {
 public:
  CommandText text() const override {
    return {"branch", "Project", "Make a second project that begins as this one is, or was, and goes its own way",
            "cleave branch demo sandbox\n"
            "cleave branch demo before-monday --at 2026-01-26T00:00:00Z --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("NEW", folder_, "The folder of the new one, which must not exist or be empty")->required();
    app.add_option("--at", at_, "Begin as the project was at this time; without it, as it is")->type_name("TIME");
  }

  absl::Status Run(Console& console) override {
    std::optional<absl::Time> at;
    if (!at_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(at, Named("--at", ParseTime(at_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_ASSIGN_OR_RETURN(const edit::BranchReport report, edit::BranchProject(*project.dataset, folder_, at));
    console.Show(
        {{"project", folder_},
         {"time", TimeText(report.time)},
         {"generation", report.generation},
         {"operations", report.operation_count},
         {"dropped_operations", report.dropped_count},
         {"linked_files", report.files.linked},
         {"copied_files", report.files.copied}},
        absl::StrCat("made ", folder_, " as of ", TimeText(report.time), ": ", CountText(report.operation_count),
                     " operations, ", CountText(report.dropped_count), " later ones left out; ",
                     CountText(report.files.linked), " files linked, ", CountText(report.files.copied), " copied\n"));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string folder_;
  std::string at_;
};

Json OperationsJson(const std::vector<edit::OperationRecord>& operations) {
  Json list = Json::array();
  for (const edit::OperationRecord& operation : operations) {
    list.push_back({{"operation", Value(operation.id)},
                    {"kind", std::string(edit::Name(operation.kind))},
                    {"time", TimeText(operation.time)},
                    {"user", operation.user},
                    {"old_roots", ToJson(operation.old_roots)},
                    {"new_roots", ToJson(operation.new_roots)}});
  }
  return list;
}

std::string OperationsText(char mark, const std::vector<edit::OperationRecord>& operations) {
  std::string text;
  for (const edit::OperationRecord& operation : operations) {
    absl::StrAppend(&text, std::string(1, mark), " ", TimeText(operation.time), "  operation ", Value(operation.id),
                    "  ", edit::Name(operation.kind), "  ", operation.user, "  ", IdsText(operation.old_roots), " -> ",
                    IdsText(operation.new_roots), "\n");
  }
  return text;
}

class DiffCommand final : public Command {
 public:
  CommandText text() const override {
    return {"diff", "Project", "List the edits that only one of two branches has",
            "cleave diff demo sandbox\ncleave diff demo sandbox --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("FIRST", first_, "A project's folder")->required();
    app.add_option("SECOND", second_, "That of a branch of it, or of another branch")->required();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const Project first, OpenProject(first_, console));
    CLEAVE_ASSIGN_OR_RETURN(const Project second, OpenProject(second_, console));
    CLEAVE_ASSIGN_OR_RETURN(const edit::LogDifference difference, edit::DiffProjects(*first.dataset, *second.dataset));
    const bool any = difference.common_count > 0;
    console.Show({{"common", difference.common_count},
                  {"common_until", any ? Json(TimeText(difference.common_until)) : Json()},
                  {"only_first", OperationsJson(difference.only_first)},
                  {"only_second", OperationsJson(difference.only_second)}},
                 absl::StrCat(CountText(difference.common_count), " operations are common",
                              any ? absl::StrCat(", the last of ", TimeText(difference.common_until)) : "", "\n",
                              OperationsText('<', difference.only_first), OperationsText('>', difference.only_second)));
    return absl::OkStatus();
  }

 private:
  std::string first_;
  std::string second_;
};

}  // namespace

std::unique_ptr<Command> MakeBranchCommand() { return std::make_unique<BranchCommand>(); }
std::unique_ptr<Command> MakeDiffCommand() { return std::make_unique<DiffCommand>(); }

}  // namespace cleave::cli
