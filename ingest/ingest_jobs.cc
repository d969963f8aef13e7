#include "ingest/ingest_jobs.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/crash_point.h"
#include "base/parallel.h"
#include "base/status.h"
#include "ingest/chunk_edges.h"
#include "ingest/coarse_scales.h"
#include "ingest/ingest_state.h"
#include "ingest/request.h"
#include "ingest/staged_store.h"

namespace cleave::ingest {
namespace {

using graph::NodeId;
using graph::Segment;

// Writing small files is mostly waiting for them to be durable; file systems join the syncs of many threads.
constexpr int kWaitersPerThread = 8;
constexpr size_t kChunksConnectedAtOnce = 16;  // their surfaces and their neighbours' are in memory

absl::Status NamingChunk(const absl::Status& status, ChunkPoint chunk) {
  return Annotate(status, absl::StrCat("chunk ", ToString(chunk)));
}

// Calls body(offset) for the 27 steps to a chunk's neighbours and itself.
template <typename Body>
void ForNeighbours(Body body) {
  for (int64_t step = 0; step < 27; ++step) {
    body(ChunkPoint{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1});
  }
}

}  // namespace

std::string PartName(int64_t lot) { return absl::StrCat("lot-", lot); }

absl::StatusOr<volume::PyramidBlocks> BlocksOf(graph::Dataset& dataset) {
  return volume::PyramidBlocks::Create(dataset.segmentation().info(), kBlockMemoryBytes);
}

Lots LotsOfBlocks(const volume::PyramidBlocks& blocks, int tier) {
  const int64_t count = std::ssize(blocks.BlocksOver(tier, std::nullopt));
  return {count, std::max<int64_t>(1, (count + kJobsMax - 1) / kJobsMax)};
}

IngestJobs::IngestJobs(graph::Dataset& dataset, const DatasetFile& file, IngestFolder& folder, int threads)
    : dataset_(dataset),
      file_(file),
      folder_(folder),
      edges_(std::make_shared<StagedStore>(folder.project() + "/edges", folder.staging_path())),
      threads_(threads),
      lots_(dataset.layout(), file.chunks_per_job),
      workplace_{dataset_, threads_, clock_, Progress::Silent()} {}

absl::Status IngestJobs::Do(const std::string& queue, int64_t lot) {
  int tier = 0;
  if (queue == kVoxelQueue || queue == kSurfaceQueue) {
    return MakeSurfaces(lot, queue == kVoxelQueue ? Encode::kYes : Encode::kNo);
  }
  if (queue == kGraphQueue) {
    return MakeGraph(lot);
  }
  if (absl::SimpleAtoi(absl::StripPrefix(queue, "scales-"), &tier)) {
    return MakeScales(tier, lot);
  }
  return absl::InvalidArgumentError(absl::StrCat("this program does no jobs of the kind '", queue, "'"));
}

absl::Status IngestJobs::OpenSource() {
  if (source_ != nullptr) {
    return absl::OkStatus();
  }
  const IngestOptions& options = file_.options.base;
  CLEAVE_ASSIGN_OR_RETURN(label_map_, MakeLabelMap(options));
  CLEAVE_ASSIGN_OR_RETURN(pieces_, MakePieces(options));
  CLEAVE_ASSIGN_OR_RETURN(source_, volume::OpenLabelSource(options.labels));
  return absl::OkStatus();
}

// None when it need not be written: it is finished already, or the whole fill is in the base.
absl::StatusOr<std::unique_ptr<ocdbt::FillPart>> IngestJobs::BeginPart(const std::string& name, int64_t lot) {
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Fill fill, ocdbt::Fill::Create(dataset_.database(), name));
  absl::StatusOr<std::unique_ptr<ocdbt::FillPart>> part = fill.BeginPart(PartName(lot));
  if (absl::IsAlreadyExists(part.status()) || absl::IsFailedPrecondition(part.status())) {
    return nullptr;
  }
  return part;
}

