#include "cli/stuck_report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

namespace cleave::cli {
namespace {

using edit::ScopeLock;
using edit::StuckDetails;
using edit::StuckIntent;
using edit::StuckOperation;

constexpr size_t kLocksShownMax = 20;

std::string AgeText(const StuckOperation& operation, absl::Time now) {
  return operation.since == absl::InfinitePast()
             ? std::string("unknown")
             : absl::FormatDuration(absl::Trunc(now - operation.since, absl::Seconds(1)));
}

std::string StatusName(const StuckOperation& operation) {
  return operation.record.has_value() ? std::string(edit::Name(operation.record->status))
         : operation.row_problem.ok() ? std::string("no row")
                                      : std::string("unreadable");
}

std::string KindName(const StuckOperation& operation) {
  return operation.record.has_value() ? std::string(edit::Name(operation.record->kind)) : std::string("unknown");
}

Json HolderJson(const std::optional<table::LockHolder>& holder) {
  return holder.has_value() ? Json{{"operation", holder->operation_id}, {"since", TimeText(holder->since)}} : Json();
}

Json IntentJson(const StuckIntent& intent) {
  return {{"bytes", intent.bytes},
          {"operations", intent.operations},
          {"prepare_rows", intent.prepare_rows},
          {"voxel_chunks", intent.voxel_chunks},
          {"flip_rows", intent.flip_rows},
          {"steps",
           {{"committed", intent.committed},
            {"prepared", intent.prepared},
            {"voxels_written", intent.voxels_written},
            {"flip_claimed", intent.flip_claimed},
            {"flipped", intent.flipped},
            {"voxels_back", intent.voxels_back}}}};
}

std::string HolderText(const std::optional<table::LockHolder>& holder) {
  return holder.has_value() ? absl::StrCat("operation ", holder->operation_id, " since ", TimeText(holder->since))
                            : std::string("nobody");
}

std::string LockText(const ScopeLock& lock, const graph::IdLayout& layout) {
  return absl::StrCat("    ",
                      lock.is_chunk ? absl::StrCat("chunk ", ToString(layout.ChunkOf(lock.id).position))
                                    : absl::StrCat("root ", Value(lock.id)),
                      ": temporal ", HolderText(lock.state.temporal), ", indefinite ",
                      HolderText(lock.state.indefinite), "\n");
}

std::string IntentText(const StuckDetails& details) {
  if (!details.intent.has_value()) {
    return details.intent_problem.ok() ? std::string("  intent             none\n")
                                       : absl::StrCat("  intent             ", details.intent_problem.message(), "\n");
  }
  const StuckIntent& intent = *details.intent;
  const auto step = [](absl::string_view name, bool done) {
    return absl::StrCat("    ", done ? "done  " : "open  ", name, "\n");
  };
  return absl::StrCat("  intent             ", CountText(intent.bytes), " bytes: ", CountText(intent.operations),
                      " operations, ", CountText(intent.prepare_rows), " rows to prepare, ",
                      CountText(intent.voxel_chunks), " chunks of voxels, ", CountText(intent.flip_rows),
                      " rows to turn on\n  steps\n", step("commit", intent.committed), step("prepare", intent.prepared),
                      step("voxels", intent.voxels_written), step("flip claimed", intent.flip_claimed),
                      step("flip", intent.flipped),
                      intent.voxels_back ? step("voxels put back by a revert", true) : "");
}

}  // namespace

Json StuckJson(const StuckOperation& operation, absl::Time now) {
  const bool has_age = operation.since != absl::InfinitePast();
  return {{"operation", Value(operation.scope.id)},
          {"state", std::string(edit::Name(operation.state))},
          {"status", StatusName(operation)},
          {"kind", KindName(operation)},
          {"user", operation.record.has_value() ? operation.record->user : std::string()},
          {"since", has_age ? Json(TimeText(operation.since)) : Json()},
          {"age_seconds", has_age ? Json(absl::ToDoubleSeconds(now - operation.since)) : Json()},
          {"locks", operation.lock_count},
          {"roots", ToJson(operation.scope.locked_roots)},
          {"chunks", operation.scope.chunk_scope.size()}};
}

std::string StuckLine(const StuckOperation& operation, absl::Time now) {
  return absl::StrFormat("%6d  %-9s  %-13s  %-7s  %-12s  %d locks, %d chunks, age %s\n", Value(operation.scope.id),
                         edit::Name(operation.state), StatusName(operation), KindName(operation),
                         operation.record.has_value() ? operation.record->user : std::string(), operation.lock_count,
                         operation.scope.chunk_scope.size(), AgeText(operation, now));
}

Json StuckJson(const StuckDetails& details, const graph::IdLayout& layout, absl::Time now) {
  Json json = StuckJson(details.operation, now);
  json["chunks"] = Json::array();
  for (const graph::NodeId chunk : details.operation.scope.chunk_scope) {
    json["chunks"].push_back(ToJson(layout.ChunkOf(chunk).position));
  }
  json["lock_rows"] = Json::array();
  for (const ScopeLock& lock : details.locks) {
    json["lock_rows"].push_back({{"root", lock.is_chunk ? Json() : ToJson(lock.id)},
                                 {"chunk", lock.is_chunk ? ToJson(layout.ChunkOf(lock.id).position) : Json()},
                                 {"temporal", HolderJson(lock.state.temporal)},
                                 {"indefinite", HolderJson(lock.state.indefinite)}});
  }
  json["intent"] = details.intent.has_value() ? IntentJson(*details.intent) : Json();
  const absl::Status& problem =
      details.operation.row_problem.ok() ? details.intent_problem : details.operation.row_problem;
  json["problem"] = std::string(problem.message());
  return json;
}

std::string StuckPage(const StuckDetails& details, const graph::IdLayout& layout, absl::Time now) {
  const StuckOperation& operation = details.operation;
  std::string text = absl::StrCat("operation ", Value(operation.scope.id), ": ", KindName(operation), ", ",
                                  StatusName(operation), ", ", edit::Name(operation.state), "\n");
  if (operation.record.has_value()) {
    absl::StrAppend(&text, "  user               ", operation.record->user, "\n");
  }
  if (!operation.row_problem.ok()) {
    absl::StrAppend(&text, "  row                ", operation.row_problem.message(), "\n");
  }
  absl::StrAppend(&text, "  last heard of      ",
                  operation.since == absl::InfinitePast() ? std::string("never") : TimeText(operation.since), ", ",
                  AgeText(operation, now), " ago\n", IntentText(details), "  locks of its own   ", operation.lock_count,
                  "\n  scope              ", operation.scope.locked_roots.size(), " roots, ",
                  operation.scope.chunk_scope.size(), " chunks\n");
  for (size_t i = 0; i < details.locks.size() && i < kLocksShownMax; ++i) {
    absl::StrAppend(&text, LockText(details.locks[i], layout));
  }
  if (details.locks.size() > kLocksShownMax) {
    absl::StrAppend(&text, "    and ", details.locks.size() - kLocksShownMax, " more; --json lists all\n");
  }
  return text;
}

}  // namespace cleave::cli
