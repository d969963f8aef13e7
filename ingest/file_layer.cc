// Group by group, over the chunks that have no mark yet:
//   1. Every chunk's voxels are read. The distinct ids in them are its supervoxels, and must name the chunk.
//   2. The voxels of the group go to the base, as one commit.
//   3. Every chunk's edge and component files are read and checked against its supervoxels. The edge file is copied,
//   and
//      one atomic batch writes the rows and the chunk's mark. Ids depend on nothing but the chunk.
// After a stop, a chunk without a mark is done again, with the same result: its voxels, its file and its rows are
// written over.
//
// When all chunks are marked, marks are compared: each border has two sides, and an edge that crosses it stands in both
// files. A digest a border tells whether they agree; only where they do not are the files read again, to say why. So
// every end of every edge is known to be a supervoxel that exists, though no chunk looked at another's voxels.
#include "ingest/file_layer.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"

#include "base/crash_point.h"
#include "base/parallel.h"
#include "base/status.h"
#include "ingest/chunk_voxels.h"
#include "ocdbt/database.h"
#include "ocdbt/write_batch.h"
#include "table/columns.h"
#include "table/row_keys.h"

namespace cleave::ingest {
namespace {

using graph::Dataset;
using graph::IdLayout;
using graph::NodeId;
using graph::Segment;

constexpr int64_t kFilesPerThread = 16;  // in a group
// Copying an edge file is mostly waiting for it to be durable; file systems join the syncs of many threads.
constexpr int kCopiersPerThread = 8;
constexpr size_t kDisagreementsShown = 5;

class FileLayer {
 public:
  FileLayer(const Workplace& workplace, const FileLayerInput& input, IngestState& state)
      : dataset_(workplace.dataset),
        layout_(workplace.dataset.layout()),
        workplace_(workplace),
        input_(input),
        state_(state) {}

  absl::Status Make() {
    CLEAVE_ASSIGN_OR_RETURN(marks_, ReadChunkMarks(dataset_.table()));
    const std::vector<ChunkPoint> chunks = layout_.ChunksOverlapping(layout_.volume());
    std::vector<ChunkPoint> open;
    std::ranges::copy_if(chunks, std::back_inserter(open),
                         [&](ChunkPoint chunk) { return !marks_.contains(L2ChunkId(chunk)); });
    workplace_.progress.Begin("atomic layer", std::ssize(chunks), "chunks");
    workplace_.progress.Advance(std::ssize(chunks) - std::ssize(open));
    const auto group_size = static_cast<size_t>(kFilesPerThread * workplace_.threads);
    for (size_t begin = 0; begin < open.size(); begin += group_size) {
      CLEAVE_RETURN_IF_ERROR(MakeGroup(std::span(open).subspan(begin, std::min(group_size, open.size() - begin))));
    }
    workplace_.progress.End();
    CLEAVE_RETURN_IF_ERROR(CompareBorders());
    return EndLayer();
  }

 private:
  // A chunk between the steps of its group.
  struct OpenChunk {
    ChunkPoint position;
    ChunkVoxels voxels;
  };

  [[nodiscard]] StepClock& clock() const { return workplace_.clock; }

  NodeId L2ChunkId(ChunkPoint chunk) const { return layout_.MakeNode({graph::kL2Layer, chunk}, Segment{0}); }

  static absl::Status InChunk(const absl::Status& status, ChunkPoint chunk) {
    return Annotate(status, absl::StrCat("chunk ", ToString(chunk)));
  }

  absl::Status MakeGroup(std::span<const ChunkPoint> positions) {
    std::vector<OpenChunk> group(positions.size());
    const auto for_each = [&](int threads, auto body) {
      return ParallelFor(std::ssize(group), threads, [&](int64_t i) {
        OpenChunk& chunk = group[static_cast<size_t>(i)];
        return InChunk(body(chunk), chunk.position);
      });
    };
    for (size_t i = 0; i < group.size(); ++i) {
      group[i].position = positions[i];
    }
    CLEAVE_RETURN_IF_ERROR(for_each(workplace_.threads, [&](OpenChunk& chunk) -> absl::Status {
      CLEAVE_ASSIGN_OR_RETURN(chunk.voxels,
                              ReadChunkVoxels(workplace_, input_.segmentation, chunk.position, Encode::kYes));
      return absl::OkStatus();
    }));
    ocdbt::WriteBatch batch;
    for (OpenChunk& chunk : group) {
      AddWrites(std::move(chunk.voxels.writes), batch);
    }
    CLEAVE_RETURN_IF_ERROR(
        clock().Time(Step::kWriteVoxels, [&] { return dataset_.database().Commit(batch).status(); }));
    CrashPoint("ingest.voxels_written");
    return for_each(kCopiersPerThread * workplace_.threads, [&](OpenChunk& chunk) { return ConnectChunk(chunk); });
  }

  absl::Status ConnectChunk(OpenChunk& open) {
    CLEAVE_ASSIGN_OR_RETURN(const ChunkInput input, clock().Time(Step::kEdges, [&] {
      return input_.folders.Read(open.position, std::move(open.voxels.supervoxels));
    }));
    if (!input.edge_file.empty()) {
      CLEAVE_RETURN_IF_ERROR(clock().Time(
          Step::kWriteEdges, [&] { return dataset_.edges().WriteEncoded(open.position, input.edge_file); }));
    }
    CrashPoint("ingest.edges_written");
    CLEAVE_RETURN_IF_ERROR(clock().Time(Step::kRows, [&] { return WriteRows(input.chunk); }));
    CrashPoint("ingest.rows_written");
    workplace_.progress.Advance(1);
    return absl::OkStatus();
  }