absl::Status IngestJobs::MakeSurfaces(int64_t lot, Encode encode) {
  CLEAVE_RETURN_IF_ERROR(OpenSource());
  std::unique_ptr<ocdbt::FillPart> part;
  if (encode == Encode::kYes && !dataset_.meta().original.has_value()) {
    CLEAVE_ASSIGN_OR_RETURN(part, BeginPart(kVoxelQueue, lot));
  }
  const std::vector<ChunkPoint> chunks = lots_.ChunksOf(lot);
  CLEAVE_RETURN_IF_ERROR(ParallelFor(std::ssize(chunks), threads_, [&](int64_t i) {
    const ChunkPoint chunk = chunks[static_cast<size_t>(i)];
    return NamingChunk(file_.from_chunk_files() ? TakeIds(chunk, part.get()) : TakeLabels(chunk, part.get()), chunk);
  }));
  CrashPoint("ingest.job_voxels");
  return part == nullptr ? absl::OkStatus() : NamingChunk(part->Finish(), chunks.front());
}

absl::Status IngestJobs::TakeLabels(ChunkPoint chunk, ocdbt::FillPart* part) {
  const graph::IdLayout& layout = dataset_.layout();
  const Box box = layout.ChunkBox({graph::kSupervoxelLayer, chunk});
  const VoxelPoint shift = source_->bounds().lo - layout.volume().lo;
  CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> voxels, source_->ReadBox({box.lo + shift, box.hi + shift}));
  CLEAVE_ASSIGN_OR_RETURN(const ChunkSupervoxels surfaces,
                          dataset_.meta().original.has_value()
                              ? TakeSupervoxels(layout, {*label_map_, *pieces_}, chunk, voxels.view())
                              : MakeSupervoxels(layout, *label_map_, chunk, voxels.view()));
  if (part != nullptr) {
    CLEAVE_RETURN_IF_ERROR(
        PutChunks(dataset_.segmentation(), {0, box, std::move(voxels)},
                  [&](absl::string_view key, absl::string_view value) { return part->Put(key, value); }));
  }
  return folder_.spool().WriteSurfaces(surfaces);
}

absl::Status IngestJobs::TakeIds(ChunkPoint chunk, ocdbt::FillPart* part) {
  CLEAVE_ASSIGN_OR_RETURN(const ChunkVoxels voxels,
                          ReadChunkVoxels(workplace_, *source_, chunk, part != nullptr ? Encode::kYes : Encode::kNo));
  for (const store::KeyedWrite& write : voxels.writes) {
    if (write.value.has_value()) {
      CLEAVE_RETURN_IF_ERROR(part->Put(write.key, *write.value));
    }
  }
  ChunkSupervoxels surfaces;
  surfaces.position = chunk;
  surfaces.ids = {NodeId{}};
  surfaces.ids.insert(surfaces.ids.end(), voxels.supervoxels.begin(), voxels.supervoxels.end());
  return folder_.spool().WriteSurfaces(surfaces);
}

absl::Status IngestJobs::MakeGraph(int64_t lot) {
  const std::vector<ChunkPoint> chunks = lots_.ChunksOf(lot);
  if (!file_.from_chunk_files()) {
    for (size_t begin = 0; begin < chunks.size(); begin += kChunksConnectedAtOnce) {
      CLEAVE_RETURN_IF_ERROR(
          ConnectLabels(std::span(chunks).subspan(begin, std::min(kChunksConnectedAtOnce, chunks.size() - begin))));
    }
    return absl::OkStatus();
  }
  if (!folders_.has_value()) {
    CLEAVE_ASSIGN_OR_RETURN(folders_,
                            ChunkFolders::Open(dataset_.layout(), file_.options.edges, file_.options.components));
  }
  return ParallelFor(std::ssize(chunks), kWaitersPerThread * threads_, [&](int64_t i) {
    const ChunkPoint chunk = chunks[static_cast<size_t>(i)];
    return NamingChunk(ConnectFiles(chunk), chunk);
  });
}

