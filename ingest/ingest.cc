// The order of work.
//
// 1. Everything that can be wrong with the request is found before the project's folder is made.
// 2. The atomic layer, group by group. A group is a few planes of chunks along z. All chunks of a group get their
//    supervoxels (supervoxels.h) and their voxels go to the base; then all chunks whose neighbours are known get their
//    edges (chunk_edges.h), L2 nodes and rows. Only the surfaces of the last plane and of the present group are kept.
// 3. The layers above, one after the other (hierarchy_layers.h), in batches of chunks: the chunks of a batch are
// planned
//    in parallel, then ids are given out in the order of chunks. So the ids do not depend on the threads' pace.
// 4. The base is sealed. Only now the project can be opened.
#include "ingest/ingest.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "graph/dataset.h"
#include "ingest/chunk_edges.h"
#include "ingest/hierarchy_layers.h"
#include "ingest/node_rows.h"
#include "ingest/step_clock.h"
#include "ingest/supervoxels.h"
#include "ingest/voxel_writer.h"

namespace cleave::ingest {
namespace {

using graph::ChunkAddress;
using graph::Dataset;
using graph::GraphMeta;
using graph::IdLayout;
using graph::NodeId;
using graph::PlannedNode;
using graph::Segment;

constexpr int64_t kVoxelsPerChunkMax = int64_t{1} << 27;  // a thread holds a chunk's voxels as 64-bit numbers
constexpr int64_t kChunksPerThread = 8;                   // in a group or batch, so that no thread waits for long

absl::Status CheckOptions(const IngestOptions& options) {
  if (options.threads < 1) {
    return absl::InvalidArgumentError(absl::StrCat("cannot work with ", options.threads, " threads"));
  }
  if (options.project_folder.empty()) {
    return absl::InvalidArgumentError("a project needs a folder");
  }
  const VoxelPoint offset = options.voxel_offset.value_or(VoxelPoint{});
  for (int axis = 0; axis < 3; ++axis) {
    if (offset[axis] < -graph::kVoxelCoordinateMax || offset[axis] > graph::kVoxelCoordinateMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("the voxel offset ", ToString(offset), " reaches beyond ", graph::kVoxelCoordinateMax));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<GraphMeta> MakeMeta(const volume::LabelSource& source, const IngestOptions& options) {
  CLEAVE_RETURN_IF_ERROR(CheckOptions(options));
  GraphMeta meta;
  meta.graph_id = options.graph_id;
  const Box bounds = source.bounds();
  meta.volume = BoxAt(options.voxel_offset.value_or(bounds.lo), bounds.extent());
  meta.chunk_size = options.chunk_size;
  const std::optional<VoxelSizeNm> voxel_size =
      options.voxel_size_nm.has_value() ? options.voxel_size_nm : source.voxel_size_nm();
  if (!voxel_size.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.Describe(), " does not say how large a voxel is; give its size in nm"));
  }
  meta.voxel_size_nm = *voxel_size;
  meta.ingested = absl::FromUnixMillis(absl::ToUnixMillis(options.clock->Now()));
  CLEAVE_RETURN_IF_ERROR(ValidateGraphMeta(meta));
  CLEAVE_ASSIGN_OR_RETURN(const IdLayout layout, IdLayout::Create(meta.volume, meta.chunk_size));
  // The first chunk is not clipped unless it is the only one along an axis: no chunk is larger.
  const Extent3 largest = layout.ChunkBox({graph::kL2Layer, {}}).extent();
  if (static_cast<double>(largest.x) * static_cast<double>(largest.y) * static_cast<double>(largest.z) >
      static_cast<double>(kVoxelsPerChunkMax)) {
    return absl::InvalidArgumentError(absl::StrCat("chunk size ", ToString(options.chunk_size),
                                                   " is too large: a chunk", " would have more than ",
                                                   kVoxelsPerChunkMax, " voxels"));
  }
  return meta;
}

absl::StatusOr<LabelMap> MakeLabelMap(const IngestOptions& options) {
  std::vector<LabelObject> agglomeration;
  if (!options.agglomeration_file.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(agglomeration, ReadAgglomeration(options.agglomeration_file));
  }
  return LabelMap::Create(options.fuse, agglomeration);
}

// Removes from `wanted` what occurs in `labels`.
void CrossOff(ArrayView3<const uint64_t> labels, absl::flat_hash_set<uint64_t>& wanted) {
  const Extent3 extent = labels.extent();
  uint64_t last = 0;
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      const uint64_t* row = labels.Row(y, z);
      for (int64_t x = 0; x < extent.x; ++x) {
        if (row[x] != last) {
          last = row[x];
          wanted.erase(last);
        }
      }
    }
  }
}