  absl::Status WriteRows(const AtomicChunk& chunk) {
    std::vector<table::RowMutation> rows;
    ChunkMark mark;
    mark.counts = AppendAtomicRows(layout_, chunk, dataset_.meta().ingested, rows);
    mark.borders = SummarizeBorders(layout_, chunk);
    rows.push_back(ChunkMarkRow(L2ChunkId(chunk.position), mark));
    CLEAVE_RETURN_IF_ERROR(dataset_.table().ordered().Apply(rows));
    const absl::MutexLock lock(&mutex_);
    marks_[L2ChunkId(chunk.position)] = std::move(mark);
    return absl::OkStatus();
  }

  // The borders whose two sides differ, each once.
  std::set<std::pair<NodeId, NodeId>> Disagreements() const {
    std::set<std::pair<NodeId, NodeId>> found;
    for (const auto& [chunk, mark] : marks_) {
      for (const auto& [neighbour, border] : mark.borders) {
        const auto other = marks_.find(neighbour);
        const auto back = other->second.borders.find(chunk);
        if (back == other->second.borders.end() || back->second != border) {
          found.emplace(std::min(chunk, neighbour), std::max(chunk, neighbour));
        }
      }
    }
    return found;
  }

  absl::Status CompareBorders() {
    const std::set<std::pair<NodeId, NodeId>> borders = Disagreements();
    if (borders.empty()) {
      return absl::OkStatus();
    }
    std::vector<std::string> texts;
    std::set<NodeId> chunks;
    for (const auto& [first, second] : borders) {
      chunks.insert({first, second});
      if (texts.size() < kDisagreementsShown) {
        CLEAVE_ASSIGN_OR_RETURN(const ChunkInput a, ReadAgain(first));
        CLEAVE_ASSIGN_OR_RETURN(const ChunkInput b, ReadAgain(second));
        texts.push_back(absl::StrCat("chunks ", ToString(a.chunk.position), " and ", ToString(b.chunk.position), ": ",
                                     DescribeDisagreement(layout_, a.chunk, b.chunk)));
      }
    }
    CLEAVE_RETURN_IF_ERROR(TakeBack(chunks));
    return absl::DataLossError(absl::StrCat("neighbours disagree at ", borders.size(), " borders of chunks: ",
                                            absl::StrJoin(texts, "; "), borders.size() > texts.size() ? "; ..." : ""));
  }

  absl::StatusOr<ChunkInput> ReadAgain(NodeId l2_chunk_id) const {
    const ChunkPoint chunk = layout_.ChunkOf(l2_chunk_id).position;
    absl::StatusOr<ChunkVoxels> voxels = ReadChunkVoxels(workplace_, input_.segmentation, chunk, Encode::kNo);
    CLEAVE_RETURN_IF_ERROR(InChunk(voxels.status(), chunk));
    return input_.folders.Read(chunk, std::move(voxels->supervoxels));
  }

  // Removes the marks of chunks, their L2 nodes and their edge files: other input may have fewer of them.
  absl::Status TakeBack(const std::set<NodeId>& l2_chunk_ids) const {
    for (const NodeId id : l2_chunk_ids) {
      std::vector<table::RowMutation> rows = {RemoveChunkMarkRow(id)};
      CLEAVE_ASSIGN_OR_RETURN(
          const std::vector<table::Row> nodes,
          dataset_.table().ReadRange(
              table::NodeRowRange({Value(id), Value(id) + Value(layout_.SegmentLimit(graph::kL2Layer))}),
              {.columns = {table::columns::kChild}}, 0));
      for (const table::Row& node : nodes) {
        rows.push_back({node.key, {table::DeleteRow{}}});
      }
      CLEAVE_RETURN_IF_ERROR(dataset_.edges().Remove(layout_.ChunkOf(id).position));
      CLEAVE_RETURN_IF_ERROR(dataset_.table().ordered().Apply(rows));
    }
    return absl::OkStatus();
  }

  // The state moves on first: where it has, marks mean nothing, and who finds some removes them.
  absl::Status EndLayer() {
    for (const auto& [chunk, mark] : marks_) {
      state_.counts += mark.counts;
    }
    ++state_.layer;
    const table::RowMutation row[] = {IngestStateRow(state_)};
    CLEAVE_RETURN_IF_ERROR(dataset_.table().ordered().Apply(row));
    CrashPoint("ingest.atomic_layer_done");
    return absl::OkStatus();
  }

  Dataset& dataset_;
  const IdLayout& layout_;
  const Workplace& workplace_;
  const FileLayerInput& input_;
  IngestState& state_;
  absl::Mutex mutex_;
  std::map<NodeId, ChunkMark> marks_;  // by L2 chunk id; guarded by mutex_ while threads write rows
};

}  // namespace

absl::Status MakeFileLayer(const Workplace& workplace, const FileLayerInput& input, IngestState& state) {
  return FileLayer(workplace, input, state).Make();
}

}  // namespace cleave::ingest