absl::Status IngestJobs::ConnectLabels(std::span<const ChunkPoint> chunks) {
  const ChunkPoint lattice = dataset_.layout().ChunkCounts(graph::kL2Layer);
  std::map<ChunkPoint, ChunkSupervoxels> surfaces;
  for (const ChunkPoint chunk : chunks) {
    ForNeighbours([&](ChunkPoint offset) {
      const ChunkPoint other = chunk + offset;
      if (other.x >= 0 && other.y >= 0 && other.z >= 0 && other.x < lattice.x && other.y < lattice.y &&
          other.z < lattice.z) {
        surfaces.try_emplace(other);
      }
    });
  }
  std::vector<std::pair<const ChunkPoint, ChunkSupervoxels>*> entries;
  entries.reserve(surfaces.size());
  for (auto& entry : surfaces) {
    entries.push_back(&entry);
  }
  CLEAVE_RETURN_IF_ERROR(ParallelFor(std::ssize(entries), threads_, [&](int64_t i) -> absl::Status {
    auto& [chunk, read] = *entries[static_cast<size_t>(i)];
    CLEAVE_ASSIGN_OR_RETURN(read, folder_.spool().ReadSurfaces(chunk));
    return absl::OkStatus();
  }));
  return ParallelFor(std::ssize(chunks), kWaitersPerThread * threads_, [&](int64_t i) -> absl::Status {
    const ChunkPoint position = chunks[static_cast<size_t>(i)];
    Neighbourhood neighbourhood;
    ForNeighbours([&](ChunkPoint offset) {
      if (const auto found = surfaces.find(position + offset); found != surfaces.end()) {
        neighbourhood.Set(offset, &found->second);
      }
    });
    const std::span<const NodeId> supervoxels = neighbourhood.middle().supervoxels();
    AtomicChunk chunk{position, {supervoxels.begin(), supervoxels.end()}, {}};
    chunk.edges = MakeEdges(dataset_.meta().voxel_size_nm, neighbourhood);
    CLEAVE_RETURN_IF_ERROR(NamingChunk(edges_.Write(position, chunk.edges.all), position));
    CrashPoint("ingest.job_edges");
    ChunkRows rows;
    rows.counts = AppendAtomicRows(dataset_.layout(), chunk, dataset_.meta().ingested, rows.rows);
    return NamingChunk(folder_.spool().WriteRows(position, rows), position);
  });
}

absl::Status IngestJobs::ConnectFiles(ChunkPoint position) {
  CLEAVE_ASSIGN_OR_RETURN(ChunkSupervoxels surfaces, folder_.spool().ReadSurfaces(position));
  surfaces.ids.erase(surfaces.ids.begin());  // background
  CLEAVE_ASSIGN_OR_RETURN(const ChunkInput input, folders_->Read(position, std::move(surfaces.ids)));
  if (input.edge_file.empty()) {
    CLEAVE_RETURN_IF_ERROR(dataset_.edges().Remove(position));  // of input that was other once
  } else {
    CLEAVE_RETURN_IF_ERROR(edges_.WriteEncoded(position, input.edge_file));
  }
  CrashPoint("ingest.job_edges");
  const NodeId l2_chunk_id = dataset_.layout().MakeNode({graph::kL2Layer, position}, Segment{0});
  ChunkRows rows;
  rows.counts = AppendAtomicRows(dataset_.layout(), input.chunk, dataset_.meta().ingested, rows.rows);
  rows.rows.push_back(ChunkMarkRow(l2_chunk_id, {rows.counts, SummarizeBorders(dataset_.layout(), input.chunk)}));
  return folder_.spool().WriteRows(position, rows);
}

absl::Status IngestJobs::MakeScales(int tier, int64_t lot) {
  if (!blocks_.has_value()) {
    CLEAVE_ASSIGN_OR_RETURN(blocks_, BlocksOf(dataset_));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<ocdbt::FillPart> part, BeginPart(ScaleQueue(tier), lot));
  if (part == nullptr) {
    return absl::OkStatus();
  }
  const std::vector<ChunkPoint> positions = blocks_->BlocksOver(tier, std::nullopt);
  const Lots lots = LotsOfBlocks(*blocks_, tier);
  const int64_t begin = lots.begin(lot);
  const auto put = [&](absl::string_view key, absl::string_view value) { return part->Put(key, value); };
  const auto make = [&](int64_t i) -> absl::Status {
    const ChunkPoint position = positions[static_cast<size_t>(begin + i)];
    const auto scales = blocks_->Downsample(dataset_.segmentation(), {tier, position}, std::nullopt);
    CLEAVE_RETURN_IF_ERROR(
        Annotate(scales.status(), absl::StrCat("block ", ToString(position), " of tier ", tier, " of the scales")));
    for (const volume::ScalePart& scale : *scales) {
      CLEAVE_RETURN_IF_ERROR(PutChunks(dataset_.segmentation(), scale, put));
    }
    return absl::OkStatus();
  };
  CLEAVE_RETURN_IF_ERROR(ParallelFor(lots.end(lot) - begin, threads_, make));
  CrashPoint("ingest.job_scales");
  return part->Finish();
}

}  // namespace cleave::ingest
