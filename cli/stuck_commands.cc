#include <memory>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/stuck_report.h"
#include "nlohmann/json.hpp"

#include "base/clock.h"
#include "base/status.h"
#include "edit/stuck.h"
#include "graph/dataset.h"

namespace cleave::cli {
namespace {

// Without an editor: what an earlier process left behind must still be there to be looked at.
absl::StatusOr<std::unique_ptr<graph::Dataset>> OpenAsItIs(const std::string& folder) {
  return graph::Dataset::Open(folder);
}

absl::StatusOr<absl::Duration> ParseAge(const std::string& text) {
  absl::Duration age;
  if (!absl::ParseDuration(text, &age) || age < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no duration; write 90s, 5m or 1h30m"));
  }
  return age;
}

class StuckListCommand final : public Command {
 public:
  CommandText text() const override {
    return {"stuck list", "", "List the operations that were left in the middle; change nothing",
            "cleave stuck list demo\ncleave stuck list demo --min-age 10m --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--min-age", min_age_, "Only those of which nothing was heard for so long: 90s, 5m, 1h30m")
        ->type_name("DURATION")
        ->capture_default_str();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const absl::Duration min_age, Named("--min-age", ParseAge(min_age_)));
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<graph::Dataset> dataset, OpenAsItIs(project_));
    const absl::Time now = Clock::System().Now();
    CLEAVE_ASSIGN_OR_RETURN(const auto operations, edit::ListStuck(*dataset, now, min_age));
    Json json = {{"operations", Json::array()}};
    std::string text;
    for (const edit::StuckOperation& operation : operations) {
      json["operations"].push_back(StuckJson(operation, now));
      absl::StrAppend(&text, StuckLine(operation, now));
    }
    console.Show(json, operations.empty() ? "nothing is stuck\n" : text);
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string min_age_ = "0s";
};

class StuckShowCommand final : public Command {
 public:
  CommandText text() const override {
    return {"stuck show", "",
            "Show one of them: its row, locks and scope, its intent and the steps done; change nothing",
            "cleave stuck show demo 17\ncleave stuck show demo 17 --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("OPERATION", operation_, "The number of the operation")->required();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const graph::OperationId operation, ParseOperation(operation_));
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<graph::Dataset> dataset, OpenAsItIs(project_));
    CLEAVE_ASSIGN_OR_RETURN(const edit::StuckDetails details, edit::ShowStuck(*dataset, operation));
    const absl::Time now = Clock::System().Now();
    console.Show(StuckJson(details, dataset->layout(), now), StuckPage(details, dataset->layout(), now));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string operation_;
};

using SettleStuck = absl::StatusOr<edit::StuckOutcome> (*)(graph::Dataset&, Clock&, graph::OperationId);

class StuckSettleCommand final : public Command {
 public:
  StuckSettleCommand(CommandText text, SettleStuck settle) : text_(std::move(text)), settle_(settle) {}

  CommandText text() const override { return text_; }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("OPERATION", operation_, "The number of the operation")->required();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const graph::OperationId operation, ParseOperation(operation_));
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<graph::Dataset> dataset, OpenAsItIs(project_));
    CLEAVE_ASSIGN_OR_RETURN(const edit::StuckOutcome outcome, settle_(*dataset, Clock::System(), operation));
    const std::string name(edit::Name(outcome));
    console.Show({{"operation", Value(operation)}, {"outcome", name}},
                 absl::StrCat("operation ", Value(operation), " was ", name, "\n"));
    return absl::OkStatus();
  }

 private:
  const CommandText text_;
  const SettleStuck settle_;
  std::string project_;
  std::string operation_;
};

}  // namespace

std::unique_ptr<Command> MakeStuckListCommand() { return std::make_unique<StuckListCommand>(); }
std::unique_ptr<Command> MakeStuckShowCommand() { return std::make_unique<StuckShowCommand>(); }

std::unique_ptr<Command> MakeStuckReplayCommand() {
  return std::make_unique<StuckSettleCommand>(
      CommandText{"stuck replay", "", "Carry one of them out to its end, and release its locks",
                  "cleave stuck replay demo 17"},
      edit::ReplayStuck);
}

std::unique_ptr<Command> MakeStuckRevertCommand() {
  return std::make_unique<StuckSettleCommand>(
      CommandText{"stuck revert", "",
                  "Take one of them back: put its voxels back as they were, release its locks, mark its row",
                  "cleave stuck revert demo 17"},
      edit::RevertStuck);
}

}  // namespace cleave::cli
