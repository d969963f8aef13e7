#include "cli/edit_report.h"

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/json_text.h"
#include "nlohmann/json.hpp"

namespace cleave::cli {
namespace {

bool IsPreview(const edit::EditReport& report) { return report.operation == graph::OperationId{}; }

std::string TargetText(const edit::EditReport& report) {
  return report.target == graph::OperationId{} ? std::string() : absl::StrCat(" of operation ", Value(report.target));
}

std::string SideName(int side) { return side == 1 ? "source" : side == 2 ? "sink" : absl::StrCat("side ", side); }

Json FragmentsJson(const std::vector<edit::Fragment>& fragments) {
  Json list = Json::array();
  for (const edit::Fragment& fragment : fragments) {
    list.push_back({{"id", ToJson(fragment.id)},
                    {"former", ToJson(fragment.former)},
                    {"side", SideName(fragment.side)},
                    {"voxels", fragment.voxel_count}});
  }
  return list;
}

struct SideTotal {
  int64_t supervoxels = 0;
  int64_t voxels = 0;
};

std::string FragmentsText(const std::vector<edit::Fragment>& fragments) {
  std::map<int, SideTotal> sides;
  for (const edit::Fragment& fragment : fragments) {
    ++sides[fragment.side].supervoxels;
    sides[fragment.side].voxels += fragment.voxel_count;
  }
  std::string text;
  for (const auto& [side, total] : sides) {
    absl::StrAppendFormat(&text, "  %-18s %s voxels in %d fresh supervoxel%s\n",
                          side < 3 ? SideName(side) + " side" : SideName(side), CountText(total.voxels),
                          total.supervoxels, total.supervoxels == 1 ? "" : "s");
  }
  return text;
}

}  // namespace

nlohmann::ordered_json ProfileJson(const Stages& stages) {
  Json list;
  for (const StageProfile& stage : stages.Profile()) {
    list.push_back({{"stage", stage.name},
                    {"depth", stage.depth},
                    {"visits", stage.visits},
                    {"seconds", absl::ToDoubleSeconds(stage.wall)},
                    {"peak_memory_bytes", stage.peak_memory_bytes},
                    {"read_calls", stage.read_calls},
                    {"read_bytes", stage.read_bytes},
                    {"written_calls", stage.written_calls},
                    {"written_bytes", stage.written_bytes}});
  }
  return list;
}

std::string ProfileText(const Stages& stages) {
  const std::vector<StageProfile> profile = stages.Profile();
  if (profile.empty()) {
    return {};
  }
  constexpr double kMiB = 1 << 20;
  std::string text = absl::StrFormat("  %-28s %6s %10s %9s %14s %14s\n", "stage", "visits", "ms", "peak MiB",
                                     "read MiB/calls", "written");
  for (const StageProfile& stage : profile) {
    absl::StrAppendFormat(&text, "  %-28s %6d %10.1f %9.1f %8.2f/%5d %8.2f/%5d\n",
                          absl::StrCat(std::string(static_cast<size_t>(2 * stage.depth), ' '), stage.name),
                          stage.visits, absl::ToDoubleMilliseconds(stage.wall),
                          static_cast<double>(stage.peak_memory_bytes) / kMiB,
                          static_cast<double>(stage.read_bytes) / kMiB, stage.read_calls,
                          static_cast<double>(stage.written_bytes) / kMiB, stage.written_calls);
  }
  return text;
}

nlohmann::ordered_json EditJson(const edit::EditReport& report, absl::Duration total) {
  std::vector<graph::NodeId> fresh;
  for (const edit::Fragment& fragment : report.fragments) {
    fresh.push_back(fragment.id);
  }
  Json boxes = Json::array();
  for (const Box& box : report.changed_boxes) {
    boxes.push_back(ToJson(box));
  }
  Json json = {{"operation", nullptr}, {"kind", std::string(edit::Name(report.kind))}, {"preview", IsPreview(report)}};
  json["preview_token"] = report.preview_token.empty() ? Json(nullptr) : Json(report.preview_token);
  json["repeated"] = report.repeated;
  json["target"] = report.target == graph::OperationId{} ? Json(nullptr) : Json(Value(report.target));
  json["time"] = nullptr;
  if (!IsPreview(report)) {
    json["operation"] = Value(report.operation);
    json["time"] = TimeText(report.time);
  }
  json["old_roots"] = ToJson(report.old_roots);
  json["new_roots"] = ToJson(report.new_roots);
  json["fresh_supervoxels"] = ToJson(fresh);
  json["restored_supervoxels"] = ToJson(edit::SupervoxelsOf(report.restored));
  json["fragments"] = FragmentsJson(report.fragments);
  json["new_l2_nodes"] = ToJson(report.new_l2_nodes);
  json["added_edges"] = report.added_edges.size();
  json["removed_edges"] = report.removed_edges.size();
  json["overridden"] = ToJson(report.overridden);
  json["changed_boxes"] = boxes;
  json["changed_chunks"] = report.changed_chunk_count;
  json["generation"] = report.generation;
  json["seconds"] = SecondsJson(report.stages, total);
  if (Json profile = ProfileJson(report.stages); !profile.is_null()) {
    json["profile"] = std::move(profile);
  }
  return json;
}

std::string EditText(const edit::EditReport& report, absl::Duration total) {
  std::string text =
      IsPreview(report)
          ? absl::StrCat(report.preview_token.empty() ? "dry run: " : "preview: ", edit::Name(report.kind),
                         TargetText(report), "; nothing was changed",
                         report.preview_token.empty() ? ", and the ids are not final\n" : "\n")
          : absl::StrCat(edit::Name(report.kind), TargetText(report),
                         report.repeated ? " was done before: operation " : " done: operation ",
                         Value(report.operation), " at ", TimeText(report.time), "\n");
  absl::StrAppend(&text, "  old roots         ", IdsText(report.old_roots), "\n");
  absl::StrAppend(&text, "  new roots         ", IdsText(report.new_roots), "\n");
  if (!report.overridden.empty()) {
    absl::StrAppend(&text, "  was protected     ", IdsText(report.overridden), "\n");
  }
  absl::StrAppend(&text, FragmentsText(report.fragments));
  if (!report.restored.empty()) {
    absl::StrAppend(&text, "  old ids back      ", IdsText(edit::SupervoxelsOf(report.restored)), ", of ",
                    CountText(std::ssize(report.restored)), " fragments\n");
  }
  absl::StrAppend(&text, "  edges             ", CountText(static_cast<int64_t>(report.added_edges.size())), " added, ",
                  CountText(static_cast<int64_t>(report.removed_edges.size())), " removed\n");
  absl::StrAppend(&text, "  voxel chunks      ", CountText(report.changed_chunk_count), " rewritten; generation ",
                  report.generation, "\n");
  if (!report.preview_token.empty()) {
    absl::StrAppend(&text, "  to do just this   cleave commit PROJECT ", report.preview_token, "\n");
  }
  absl::StrAppendFormat(&text, "  time              %.1f ms", absl::ToDoubleMilliseconds(total));
  const char* separator = ": ";
  for (const auto& [stage, duration] : report.stages.list()) {
    absl::StrAppendFormat(&text, "%s%s %.1f", separator, stage, absl::ToDoubleMilliseconds(duration));
    separator = ", ";
  }
  return absl::StrCat(text, "\n", ProfileText(report.stages));
}

nlohmann::ordered_json ErrorJson(const absl::Status& status) {
  return {{"code", absl::StatusCodeToString(status.code())}, {"message", std::string(status.message())}};
}

std::string EditLine(const edit::EditReport& report) {
  return absl::StrCat(IsPreview(report) ? "dry run" : absl::StrCat("operation ", Value(report.operation)), ": ",
                      edit::Name(report.kind), TargetText(report), report.repeated ? " (done before)" : "", ", ",
                      IdsText(report.old_roots), " -> ", IdsText(report.new_roots), "\n");
}

}  // namespace cleave::cli
