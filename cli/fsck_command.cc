#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/fsck.h"

namespace cleave::cli {
namespace {

using edit::FsckFinding;
using edit::FsckReport;

Json FindingJson(const FsckFinding& finding) {
  Json ids = Json::array();
  for (const uint64_t id : finding.ids) {
    ids.push_back(absl::StrCat(id));
  }
  return {{"invariant", finding.invariant},
          {"what", finding.what},
          {"ids", ids},
          {"where", finding.where.has_value() ? ToJson(*finding.where) : Json()},
          {"advice", finding.advice}};
}

Json ReportJson(const FsckReport& report, absl::Duration total) {
  Json invariants = Json::array();
  for (int i = 0; i < edit::kInvariantCount; ++i) {
    invariants.push_back({{"invariant", i + 1},
                          {"says", std::string(edit::DescribeInvariant(i + 1))},
                          {"checked", report.checked[i]},
                          {"found", report.found[i]}});
  }
  Json findings = Json::array();
  for (const FsckFinding& finding : report.findings) {
    findings.push_back(FindingJson(finding));
  }
  return {{"clean", report.clean()}, {"found", report.total_found()},
          {"times", report.times},   {"invariants", invariants},
          {"findings", findings},    {"seconds", {{"total", absl::ToDoubleSeconds(total)}}}};
}

std::string ReportText(const FsckReport& report, absl::Duration total) {
  std::string text;
  for (int i = 0; i < edit::kInvariantCount; ++i) {
    absl::StrAppendFormat(&text, "%s %d  %-70s %12s checked  %s\n", report.found[i] == 0 ? " ok " : "FAIL", i + 1,
                          std::string(edit::DescribeInvariant(i + 1)), CountText(report.checked[i]),
                          report.found[i] == 0 ? "" : absl::StrCat(report.found[i], " found"));
  }
  for (const FsckFinding& finding : report.findings) {
    absl::StrAppend(&text, "invariant ", finding.invariant, ": ", finding.what,
                    finding.where.has_value() ? absl::StrCat(" in ", ToString(*finding.where)) : std::string(),
                    finding.advice.empty() ? std::string() : absl::StrCat("; ", finding.advice), "\n");
  }
  absl::StrAppendFormat(&text, "%s: %d moment%s looked at in %.2f s\n", report.clean() ? "clean" : "NOT CLEAN",
                        report.times, report.times == 1 ? "" : "s", absl::ToDoubleSeconds(total));
  return text;
}

class FsckCommand final : public Command {
 public:
  CommandText text() const override {
    return {"fsck", "Project", "Look for anything that must always be true and is not", "cleave fsck demo"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--past-operations", options_.past_operations_max,
                   "How many of the newest operations to look back over")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    app.add_option("--findings", options_.findings_max, "How many findings to tell in full; all are counted")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const FsckReport report, edit::Fsck(*project.dataset, options_, console.progress()));
    const absl::Duration total = absl::Now() - start;
    console.Show(ReportJson(report, total), ReportText(report, total));
    if (!report.clean()) {
      return absl::DataLossError(absl::StrCat(project_, " is damaged: ", report.total_found(), " findings"));
    }
    return absl::OkStatus();
  }

 private:
  std::string project_;
  edit::FsckOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeFsckCommand() { return std::make_unique<FsckCommand>(); }

}  // namespace cleave::cli
