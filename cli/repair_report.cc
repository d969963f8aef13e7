#include "cli/repair_report.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

namespace cleave::cli {
namespace {

using edit::FsckFinding;
using edit::FsckReport;
using edit::Mend;

Json IdsJson(const std::vector<uint64_t>& ids) {
  Json json = Json::array();
  for (const uint64_t id : ids) {
    json.push_back(absl::StrCat(id));
  }
  return json;
}

Json BoxOrNull(const std::optional<Box>& box) { return box.has_value() ? ToJson(*box) : Json(); }

// Stored bytes, which need not be text.
Json BytesJson(const std::optional<std::string>& bytes) {
  return bytes.has_value() ? Json(absl::BytesToHexString(*bytes)) : Json();
}

std::string FindingText(const FsckFinding& finding) {
  return absl::StrCat("invariant ", finding.invariant, ": ", finding.what,
                      finding.where.has_value() ? absl::StrCat(" in ", ToString(*finding.where)) : std::string(),
                      finding.advice.empty() ? std::string() : absl::StrCat("; ", finding.advice), "\n");
}

}  // namespace

Json FindingsJson(const FsckReport& report) {
  Json findings = Json::array();
  for (const FsckFinding& finding : report.findings) {
    findings.push_back({{"invariant", finding.invariant},
                        {"what", finding.what},
                        {"ids", IdsJson(finding.ids)},
                        {"where", BoxOrNull(finding.where)},
                        {"advice", finding.advice}});
  }
  return findings;
}

Json FsckJson(const FsckReport& report, absl::Duration total) {
  Json invariants = Json::array();
  for (int i = 0; i < edit::kInvariantCount; ++i) {
    invariants.push_back({{"invariant", i + 1},
                          {"says", std::string(edit::DescribeInvariant(i + 1))},
                          {"checked", report.checked[i]},
                          {"found", report.found[i]}});
  }
  return {{"clean", report.clean()},
          {"found", report.total_found()},
          {"times", report.times},
          {"invariants", invariants},
          {"findings", FindingsJson(report)},
          {"seconds", {{"total", absl::ToDoubleSeconds(total)}}}};
}

std::string FsckText(const FsckReport& report, absl::Duration total) {
  std::string text;
  for (int i = 0; i < edit::kInvariantCount; ++i) {
    absl::StrAppendFormat(&text, "%s %d  %-70s %12s checked  %s\n", report.found[i] == 0 ? " ok " : "FAIL", i + 1,
                          std::string(edit::DescribeInvariant(i + 1)), CountText(report.checked[i]),
                          report.found[i] == 0 ? "" : absl::StrCat(report.found[i], " found"));
  }
  for (const FsckFinding& finding : report.findings) {
    absl::StrAppend(&text, FindingText(finding));
  }
  absl::StrAppendFormat(&text, "%s: %d moment%s looked at in %.2f s\n", report.clean() ? "clean" : "NOT CLEAN",
                        report.times, report.times == 1 ? "" : "s", absl::ToDoubleSeconds(total));
  return text;
}

Json MendsJson(const std::vector<Mend>& mends) {
  Json json = Json::array();
  for (const Mend& mend : mends) {
    Json cells = Json::array();
    for (const edit::CellChange& change : mend.cells) {
      cells.push_back({{"row", change.row},
                       {"column", absl::StrCat(change.column.family, ":", change.column.qualifier)},
                       {"time", change.time.has_value() ? Json(TimeText(*change.time)) : Json()},
                       {"before", BytesJson(change.before)},
                       {"after", BytesJson(change.after)},
                       {"says", edit::DescribeChange(change)}});
    }
    Json voxels = Json::array();
    for (const edit::VoxelChange& change : mend.voxels) {
      voxels.push_back({{"key", change.key}, {"restored_from", change.restored_from}, {"replaced", change.replaced}});
    }
    json.push_back({{"invariant", mend.invariant},
                    {"what", mend.what},
                    {"evidence", mend.evidence},
                    {"ids", IdsJson(mend.ids)},
                    {"where", BoxOrNull(mend.where)},
                    {"cells", cells},
                    {"voxels", voxels}});
  }
  return json;
}

std::string MendsText(const std::vector<Mend>& mends) {
  std::string text;
  int64_t number = 0;
  for (const Mend& mend : mends) {
    absl::StrAppend(&text, ++number, ". ", mend.what,
                    mend.where.has_value() ? absl::StrCat(" in ", ToString(*mend.where)) : std::string(),
                    "\n   because ", mend.evidence, "\n");
    for (const edit::CellChange& change : mend.cells) {
      absl::StrAppend(&text, "   - ", edit::DescribeChange(change), "\n");
    }
    for (const edit::VoxelChange& change : mend.voxels) {
      absl::StrAppend(&text, "   - ", edit::DescribeChange(change), "\n");
    }
  }
  return text;
}

Json PlanJson(const edit::RepairPlan& plan) {
  return {{"found", plan.before.total_found()},
          {"findings", FindingsJson(plan.before)},
          {"mends", MendsJson(plan.mends)},
          {"doubts", plan.doubts},
          {"left", {{"found", plan.after.total_found()}, {"findings", FindingsJson(plan.after)}}}};
}

std::string PlanText(const edit::RepairPlan& plan) {
  if (plan.before.clean()) {
    return "clean: there is nothing to mend\n";
  }
  std::string text;
  for (const FsckFinding& finding : plan.before.findings) {
    absl::StrAppend(&text, FindingText(finding));
  }
  absl::StrAppend(&text, plan.before.total_found(), " findings; a repair would make ", plan.mends.size(), " change",
                  plan.mends.size() == 1 ? "" : "s", ":\n", MendsText(plan.mends));
  for (const std::string& doubt : plan.doubts) {
    absl::StrAppend(&text, "not mended: ", doubt, "\n");
  }
  if (plan.after.clean()) {
    return absl::StrCat(text, "after that the project is clean\n");
  }
  absl::StrAppend(&text, plan.after.total_found(), " findings would be left, which no machine can mend:\n");
  for (const FsckFinding& finding : plan.after.findings) {
    absl::StrAppend(&text, FindingText(finding));
  }
  return text;
}

}  // namespace cleave::cli
