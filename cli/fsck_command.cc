#include <unistd.h>

#include <iostream>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "cli/repair_report.h"
#include "cli/user_name.h"
#include "nlohmann/json.hpp"

#include "base/clock.h"
#include "base/status.h"
#include "edit/fsck.h"
#include "edit/recovery.h"
#include "edit/repair.h"

namespace cleave::cli {
namespace {

using edit::FsckReport;

// As OpenProject, but a project whose unfinished operation cannot be finished is opened all the same: that is what fsck
// is for.
absl::StatusOr<std::unique_ptr<graph::Dataset>> OpenDamaged(const std::string& folder, Console& console) {
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<graph::Dataset> dataset, graph::Dataset::Open(folder));
  const auto recovered = edit::RecoverOperations(*dataset, Clock::System());
  if (recovered.ok()) {
    NoteRecovered(*recovered, console);
  } else {
    console.Note(absl::StrCat("what an earlier process left behind cannot be finished: ", recovered.status().message()),
                 /*important=*/true);
  }
  return dataset;
}

absl::Status Verdict(const std::string& project, const FsckReport& report) {
  return report.clean()
             ? absl::OkStatus()
             : absl::DataLossError(absl::StrCat(project, " is damaged: ", report.total_found(), " findings"));
}

class FsckCommand final : public Command {
 public:
  CommandText text() const override {
    return {"fsck", "Project", "Look for anything that must always be true and is not; show and make repairs",
            "cleave fsck demo\ncleave fsck demo --plan\ncleave fsck demo --repair --yes"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--past-operations", options_.past_operations_max,
                   "How many of the newest operations to look back over; 0: only the newest state")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    app.add_option("--findings", options_.findings_max, "How many findings to tell in full; all are counted")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    CLI::Option* plan = app.add_flag("--plan", plan_, "Show what a repair would write, and why; change nothing");
    CLI::Option* repair = app.add_flag("--repair", repair_, "Plan anew, show the plan, ask, and carry it out");
    app.add_flag("--yes", yes_, "Do not ask")->needs(repair);
    app.add_option("--user", user_, "Who repairs, for the log; default: who runs the program")->type_name("NAME");
    CLI::Option* show =
        app.add_option("--show-repair", shown_, "Show what an earlier repair changed")->type_name("OPERATION");
    plan->excludes(repair)->excludes(show);
    repair->excludes(show);
  }

  absl::Status Run(Console& console) override {
    uint64_t shown = 0;
    if (!shown_.empty() && !absl::SimpleAtoi(shown_, &shown)) {
      return absl::InvalidArgumentError(absl::StrCat("'", shown_, "' is not the number of an operation"));
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<graph::Dataset> dataset, OpenDamaged(project_, console));
    if (!shown_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(const auto mends, edit::ReadRepair(dataset->table(), graph::OperationId{shown}));
      console.Show({{"operation", shown}, {"mends", MendsJson(mends)}}, MendsText(mends));
      return absl::OkStatus();
    }
    return plan_ || repair_ ? Repair(*dataset, console) : Check(*dataset, console);
  }

 private:
  absl::Status Check(graph::Dataset& dataset, Console& console) {
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const FsckReport report, edit::Fsck(dataset, options_, console.progress()));
    const absl::Duration total = absl::Now() - start;
    console.Show(FsckJson(report, total), FsckText(report, total));
    return Verdict(project_, report);
  }

  absl::Status Repair(graph::Dataset& dataset, Console& console) {
    CLEAVE_ASSIGN_OR_RETURN(edit::RepairPlan plan,
                            edit::PlanRepair(dataset, options_, Clock::System(), console.progress()));
    Json json = PlanJson(plan);
    std::string text = PlanText(plan);
    json["applied"] = false;
    if (plan_ || plan.mends.empty()) {
      console.Show(json, text);
      return Verdict(project_, plan.before);
    }
    if (!yes_) {
      if (isatty(STDIN_FILENO) == 0) {
        console.Show(json, text);
        return absl::FailedPreconditionError("nothing was changed: nobody is there to be asked; add --yes");
      }
      std::cerr << text << "Carry this out? Type 'yes': " << std::flush;
      std::string answer;
      if (!std::getline(std::cin, answer) || answer != "yes") {
        return absl::FailedPreconditionError("nothing was changed");
      }
      text.clear();
    }
    CLEAVE_ASSIGN_OR_RETURN(
        const edit::RepairReport report,
        edit::ApplyRepair(dataset, Clock::System(), std::move(plan), user_, options_, console.progress()));
    json["applied"] = true;
    json["operation"] = Value(report.record.id);
    json["left"] = {{"found", report.after.total_found()}, {"findings", FindingsJson(report.after)}};
    absl::StrAppend(
        &text, "repaired by operation ", Value(report.record.id), "; what stood there before: cleave fsck ", project_,
        " --show-repair ", Value(report.record.id), "\n",
        report.after.clean() ? "clean" : absl::StrCat("NOT CLEAN: ", report.after.total_found(), " findings left"),
        "\n");
    console.Show(json, text);
    return Verdict(project_, report.after);
  }

  std::string project_;
  edit::FsckOptions options_;
  bool plan_ = false;
  bool repair_ = false;
  bool yes_ = false;
  std::string user_ = UserName();
  std::string shown_;
};

}  // namespace

std::unique_ptr<Command> MakeFsckCommand() { return std::make_unique<FsckCommand>(); }

}  // namespace cleave::cli
