#include "edit/draft.h"

#include <utility>
#include <variant>

#include "base/status.h"
#include "table/table.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

// The year 5138: later than every stored cell, and a time that every engine can hold.
absl::Time ProvisionalTime(int64_t plan) { return absl::FromUnixMillis(100'000'000'000'000 + plan); }

std::vector<table::RowMutation> Stamped(const std::vector<table::RowMutation>& rows, absl::Time time) {
  std::vector<table::RowMutation> stamped = rows;
  for (table::RowMutation& row : stamped) {
    for (table::Change& change : row.changes) {
      if (auto* set = std::get_if<table::SetCell>(&change); set != nullptr && !set->time.has_value()) {
        set->time = time;
      }
    }
  }
  return stamped;
}

}  // namespace

const table::TableReader& Draft::reader() const {
  return rows_.has_value() ? static_cast<const table::TableReader&>(*rows_) : dataset_.table();
}

const volume::Volume& Draft::segmentation() const {
  return voxels_ != nullptr ? voxels_->volume() : dataset_.segmentation();
}

absl::StatusOr<graph::LocalGraph> Draft::LoadLocalGraph(std::span<const graph::NodeId> l2_nodes,
                                                        graph::OuterEdges outer) const {
  return graph::LoadLocalGraph(Now(), reader(), dataset_.edges(), l2_nodes, outer);
}

absl::Status Draft::Add(Plan& plan) {
  const absl::Time time = ProvisionalTime(plan_count_++);
  if (!rows_.has_value()) {
    rows_.emplace(dataset_.table(), time);
  }
  CLEAVE_RETURN_IF_ERROR(rows_->Add(Stamped(plan.prepare, time)));
  CLEAVE_RETURN_IF_ERROR(rows_->Add(Stamped(plan.flip, time)));
  if (plan.voxels.empty()) {
    return absl::OkStatus();
  }
  if (voxels_ == nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(voxels_, PlannedVolume::Create(dataset_.segmentation()));
  }
  for (store::KeyedWrite& write : plan.voxels) {
    voxels_->writes().Plan(write);
    if (!planned_chunks_.insert(write.key).second) {
      write.if_generation.reset();
    }
  }
  return absl::OkStatus();
}

bool Draft::IsProvisional(absl::Time time) { return time >= ProvisionalTime(0); }

void Draft::FinalTimes(std::span<const absl::Time> times, Plan& plan) {
  for (std::vector<table::RowMutation>* rows : {&plan.prepare, &plan.flip}) {
    for (table::RowMutation& row : *rows) {
      for (table::Change& change : row.changes) {
        auto* set = std::get_if<table::SetCell>(&change);
        if (set != nullptr && set->time.has_value() && IsProvisional(*set->time)) {
          set->time = times[static_cast<size_t>(absl::ToInt64Milliseconds(*set->time - ProvisionalTime(0)))];
        }
      }
    }
  }
}

}  // namespace cleave::edit