class Ingester {
 public:
  Ingester(const volume::LabelSource& source, const IngestOptions& options, Progress& progress)
      : source_(source), options_(options), progress_(progress) {}

  absl::StatusOr<IngestReport> Run() {
    const auto start = std::chrono::steady_clock::now();
    CLEAVE_ASSIGN_OR_RETURN(const GraphMeta meta, MakeMeta(source_, options_));
    CLEAVE_ASSIGN_OR_RETURN(label_map_, MakeLabelMap(options_));
    CLEAVE_ASSIGN_OR_RETURN(const IdLayout layout, IdLayout::Create(meta.volume, meta.chunk_size));
    source_shift_ = source_.bounds().lo - meta.volume.lo;
    CLEAVE_RETURN_IF_ERROR(CheckFusedLabelsExist(layout));
    CLEAVE_ASSIGN_OR_RETURN(dataset_, Dataset::Create(options_.project_folder, meta));
    CLEAVE_RETURN_IF_ERROR(MakeAtomicLayer());
    for (int layer = graph::kL2Layer + 1; layer <= layout.layer_count(); ++layer) {
      CLEAVE_RETURN_IF_ERROR(MakeParentLayer(layer));
    }
    CLEAVE_RETURN_IF_ERROR(clock_.Time(Step::kSeal, [&] { return Seal(); }));
    return Report(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }

 private:
  using Plane = std::vector<ChunkSupervoxels>;  // the chunks of one z, x fastest

  [[nodiscard]] const IdLayout& layout() const { return dataset_->layout(); }
  [[nodiscard]] const GraphMeta& meta() const { return dataset_->meta(); }

  absl::StatusOr<Array3<uint64_t>> ReadLabels(const Box& box) {
    return clock_.Time(Step::kReadLabels, [&] {
      return source_.ReadBox({box.lo + source_shift_, box.hi + source_shift_});
    });
  }

  absl::Status CheckFusedLabelsExist(const IdLayout& layout) {
    const std::vector<uint64_t> labels = label_map_.FusedLabels();
    absl::flat_hash_set<uint64_t> wanted(labels.begin(), labels.end());
    if (wanted.empty()) {
      return absl::OkStatus();
    }
    const std::vector<ChunkPoint> chunks = layout.ChunksOverlapping(layout.volume());
    progress_.Begin("looking for labels", static_cast<int64_t>(chunks.size()), "chunks");
    for (size_t i = 0; i < chunks.size() && !wanted.empty(); ++i) {
      CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> voxels,
                              ReadLabels(layout.ChunkBox({graph::kSupervoxelLayer, chunks[i]})));
      CrossOff(voxels.view(), wanted);
      progress_.Advance(1);
    }
    progress_.End();
    if (wanted.empty()) {
      return absl::OkStatus();
    }
    std::vector<uint64_t> missing(wanted.begin(), wanted.end());
    std::ranges::sort(missing);
    return absl::NotFoundError(
        absl::StrCat("cannot fuse: ", source_.Describe(), " has no label ", absl::StrJoin(missing, ", ")));
  }

  // Calls body(chunk point, place in plane) for all chunks of the planes [z_begin, z_end).
  absl::Status ForChunks(int64_t z_begin, int64_t z_end,
                         const std::function<absl::Status(ChunkPoint, size_t)>& body) const {
    const ChunkPoint counts = layout().ChunkCounts(graph::kL2Layer);
    const int64_t per_plane = counts.x * counts.y;
    return ParallelFor((z_end - z_begin) * per_plane, options_.threads, [&](int64_t i) {
      const int64_t place = i % per_plane;
      return body({place % counts.x, place / counts.x, z_begin + i / per_plane}, static_cast<size_t>(place));
    });
  }

