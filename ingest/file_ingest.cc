#include "ingest/file_ingest.h"

#include <chrono>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "base/crash_point.h"
#include "base/status.h"
#include "graph/dataset.h"
#include "ingest/file_layer.h"
#include "ingest/parent_layer.h"
#include "ingest/report.h"
#include "ingest/request.h"
#include "table/table.h"

namespace cleave::ingest {
namespace {

using graph::Dataset;

std::string RequestText(const FileIngestOptions& options) {
  return nlohmann::ordered_json(
             {{"segmentation", options.base.labels}, {"edges", options.edges}, {"components", options.components}})
      .dump();
}

// Where an earlier run of the same request has come to, or the beginning.
absl::StatusOr<IngestState> FindState(Dataset& dataset, const FileIngestOptions& options) {
  const std::string request = RequestText(options);
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<IngestState> stored, ReadIngestState(dataset.table()));
  if (stored.has_value()) {
    return stored->request == request ? absl::StatusOr<IngestState>(*stored)
                                      : absl::FailedPreconditionError(absl::StrCat(
                                            options.base.project_folder, " holds the ingest of other input, ",
                                            stored->request, "; name another folder, or delete it"));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, dataset.table().ReadRange({}, {}, 1));
  if (!rows.empty() || dataset.sealed()) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.base.project_folder, " holds what `cleave init` made; name another folder, or delete it"));
  }
  const IngestState state{.request = request};
  const table::RowMutation row[] = {IngestStateRow(state)};
  CLEAVE_RETURN_IF_ERROR(dataset.table().Apply(row));
  return state;
}

}  // namespace

// 1. All that can be said without reading voxels is said before the folder is made.
// 2. What is stored says where to go on: in the atomic layer, in a layer of parents, or at the seal.
absl::StatusOr<IngestReport> IngestFilesFrom(const volume::LabelSource& segmentation, const FileIngestOptions& options,
                                             Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  CLEAVE_ASSIGN_OR_RETURN(const graph::GraphMeta meta, MakeMeta(segmentation, options.base));
  CLEAVE_ASSIGN_OR_RETURN(const graph::IdLayout layout, graph::IdLayout::Create(meta.volume, meta.chunk_size));
  CLEAVE_ASSIGN_OR_RETURN(const ChunkFolders folders, ChunkFolders::Open(layout, options.edges, options.components));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset,
                          Dataset::CreateOrResume(options.base.project_folder, meta));
  CrashPoint("ingest.created");
  CLEAVE_ASSIGN_OR_RETURN(IngestState state, FindState(*dataset, options));
  StepClock clock;
  const Workplace workplace{*dataset, options.base.threads, clock, progress};
  if (!dataset->sealed()) {
    if (state.layer == graph::kL2Layer) {
      CLEAVE_RETURN_IF_ERROR(MakeFileLayer(workplace, {segmentation, folders}, state));
    }
    CLEAVE_RETURN_IF_ERROR(RemoveChunkMarks(dataset->table()));
    CLEAVE_RETURN_IF_ERROR(MakeParentLayers(workplace, Resumable::kYes, state));
    CrashPoint("ingest.before_seal");
    CLEAVE_RETURN_IF_ERROR(SealProject(workplace));
  }
  IngestReport report = MakeReport(workplace, state.counts);
  report.roots = state.roots;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

absl::StatusOr<IngestReport> IngestFiles(const FileIngestOptions& options, Progress& progress) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<volume::LabelSource> segmentation,
                          volume::OpenLabelSource(options.base.labels));
  return IngestFilesFrom(*segmentation, options, progress);
}

}  // namespace cleave::ingest
