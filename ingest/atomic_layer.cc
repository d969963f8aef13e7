// Group by group, so that memory does not grow with the volume:
//
// 1. A group is a few planes of chunks along z, enough of them to keep all threads at work.
// 2. Every chunk of the group gets its supervoxels (supervoxels.h), and its voxels go to the base; an overlay's stay
//    where they are.
// 3. Every chunk whose neighbours are known by now gets its edges (chunk_edges.h), L2 nodes (hierarchy_layers.h) and
//    rows. The last plane of the group waits for the next one.
// 4. What is kept for the next group are the surfaces of the last two planes.
#include "ingest/atomic_layer.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

#include "base/parallel.h"
#include "base/status.h"
#include "ingest/chunk_edges.h"
#include "ingest/hierarchy_layers.h"
#include "ingest/node_rows.h"
#include "ingest/supervoxels.h"
#include "ingest/voxel_writer.h"

namespace cleave::ingest {
namespace {

using graph::Dataset;
using graph::NodeId;

constexpr int64_t kChunksPerThread = 8;  // in a group, so that no thread waits for long
// Connecting a chunk is mostly waiting for its edge file to be durable; file systems join the syncs of many threads.
constexpr int kConnectorsPerThread = 8;

class AtomicLayer {
 public:
  AtomicLayer(const Workplace& workplace, const AtomicLayerInput& input)
      : dataset_(workplace.dataset),
        layout_(workplace.dataset.layout()),
        lattice_(layout_.ChunkCounts(graph::kL2Layer)),
        source_shift_(input.source.bounds().lo - layout_.volume().lo),
        workplace_(workplace),
        input_(input) {}

  absl::StatusOr<AtomicLayerCounts> Make() {
    if (!overlay_) {
      CLEAVE_ASSIGN_OR_RETURN(voxel_writer_, VoxelWriter::Create(dataset_));
    }
    const int64_t group_planes = CeilDivide(kChunksPerThread * workplace_.threads, lattice_.x * lattice_.y);
    workplace_.progress.Begin("supervoxels", Count(layout_.volume().extent()), "voxels");
    for (int64_t begin = 0; begin < lattice_.z; begin += group_planes) {
      CLEAVE_RETURN_IF_ERROR(MakeGroup({begin, std::min(begin + group_planes, lattice_.z)}));
    }
    if (!overlay_) {
      CLEAVE_RETURN_IF_ERROR(clock().Time(Step::kWriteVoxels, [&] { return voxel_writer_->Finish(); }));
    }
    workplace_.progress.End();
    const absl::MutexLock lock(&mutex_);
    return counts_;
  }

 private:
  using Plane = std::vector<ChunkSupervoxels>;  // the chunks of one z, x fastest
  // The planes with begin <= z < end.
  struct Planes {
    int64_t begin = 0;
    int64_t end = 0;
  };

  [[nodiscard]] StepClock& clock() const { return workplace_.clock; }

  absl::Status MakeGroup(const Planes& group) {
    for (int64_t z = group.begin; z < group.end; ++z) {
      planes_[z].resize(static_cast<size_t>(lattice_.x * lattice_.y));
    }
    CLEAVE_RETURN_IF_ERROR(
        ForChunks(group, workplace_.threads, [&](ChunkPoint chunk) { return LabelChunk(chunk, ChunkAt(chunk)); }));
    const Planes known{std::max<int64_t>(group.begin - 1, 0), group.end == lattice_.z ? group.end : group.end - 1};
    CLEAVE_RETURN_IF_ERROR(ForChunks(known, kConnectorsPerThread * workplace_.threads,
                                     [&](ChunkPoint chunk) { return ConnectChunk(chunk); }));
    planes_.erase(planes_.begin(), planes_.lower_bound(known.end - 1));
    return absl::OkStatus();
  }

