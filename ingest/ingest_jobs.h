// What the jobs of an ingest by many processes are, by the names of their queues (ingest_folder.h):
//
//   voxels     a lot of chunks is read; its supervoxels go to the base, as a part of the fill "voxels", and its
//   surfaces
//              to the spool
//   surfaces   the same without the base
//   graph      a lot of chunks gets its edge files, from the surfaces of these and their neighbours or from chunk
//              files, and its rows, which go to the spool
//   scales-T   a lot of blocks of tier T of the pyramid is made from the base, as a part of the fill "scales-T"
//
// Each leaves the same however often it is done, by whomever, also at once. Of an overlay no voxels are written.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "graph/dataset.h"
#include "graph/edges.h"
#include "ingest/chunk_files.h"
#include "ingest/chunk_lots.h"
#include "ingest/chunk_voxels.h"
#include "ingest/ingest_folder.h"
#include "ingest/step_clock.h"
#include "ocdbt/fill.h"
#include "volume/pyramid_blocks.h"

namespace cleave::ingest {

// For the labels of one block of the pyramid: it decides what the blocks are, so it is the same in every process.
inline constexpr int64_t kBlockMemoryBytes = int64_t{128} << 20;

[[nodiscard]] std::string PartName(int64_t lot);
// The blocks of a tier in lots. REQUIRES: `dataset` holds the scales.
[[nodiscard]] absl::StatusOr<volume::PyramidBlocks> BlocksOf(graph::Dataset& dataset);
[[nodiscard]] Lots LotsOfBlocks(const volume::PyramidBlocks& blocks, int tier);

// Does jobs, one after the other. Not thread-safe; uses `threads` threads itself. What it needs of the input is opened
// when the first job needs it.
class IngestJobs {
 public:
  // `dataset` is opened without its table, and must outlive this.
  IngestJobs(graph::Dataset& dataset, const DatasetFile& file, IngestFolder& folder, int threads);

  // Errors name the chunk: as those of MakeFileLayer and MakeAtomicLayer.
  [[nodiscard]] absl::Status Do(const std::string& queue, int64_t lot);

 private:
  [[nodiscard]] absl::Status OpenSource();
  [[nodiscard]] absl::StatusOr<std::unique_ptr<ocdbt::FillPart>> BeginPart(const std::string& fill, int64_t lot);
  [[nodiscard]] absl::Status MakeSurfaces(int64_t lot, Encode encode);
  [[nodiscard]] absl::Status TakeLabels(ChunkPoint chunk, ocdbt::FillPart* part);
  [[nodiscard]] absl::Status TakeIds(ChunkPoint chunk, ocdbt::FillPart* part);
  [[nodiscard]] absl::Status MakeGraph(int64_t lot);
  [[nodiscard]] absl::Status ConnectLabels(std::span<const ChunkPoint> chunks);
  [[nodiscard]] absl::Status ConnectFiles(ChunkPoint chunk);
  [[nodiscard]] absl::Status MakeScales(int tier, int64_t lot);

  graph::Dataset& dataset_;
  const DatasetFile& file_;
  IngestFolder& folder_;
  graph::EdgeFiles edges_;  // of the dataset; written without locks
  const int threads_;
  const ChunkLots lots_;
  StepClock clock_;
  const Workplace workplace_;
  std::unique_ptr<volume::LabelSource> source_;
  std::optional<LabelMap> label_map_;
  std::optional<LabelMap> pieces_;
  std::optional<ChunkFolders> folders_;
  std::optional<volume::PyramidBlocks> blocks_;
};

}  // namespace cleave::ingest
