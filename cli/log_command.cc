#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/operation_log.h"

namespace cleave::cli {
namespace {

using edit::OperationRecord;

Json NumberOrNull(const std::optional<uint64_t>& number) { return number.has_value() ? Json(*number) : Json(); }

Json OperationOrNull(graph::OperationId id) { return id == graph::OperationId{} ? Json() : Json(Value(id)); }

Json MorePointsJson(const std::vector<edit::SidePoint>& points) {
  Json list = Json::array();
  for (const edit::SidePoint& point : points) {
    list.push_back({{"side", point.side},
                    {"point", {point.point.x, point.point.y, point.point.z}},
                    {"supervoxel", Value(point.supervoxel)}});
  }
  return list;
}

Json RecordJson(const OperationRecord& record) {
  return {{"operation", Value(record.id)},
          {"kind", std::string(edit::Name(record.kind))},
          {"status", std::string(edit::Name(record.status))},
          {"time", TimeText(record.time)},
          {"user", record.user},
          {"sources", ToJson(record.sources)},
          {"sinks", ToJson(record.sinks)},
          {"source_supervoxels", ToJson(record.source_supervoxels)},
          {"sink_supervoxels", ToJson(record.sink_supervoxels)},
          {"more_points", MorePointsJson(record.more_points)},
          {"old_roots", ToJson(record.old_roots)},
          {"new_roots", ToJson(record.new_roots)},
          {"fresh_supervoxels", ToJson(record.fragments)},
          {"restored_supervoxels", ToJson(edit::SupervoxelsOf(record.restored))},
          {"added_edges", record.added_edges.size()},
          {"removed_edges", record.removed_edges.size()},
          {"read_generation", NumberOrNull(record.read_generation)},
          {"generation", NumberOrNull(record.written_generation)},
          {"exception", record.exception},
          {"failure", std::string(edit::Name(record.failure))},
          {"target", OperationOrNull(record.target)},
          {"undone_by", OperationOrNull(record.undone_by.value_or(graph::OperationId{}))},
          {"cut_again_by", OperationOrNull(record.cut_again_by)},
          {"batch", OperationOrNull(record.batch)},
          {"key", record.request_key},
          {"overridden", ToJson(record.overridden)}};
}

std::string LineOf(const OperationRecord& record) {
  return absl::StrFormat("%6d  %s  %-5s  %-13s  %-12s  %s -> %s\n", Value(record.id), TimeText(record.time),
                         std::string(edit::Name(record.kind)), std::string(edit::Name(record.status)), record.user,
                         IdsText(record.old_roots), IdsText(record.new_roots));
}

std::string GenerationText(const std::optional<uint64_t>& generation) {
  return generation.has_value() ? absl::StrCat(*generation) : std::string("none");
}

std::string PageOf(const OperationRecord& record) {
  std::string text = absl::StrCat("operation ", Value(record.id), ": ", edit::Name(record.kind), ", ",
                                  edit::Name(record.status), "\n");
  absl::StrAppend(&text, "  time               ", TimeText(record.time), "\n");
  absl::StrAppend(&text, "  user               ", record.user, "\n");
  if (record.target != graph::OperationId{}) {
    absl::StrAppend(&text, "  of operation       ", Value(record.target), "\n");
  }
  if (const auto undo = record.undone_by.value_or(graph::OperationId{}); undo != graph::OperationId{}) {
    absl::StrAppend(&text, "  undone by          ", Value(undo), "\n");
  }
  if (record.cut_again_by != graph::OperationId{}) {
    absl::StrAppend(&text, "  cut again by       ", Value(record.cut_again_by), "\n");
  }
  if (!record.overridden.empty()) {
    absl::StrAppend(&text, "  was protected      ", IdsText(record.overridden), "\n");
  }
  absl::StrAppend(&text, "  sources            ", PointsText(record.sources), "\n");
  absl::StrAppend(&text, "  sinks              ", PointsText(record.sinks), "\n");
  for (const edit::SidePoint& point : record.more_points) {
    absl::StrAppend(&text, "  side ", point.side, "             ", PointsText({point.point}), "\n");
  }
  absl::StrAppend(&text, "  old roots          ", IdsText(record.old_roots), "\n");
  absl::StrAppend(&text, "  new roots          ", IdsText(record.new_roots), "\n");
  absl::StrAppend(&text, "  fresh supervoxels  ", IdsText(record.fragments), "\n");
  if (!record.restored.empty()) {
    absl::StrAppend(&text, "  old ids back       ", IdsText(edit::SupervoxelsOf(record.restored)), "\n");
  }
  absl::StrAppend(&text, "  edges              ", record.added_edges.size(), " added, ", record.removed_edges.size(),
                  " removed\n");
  absl::StrAppend(&text, "  generation         read ", GenerationText(record.read_generation), ", written ",
                  GenerationText(record.written_generation), "\n");
  if (!record.exception.empty()) {
    absl::StrAppend(&text, "  exception          ", record.exception, " (", edit::Name(record.failure), ")\n");
  }
  return text;
}

class LogCommand final : public Command {
 public:
  CommandText text() const override {
    return {"log", "Ask", "List the operations, or show one", "cleave log demo\ncleave log demo 3 --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("OPERATION", operation_, "The number of an operation; without it, all, oldest first");
  }

  absl::Status Run(Console& console) override {
    uint64_t number = 0;
    if (!operation_.empty() && !absl::SimpleAtoi(operation_, &number)) {
      return absl::InvalidArgumentError(absl::StrCat("'", operation_, "' is not the number of an operation"));
    }
    constexpr uint64_t kFirstNode = uint64_t{1} << 56;  // rows of nodes begin there
    if (number >= kFirstNode) {
      return absl::NotFoundError(absl::StrCat("there is no operation ", number, "; that is the id of a node"));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    const edit::OperationLog log(project.dataset->table());
    if (!operation_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(const OperationRecord record, log.Read(graph::OperationId{number}));
      console.Show(RecordJson(record), PageOf(record));
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<OperationRecord> records, log.ReadAll());
    Json json = {{"operations", Json::array()}};
    std::string text;
    for (const OperationRecord& record : records) {
      json["operations"].push_back(RecordJson(record));
      absl::StrAppend(&text, LineOf(record));
    }
    console.Show(json, records.empty() ? "no operations yet\n" : text);
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string operation_;
};

}  // namespace

std::unique_ptr<Command> MakeLogCommand() { return std::make_unique<LogCommand>(); }

}  // namespace cleave::cli
