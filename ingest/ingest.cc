#include "ingest/ingest.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "base/status.h"
#include "graph/dataset.h"
#include "ingest/atomic_layer.h"
#include "ingest/parent_layer.h"
#include "ingest/report.h"
#include "ingest/request.h"
#include "ingest/step_clock.h"

namespace cleave::ingest {

using graph::Dataset;
using graph::GraphMeta;

namespace {

// Steps 2 and 3.
absl::StatusOr<IngestReport> FillProject(const Workplace& workplace, const AtomicLayerInput& input) {
  CLEAVE_ASSIGN_OR_RETURN(const AtomicLayerCounts counts, MakeAtomicLayer(workplace, input));
  IngestState state{.layer = graph::kL2Layer + 1};
  CLEAVE_RETURN_IF_ERROR(MakeParentLayers(workplace, Resumable::kNo, state));
  CLEAVE_RETURN_IF_ERROR(SealProject(workplace));
  IngestReport report = MakeReport(workplace, counts);
  report.roots = state.roots;
  return report;
}

// A folder that was there before was empty.
void RemoveAllIn(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace

// 1. Everything that can be wrong with the request is found before the project's folder is made.
// 2. The atomic layer, then one layer of parents after the other.
// 3. The base is sealed. Only now the project can be opened.
absl::StatusOr<IngestReport> IngestFrom(const volume::LabelSource& source, const IngestOptions& options,
                                        Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  CLEAVE_ASSIGN_OR_RETURN(const GraphMeta meta, MakeMeta(source, options));
  CLEAVE_ASSIGN_OR_RETURN(const LabelMap label_map, MakeLabelMap(options));
  CLEAVE_ASSIGN_OR_RETURN(const LabelMap pieces, MakePieces(options));
  CLEAVE_RETURN_IF_ERROR(RequireFusedLabels(source, label_map, options.chunk_size, progress));
  std::error_code ignored;
  const bool folder_was_there = std::filesystem::exists(options.project_folder, ignored);
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Dataset> dataset, Dataset::Create(options.project_folder, meta));
  StepClock clock;
  absl::StatusOr<IngestReport> report =
      FillProject({*dataset, options.threads, clock, progress}, {source, label_map, pieces});
  if (!report.ok()) {
    dataset.reset();
    RemoveAllIn(options.project_folder);
    if (!folder_was_there) {
      std::filesystem::remove(options.project_folder, ignored);
    }
    return report;
  }
  report->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

absl::StatusOr<IngestReport> Ingest(const IngestOptions& options, Progress& progress) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<volume::LabelSource> source, volume::OpenLabelSource(options.labels));
  return IngestFrom(*source, options, progress);
}

}  // namespace cleave::ingest
