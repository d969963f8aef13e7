#include "cli/ingest_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"

namespace cleave::cli {

Json IngestReportJson(const std::string& project, const ingest::IngestReport& report) {
  Json json = {
      {"project", project},
      {"voxels", report.voxels},
      {"chunks", report.chunks},
      {"supervoxels", report.supervoxels},
      {"edges", {{"inside", report.edges_inside}, {"between", report.edges_between}, {"cross", report.edges_cross}}},
      {"l2_nodes", report.l2_nodes},
      {"roots", report.roots},
      {"seconds", {{"total", report.seconds}}}};
  Json steps = Json::object();
  for (const ingest::StepTime& step : report.steps) {
    steps[absl::StrReplaceAll(step.step, {{" ", "_"}})] = step.thread_seconds;
  }
  json["thread_seconds"] = steps;
  return json;
}

std::string IngestReportText(const std::string& project, const ingest::IngestReport& report) {
  return absl::StrCat("made ", project, "\n  voxels       ", CountText(report.voxels), " in ", CountText(report.chunks),
                      " chunks\n  supervoxels  ", CountText(report.supervoxels), "\n  edges        ",
                      CountText(report.edges_inside), " inside chunks, ", CountText(report.edges_between), " between, ",
                      CountText(report.edges_cross), " within a label\n  objects      ", CountText(report.roots),
                      absl::StrFormat("\n  time         %.2f s, %.1f million voxels a second\n", report.seconds,
                                      1e-6 * static_cast<double>(report.voxels) / report.seconds));
}

}  // namespace cleave::cli
