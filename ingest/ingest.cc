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
#include "ingest/request.h"
#include "ingest/step_clock.h"

namespace cleave::ingest {
namespace {

using graph::Dataset;
using graph::GraphMeta;

absl::Status Seal(const Workplace& workplace) {
  workplace.progress.Begin("sealing", 0, "");
  CLEAVE_RETURN_IF_ERROR(workplace.clock.Time(Step::kSeal, [&] { return workplace.dataset.SealBase(); }));
  workplace.progress.End();
  return absl::OkStatus();
}

IngestReport MakeReport(const Workplace& workplace, const AtomicLayerCounts& counts) {
  const graph::IdLayout& layout = workplace.dataset.layout();
  const ChunkPoint chunks = layout.ChunkCounts(graph::kL2Layer);
  IngestReport report;
  report.voxels = Count(layout.volume().extent());
  report.chunks = chunks.x * chunks.y * chunks.z;
  report.supervoxels = counts.supervoxels;
  report.edges_inside = counts.edges_inside;
  report.edges_between = counts.edges_between;
  report.edges_cross = counts.edges_cross;
  report.l2_nodes = counts.l2_nodes;
  for (size_t i = 0; i < kStepNames.size(); ++i) {
    report.steps.push_back({kStepNames[i], workplace.clock.Seconds(static_cast<Step>(i))});
  }
  return report;
}

// Steps 2 and 3.
absl::StatusOr<IngestReport> Fill(const Workplace& workplace, const AtomicLayerInput& input) {
  CLEAVE_ASSIGN_OR_RETURN(const AtomicLayerCounts counts, MakeAtomicLayer(workplace, input));
  int64_t roots = 0;
  for (int layer = graph::kL2Layer + 1; layer <= workplace.dataset.layout().layer_count(); ++layer) {
    CLEAVE_ASSIGN_OR_RETURN(const int64_t new_roots, MakeParentLayer(workplace, layer));
    roots += new_roots;
  }
  CLEAVE_RETURN_IF_ERROR(Seal(workplace));
  IngestReport report = MakeReport(workplace, counts);
  report.roots = roots;
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
  absl::StatusOr<IngestReport> report = Fill({*dataset, options.threads, clock, progress}, {source, label_map, pieces});
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
