#include "ingest/report.h"

#include "base/status.h"
#include "graph/dataset.h"
#include "ingest/coarse_scales.h"

namespace cleave::ingest {

absl::Status SealProject(const Workplace& workplace) {
  CLEAVE_RETURN_IF_ERROR(FillCoarserScales(workplace));
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
  report.edges_between = counts.edges_between / 2;
  report.edges_cross = counts.edges_cross / 2;
  report.l2_nodes = counts.l2_nodes;
  for (size_t i = 0; i < kStepNames.size(); ++i) {
    report.steps.push_back({kStepNames[i], workplace.clock.Seconds(static_cast<Step>(i))});
  }
  return report;
}

}  // namespace cleave::ingest
