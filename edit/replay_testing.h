// Replays the log of operations on the plain model. Not for product code.
#pragma once

#include <set>

#include "edit/edit_testing.h"
#include "edit/operation_log.h"
#include "edit/plain_model_testing.h"

namespace cleave::edit {

inline EditReport ReportOf(const OperationRecord& record) {
  EditReport report;
  report.operation = record.id;
  report.kind = record.kind;
  report.added_edges = record.added_edges;
  report.removed_edges = record.removed_edges;
  report.fragments = record.fragment_origins;
  return report;
}

// Applies one operation of the log to the model, and compares.
inline void Replay(graph::Dataset& dataset, const OperationRecord& record, PlainModel& model,
                   Array3<uint64_t>& labels) {
  if (record.written_generation.has_value()) {
    // Only this operation's own voxels: that version may hold those of another with a later time.
    const std::set<graph::NodeId> fragments(record.fragments.begin(), record.fragments.end());
    const Array3<uint64_t> written = ExportSupervoxels(dataset, record.written_generation);
    for (int64_t i = 0; i < labels.size(); ++i) {
      if (fragments.contains(graph::NodeId{written.data()[i]})) {
        labels.data()[i] = written.data()[i];
      }
    }
  }
  const std::map<uint64_t, uint64_t> root_of = RootsOf(dataset, labels, record.time);
  const EditReport report = ReportOf(record);
  if (record.bounding_box_offset.has_value()) {
    model.Split(report, labels, [&](uint64_t a, uint64_t b) { return root_of.at(a) == root_of.at(b); });
  } else {
    model.Part(report);
    model.Merge(report);
  }
  ASSERT_EQ(PartitionOf(root_of), model.Objects())
      << "at the time of operation " << Value(record.id) << ", a " << Name(record.kind);
}

}  // namespace cleave::edit