  absl::Status MakeAtomicLayer() {
    const ChunkPoint counts = layout().ChunkCounts(graph::kL2Layer);
    const int64_t group_planes = CeilDivide(kChunksPerThread * options_.threads, counts.x * counts.y);
    CLEAVE_ASSIGN_OR_RETURN(voxel_writer_, VoxelWriter::Create(*dataset_));
    progress_.Begin("supervoxels", Count(meta().volume.extent()), "voxels");
    for (int64_t begin = 0; begin < counts.z; begin += group_planes) {
      const int64_t end = std::min(begin + group_planes, counts.z);
      for (int64_t z = begin; z < end; ++z) {
        planes_[z].resize(static_cast<size_t>(counts.x * counts.y));
      }
      CLEAVE_RETURN_IF_ERROR(ForChunks(
          begin, end, [&](ChunkPoint chunk, size_t place) { return LabelChunk(chunk, planes_.at(chunk.z)[place]); }));
      // The last plane of the group waits for its neighbours above.
      const int64_t connect_begin = std::max<int64_t>(begin - 1, 0);
      const int64_t connect_end = end == counts.z ? end : end - 1;
      CLEAVE_RETURN_IF_ERROR(
          ForChunks(connect_begin, connect_end, [&](ChunkPoint chunk, size_t) { return ConnectChunk(chunk); }));
      planes_.erase(planes_.begin(), planes_.lower_bound(connect_end - 1));
    }
    planes_.clear();
    CLEAVE_RETURN_IF_ERROR(clock_.Time(Step::kWriteVoxels, [&] { return voxel_writer_->Finish(); }));
    progress_.End();
    return absl::OkStatus();
  }