  // Calls body(chunk) for all chunks of `planes`.
  absl::Status ForChunks(const Planes& planes, int threads, const std::function<absl::Status(ChunkPoint)>& body) const {
    const int64_t per_plane = lattice_.x * lattice_.y;
    return ParallelFor((planes.end - planes.begin) * per_plane, threads, [&](int64_t i) {
      return body({i % lattice_.x, i / lattice_.x % lattice_.y, planes.begin + i / per_plane});
    });
  }

  ChunkSupervoxels& ChunkAt(ChunkPoint chunk) {
    return planes_.at(chunk.z)[static_cast<size_t>(chunk.x + lattice_.x * chunk.y)];
  }

  absl::Status LabelChunk(ChunkPoint position, ChunkSupervoxels& result) {
    const Box box = layout_.ChunkBox({graph::kSupervoxelLayer, position});
    CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> voxels, clock().Time(Step::kReadLabels, [&] {
      return input_.source.ReadBox({box.lo + source_shift_, box.hi + source_shift_});
    }));
    CLEAVE_ASSIGN_OR_RETURN(result, clock().Time(Step::kSupervoxels, [&] {
      return overlay_ ? TakeSupervoxels(layout_, {input_.label_map, input_.pieces}, position, voxels.view())
                      : MakeSupervoxels(layout_, input_.label_map, position, voxels.view());
    }));
    if (!overlay_) {
      CLEAVE_RETURN_IF_ERROR(voxel_writer_->Write(box, voxels.view(), clock()));
    }
    workplace_.progress.Advance(Count(box.extent()));
    return absl::OkStatus();
  }

  Neighbourhood NeighbourhoodOf(ChunkPoint chunk) {
    Neighbourhood neighbourhood;
    for (int64_t step = 0; step < 27; ++step) {
      const ChunkPoint offset{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
      const ChunkPoint other = chunk + offset;
      if (other.x >= 0 && other.x < lattice_.x && other.y >= 0 && other.y < lattice_.y && other.z >= 0 &&
          other.z < lattice_.z) {
        neighbourhood.Set(offset, &ChunkAt(other));
      }
    }
    return neighbourhood;
  }

  absl::Status ConnectChunk(ChunkPoint position) {
    const Neighbourhood neighbourhood = NeighbourhoodOf(position);
    const std::span<const NodeId> supervoxels = neighbourhood.middle().supervoxels();
    AtomicChunk chunk{position, {supervoxels.begin(), supervoxels.end()}, {}};
    chunk.edges = clock().Time(Step::kEdges, [&] { return MakeEdges(dataset_.meta().voxel_size_nm, neighbourhood); });
    CLEAVE_RETURN_IF_ERROR(
        clock().Time(Step::kWriteEdges, [&] { return dataset_.edges().Write(position, chunk.edges.all); }));
    return clock().Time(Step::kRows, [&] { return WriteRows(chunk); });
  }

  absl::Status WriteRows(const AtomicChunk& chunk) {
    std::vector<table::RowMutation> rows;
    const AtomicLayerCounts counts = AppendAtomicRows(layout_, chunk, dataset_.meta().ingested, rows);
    {
      const absl::MutexLock lock(&mutex_);
      counts_ += counts;
    }
    return rows.empty() ? absl::OkStatus() : dataset_.ApplyUnsynced(rows);
  }

  Dataset& dataset_;
  const graph::IdLayout& layout_;
  const ChunkPoint lattice_;       // chunks along each axis
  const VoxelPoint source_shift_;  // from the project's voxels to the source's
  const Workplace& workplace_;
  const AtomicLayerInput& input_;
  const bool overlay_ = dataset_.meta().original.has_value();
  std::unique_ptr<VoxelWriter> voxel_writer_;  // none for an overlay
  std::map<int64_t, Plane> planes_;            // by z; those that still have a use
  absl::Mutex mutex_;
  AtomicLayerCounts counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<AtomicLayerCounts> MakeAtomicLayer(const Workplace& workplace, const AtomicLayerInput& input) {
  return AtomicLayer(workplace, input).Make();
}

}  // namespace cleave::ingest