  absl::Status LabelChunk(ChunkPoint position, ChunkSupervoxels& result) {
    const Box box = layout().ChunkBox({graph::kSupervoxelLayer, position});
    CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> voxels, ReadLabels(box));
    CLEAVE_ASSIGN_OR_RETURN(result, clock_.Time(Step::kSupervoxels, [&] {
      return MakeSupervoxels(layout(), label_map_, position, voxels.view());
    }));
    CLEAVE_RETURN_IF_ERROR(voxel_writer_->Write(box, voxels.view(), clock_));
    progress_.Advance(Count(box.extent()));
    return absl::OkStatus();
  }

  Neighbourhood NeighbourhoodOf(ChunkPoint chunk) const {
    const ChunkPoint counts = layout().ChunkCounts(graph::kL2Layer);
    Neighbourhood neighbourhood;
    for (int64_t step = 0; step < 27; ++step) {
      const ChunkPoint offset{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
      const ChunkPoint other = chunk + offset;
      if (other.x >= 0 && other.x < counts.x && other.y >= 0 && other.y < counts.y && other.z >= 0 &&
          other.z < counts.z) {
        neighbourhood.Set(offset, &planes_.at(other.z)[static_cast<size_t>(other.x + counts.x * other.y)]);
      }
    }
    return neighbourhood;
  }

  absl::Status ConnectChunk(ChunkPoint position) {
    const Neighbourhood neighbourhood = NeighbourhoodOf(position);
    const AtomicEdges edges =
        clock_.Time(Step::kEdges, [&] { return MakeEdges(layout(), meta().voxel_size_nm, neighbourhood); });
    CLEAVE_RETURN_IF_ERROR(
        clock_.Time(Step::kWriteEdges, [&] { return dataset_->edges().Write(position, edges.all); }));
    const Segment last_supervoxel{neighbourhood.middle().count()};
    supervoxels_ += Value(last_supervoxel);
    edges_inside_ += edges.all.in.size();
    edges_between_ends_ += edges.all.between.size();
    edges_cross_ends_ += edges.all.cross.size();
    return clock_.Time(Step::kRows, [&] { return WriteL2Nodes(position, last_supervoxel, edges); });
  }

  absl::Status WriteL2Nodes(ChunkPoint position, Segment last_supervoxel, const AtomicEdges& edges) {
    const std::vector<PlannedNode> nodes = MakeL2Nodes(layout(), position, last_supervoxel, edges);
    if (nodes.empty()) {
      return absl::OkStatus();
    }
    l2_nodes_ += nodes.size();
    std::vector<table::RowMutation> rows;
    for (const PlannedNode& node : nodes) {
      AppendNodeRows(node, meta().ingested, rows);
    }
    AppendCounterRow(layout(), {graph::kSupervoxelLayer, position}, last_supervoxel, rows);
    AppendCounterRow(layout(), {graph::kL2Layer, position}, Segment{nodes.size()}, rows);
    return dataset_->ApplyUnsynced(rows);
  }

  absl::Status MakeParentLayer(int layer) {
    const ChunkPoint counts = layout().ChunkCounts(layer);
    const int64_t chunk_count = counts.x * counts.y * counts.z;
    const int64_t batch = kChunksPerThread * options_.threads;
    progress_.Begin(absl::StrCat("layer ", layer), chunk_count, "chunks");
    for (int64_t begin = 0; begin < chunk_count; begin += batch) {
      std::vector<std::vector<NewParent>> parents(static_cast<size_t>(std::min(batch, chunk_count - begin)));
      CLEAVE_RETURN_IF_ERROR(
          ParallelFor(static_cast<int64_t>(parents.size()), options_.threads, [&](int64_t i) -> absl::Status {
            const int64_t index = begin + i;
            const ChunkAddress chunk{layer,
                                     {index % counts.x, index / counts.x % counts.y, index / (counts.x * counts.y)}};
            CLEAVE_ASSIGN_OR_RETURN(parents[static_cast<size_t>(i)],
                                    clock_.Time(Step::kParents, [&] { return PlanChunk(chunk); }));
            progress_.Advance(1);
            return absl::OkStatus();
          }));
      CLEAVE_RETURN_IF_ERROR(clock_.Time(Step::kParents, [&] { return WriteParents(std::move(parents)); }));
    }
    progress_.End();
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<NewParent>> PlanChunk(const ChunkAddress& chunk) {
    std::vector<ChildNode> children;
    for (const ChunkAddress& child_chunk : layout().ChildChunks(chunk)) {
      CLEAVE_ASSIGN_OR_RETURN(std::vector<ChildNode> nodes, ReadNodes(layout(), dataset_->table(), child_chunk));
      std::ranges::move(nodes, std::back_inserter(children));
    }
    return PlanParents(layout(), chunk, children);
  }

  absl::Status WriteParents(std::vector<std::vector<NewParent>> batch) {
    std::map<ChunkAddress, std::vector<NewParent*>> by_chunk;
    for (std::vector<NewParent>& parents : batch) {
      for (NewParent& parent : parents) {
        by_chunk[parent.chunk].push_back(&parent);
      }
    }
    std::vector<table::RowMutation> rows;
    for (const auto& [chunk, parents] : by_chunk) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids,
                              dataset_->ids().NewNodes(chunk, static_cast<int64_t>(parents.size())));
      for (size_t i = 0; i < parents.size(); ++i) {
        AppendNodeRows({ids[i], std::move(parents[i]->children), std::move(parents[i]->cross_edges)}, meta().ingested,
                       rows);
      }
      if (chunk.layer == layout().layer_count()) {
        roots_ += static_cast<int64_t>(parents.size());
      }
    }
    return dataset_->ApplyUnsynced(rows);
  }

  absl::Status Seal() {
    progress_.Begin("sealing", 0, "");
    CLEAVE_RETURN_IF_ERROR(dataset_->SealBase());
    progress_.End();
    return absl::OkStatus();
  }

  IngestReport Report(double seconds) const {
    IngestReport report;
    report.voxels = Count(meta().volume.extent());
    const ChunkPoint counts = layout().ChunkCounts(graph::kL2Layer);
    report.chunks = counts.x * counts.y * counts.z;
    report.supervoxels = static_cast<int64_t>(supervoxels_.load());
    report.edges_inside = static_cast<int64_t>(edges_inside_.load());
    report.edges_between = static_cast<int64_t>(edges_between_ends_.load() / 2);
    report.edges_cross = static_cast<int64_t>(edges_cross_ends_.load() / 2);
    report.l2_nodes = static_cast<int64_t>(l2_nodes_.load());
    report.roots = roots_;
    report.seconds = seconds;
    for (size_t i = 0; i < kStepNames.size(); ++i) {
      report.steps.push_back({kStepNames[i], clock_.Seconds(static_cast<Step>(i))});
    }
    return report;
  }

  const volume::LabelSource& source_;
  const IngestOptions& options_;
  Progress& progress_;
  LabelMap label_map_;
  VoxelPoint source_shift_;  // from the project's voxels to the source's
  std::unique_ptr<Dataset> dataset_;
  std::unique_ptr<VoxelWriter> voxel_writer_;
  std::map<int64_t, Plane> planes_;  // by z; those that still have a use
  StepClock clock_;
  std::atomic<uint64_t> supervoxels_ = 0;
  std::atomic<uint64_t> edges_inside_ = 0;
  std::atomic<uint64_t> edges_between_ends_ = 0;
  std::atomic<uint64_t> edges_cross_ends_ = 0;
  std::atomic<uint64_t> l2_nodes_ = 0;
  int64_t roots_ = 0;
};

}  // namespace

absl::StatusOr<IngestReport> IngestFrom(const volume::LabelSource& source, const IngestOptions& options,
                                        Progress& progress) {
  return Ingester(source, options, progress).Run();
}

absl::StatusOr<IngestReport> Ingest(const IngestOptions& options, Progress& progress) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<volume::LabelSource> source, volume::OpenLabelSource(options.labels));
  return IngestFrom(*source, options, progress);
}

}  // namespace cleave::ingest
