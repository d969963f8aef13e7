// 1. Everything that can be wrong with the request is found before the project is made. The request and the time of
//    ingest are stored first, so that every later run has them.
// 2. Layer 2: workers read lots of chunks; their voxels become parts of a fill of the base, their surfaces files of the
//    spool. When all are there, workers connect lots: edge files, and rows in the spool. This process puts rows into
//    the table in the order of chunks, as far as they are there, each batch with the count of chunks (IngestState).
// 3. Of chunk files, what neighbours say of their borders is compared (file_layer.h). Lots of chunks that disagree are
//    taken back: their parts of the fill, their files of the spool, their jobs.
// 4. Only now the fill of the voxels is committed, as one version; the state says so, then the fill is forgotten.
// 5. The layers of parents, by threads of this process (parent_layer.h): what is left is small, and lives in the table.
// 6. Coarser scales, a queue for each tier. Then what dead workers left is removed from the base, and it is sealed.
//
// Steps leave marks that are durable before the next step begins; a run begins where the marks say. Jobs are marked
// done after what they made is durable; so a queue that lost its newest marks only has jobs done twice, and one that is
// lost altogether, as by a Redis server that comes back empty, is made again by what jobs have left.
#include "ingest/process_ingest.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "graph/dataset.h"
#include "graph/scales.h"
#include "ingest/file_layer.h"
#include "ingest/ingest_folder.h"
#include "ingest/ingest_jobs.h"
#include "ingest/job_board.h"
#include "ingest/parent_layer.h"
#include "ingest/report.h"
#include "ingest/request.h"
#include "ingest/stage_file.h"
#include "ocdbt/fill.h"

namespace cleave::ingest {
namespace {

using graph::Dataset;

constexpr int64_t kChunksLoadedAtOnce = 8;

// The process that owns the table, from one run's beginning to its end.
class Coordinator {
 public:
  Coordinator(const DatasetFile& file, const ProcessIngestOptions& options, const volume::LabelSource& source,
              Dataset& dataset, IngestFolder& folder, JobEngine& engine, std::unique_ptr<Presence> presence,
              Progress& progress)
      : file_(file),
        options_(options),
        source_(source),
        dataset_(dataset),
        folder_(folder),
        engine_(engine),
        presence_(std::move(presence)),
        workplace_{dataset, options.threads, clock_, progress},
        lots_(dataset.layout(), file.chunks_per_job),
        board_(dataset, folder, engine, lots_, options, progress) {}

  absl::StatusOr<ProcessIngestReport> Run() {
    CLEAVE_RETURN_IF_ERROR(FindRequest());
    ProcessIngestReport result;
    if (!dataset_.sealed()) {
      CLEAVE_RETURN_IF_ERROR(ShowPresence());
      CLEAVE_RETURN_IF_ERROR(TakeBackChunks());
      if (options_.queue_only) {
        CLEAVE_RETURN_IF_ERROR(PlanLayer2());
        result.jobs = board_.jobs();
      } else {
        CLEAVE_RETURN_IF_ERROR(options_.layer.has_value() ? MakeOneLayer(*options_.layer) : MakeAll());
        result.jobs = board_.jobs();
        if (GraphIsWhole() && VoxelsAreWhole()) {
          CLEAVE_RETURN_IF_ERROR(End());
        }
      }
    }
    if (dataset_.sealed()) {
      if (folder_.exists()) {
        CLEAVE_RETURN_IF_ERROR(engine_.Remove());
      }
      CLEAVE_RETURN_IF_ERROR(folder_.Remove());
      result.jobs = 0;
    }
    result.ended = dataset_.sealed();
    result.report = MakeReport(workplace_, state_.counts);
    result.report.roots = state_.roots;
    result.report.steps.clear();
    return result;
  }

 private:
  [[nodiscard]] bool has_voxels() const { return !dataset_.meta().original.has_value(); }
  [[nodiscard]] bool GraphIsWhole() const { return state_.layer > dataset_.layout().layer_count(); }
  [[nodiscard]] bool VoxelsAreWhole() const { return state_.voxels_committed || !has_voxels(); }

  absl::Status Store() {
    const table::RowMutation row[] = {IngestStateRow(state_)};
    return dataset_.table().Apply(row);
  }

  absl::Status FindRequest() {
    DatasetFile stated = file_;
    stated.mesh.clear();  // may be changed, and needs nothing of the ingest
    stated.redis.clear();
    stated.options.base.project_folder.clear();
    const std::string request = EncodeDatasetFile(stated);
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<IngestState> stored, ReadIngestState(dataset_.table()));
    const std::string& project = folder_.project();
    if (stored.has_value() && stored->request != request) {
      return absl::FailedPreconditionError(absl::StrCat(project, " holds the ingest of other input, ", stored->request,
                                                        "; name another folder, or delete it"));
    }
    if (!stored.has_value()) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, dataset_.table().ReadRange({}, {}, 1));
      if (!rows.empty() || dataset_.sealed()) {
        return absl::FailedPreconditionError(
            absl::StrCat(project, " holds what another command made; name another folder, or delete it"));
      }
    }
    state_ = stored.value_or(IngestState{.request = request});
    const graph::IdLayout& layout = dataset_.layout();
    while (state_.layer > graph::kL2Layer && !GraphIsWhole() && state_.next_chunk == ChunksOf(layout, state_.layer)) {
      ++state_.layer;
      state_.next_chunk = 0;
    }
    if (!dataset_.sealed()) {
      CLEAVE_RETURN_IF_ERROR(folder_.Create());
      CLEAVE_RETURN_IF_ERROR(engine_.Note());
      DatasetFile kept = file_;
      kept.redis.clear();  // there may be a password in it
      CLEAVE_RETURN_IF_ERROR(folder_.WriteDataset(kept));
      CLEAVE_RETURN_IF_ERROR(Store());
    }
    CrashPoint("ingest.request_stored");
    return absl::OkStatus();
  }

  // For who asks whether this process lives; that it is the only one on this machine, the table's own lock says.
  absl::Status ShowPresence() {
    if (presence_ == nullptr) {
      CLEAVE_ASSIGN_OR_RETURN(presence_, engine_.Coordinate());
    }
    return absl::OkStatus();
  }

  static int64_t ChunksOf(const graph::IdLayout& layout, int layer) {
    const ChunkPoint counts = layout.ChunkCounts(layer);
    return counts.x * counts.y * counts.z;
  }

  // ---- Layer 2 ----

  [[nodiscard]] bool WantsVoxels() const { return options_.part != IngestPart::kGraph && !VoxelsAreWhole(); }
  [[nodiscard]] bool WantsGraph() const {
    return options_.part != IngestPart::kVoxels && state_.layer == graph::kL2Layer;
  }

  // Voxels with surfaces, or surfaces alone where they are not there yet; then the graph.
  absl::Status PlanLayer2() {
    std::vector<BoardQueue> queues;
    if (WantsVoxels()) {
      queues.push_back(VoxelQueue(kVoxelQueue));
    } else if (WantsGraph()) {
      CLEAVE_ASSIGN_OR_RETURN(const bool surfaces_are_there, SurfacesAreThere());
      if (!surfaces_are_there) {
        queues.push_back(VoxelQueue(kSurfaceQueue));
      }
    }
    first_queue_ = queues.empty() ? "" : queues.front().name;
    if (WantsGraph()) {
      queues.push_back(VoxelQueue(kGraphQueue));
    }
    return board_.Plan(std::move(queues));
  }

  absl::StatusOr<bool> SurfacesAreThere() const {
    CLEAVE_ASSIGN_OR_RETURN(const bool done, board_.IsDone(kVoxelQueue));
    if (!done) {
      return false;
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<bool> lots, board_.LeftWhole(VoxelQueue(kSurfaceQueue)));
    return std::ranges::all_of(lots, std::identity());
  }

  [[nodiscard]] BoardQueue VoxelQueue(const char* name) const { return {name, lots_.lots(), kUnitOfChunks}; }

  absl::Status MakeLayer2() {
    const bool wants_graph = WantsGraph();
    CLEAVE_RETURN_IF_ERROR(PlanLayer2());
    if (!first_queue_.empty()) {
      CLEAVE_RETURN_IF_ERROR(board_.WaitFor(first_queue_, LookAtNothing));
    }
    if (wants_graph) {
      CLEAVE_RETURN_IF_ERROR(
          board_.WaitFor(kGraphQueue, [this](const std::vector<JobRecord>& records) { return LoadRows(records); }));
      CLEAVE_RETURN_IF_ERROR(EndLayer2());
    }
    if (state_.layer > graph::kL2Layer && options_.part != IngestPart::kGraph && !VoxelsAreWhole()) {
      CLEAVE_RETURN_IF_ERROR(board_.CommitFill(VoxelQueue(kVoxelQueue)));
      state_.voxels_committed = true;
      CLEAVE_RETURN_IF_ERROR(Store());
      CrashPoint("ingest.voxels_committed");
    }
    return state_.voxels_committed ? board_.ForgetFill(kVoxelQueue) : absl::OkStatus();
  }

  static absl::Status LookAtNothing(const std::vector<JobRecord>& /*records*/) { return absl::OkStatus(); }

  // Loads what lots in order have left, up to the first one that is not done.
  absl::Status LoadRows(const std::vector<JobRecord>& records) {
    const Lots& lots = lots_.lots();
    while (state_.next_chunk < lots.items) {
      const int64_t lot = state_.next_chunk / lots.size;
      if (records[static_cast<size_t>(lot)].state != JobState::kDone) {
        return absl::OkStatus();
      }
      CLEAVE_RETURN_IF_ERROR(LoadChunks(std::min(lots.end(lot), state_.next_chunk + kChunksLoadedAtOnce)));
    }
    return absl::OkStatus();
  }

  // The chunks up to `end`, and the state, in one step.
  absl::Status LoadChunks(int64_t end) {
    std::vector<ChunkRows> chunks(static_cast<size_t>(end - state_.next_chunk));
    CLEAVE_RETURN_IF_ERROR(ParallelFor(std::ssize(chunks), options_.threads, [&](int64_t i) -> absl::Status {
      CLEAVE_ASSIGN_OR_RETURN(chunks[static_cast<size_t>(i)],
                              folder_.spool().ReadRows(lots_.Chunk(state_.next_chunk + i)));
      return absl::OkStatus();
    }));
    std::vector<table::RowMutation> rows;
    for (ChunkRows& chunk : chunks) {
      std::ranges::move(chunk.rows, std::back_inserter(rows));
      if (!file_.from_chunk_files()) {  // else the marks are counted
        state_.counts += chunk.counts;
      }
    }
    state_.next_chunk = end;
    rows.push_back(IngestStateRow(state_));
    CLEAVE_RETURN_IF_ERROR(dataset_.table().ordered().Apply(rows));
    CrashPoint("ingest.rows_loaded");
    return absl::OkStatus();
  }

  absl::Status EndLayer2() {
    if (file_.from_chunk_files()) {
      CLEAVE_ASSIGN_OR_RETURN(const ChunkFolders folders,
                              ChunkFolders::Open(dataset_.layout(), file_.options.edges, file_.options.components));
      IngestState next = state_;
      next.next_chunk = 0;
      CLEAVE_RETURN_IF_ERROR(MakeFileLayer(workplace_, {source_, folders}, next));
      state_ = next;
    } else {
      ++state_.layer;
      state_.next_chunk = 0;
    }
    return Store();
  }

  // Of chunk files: chunks whose marks were removed because their neighbours disagreed with them are to be read again.
  absl::Status TakeBackChunks() {
    if (!file_.from_chunk_files() || state_.layer != graph::kL2Layer || state_.next_chunk == 0) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const auto marks, ReadChunkMarks(dataset_.table()));
    std::set<int64_t> lots;
    for (int64_t i = 0; i < state_.next_chunk; ++i) {
      const graph::ChunkAddress chunk{graph::kL2Layer, lots_.Chunk(i)};
      if (!marks.contains(dataset_.layout().MakeNode(chunk, graph::Segment{0}))) {
        lots.insert(i / lots_.lots().size);
      }
    }
    if (lots.empty()) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Fill fill, ocdbt::Fill::Create(dataset_.database(), kVoxelQueue));
    const std::vector<int64_t> jobs(lots.begin(), lots.end());
    for (const int64_t lot : jobs) {
      CLEAVE_RETURN_IF_ERROR(fill.RemovePart(PartName(lot)));
    }
    CLEAVE_RETURN_IF_ERROR(board_.Requeue({kVoxelQueue, kSurfaceQueue, kGraphQueue}, jobs));
    state_.next_chunk = 0;
    return Store();
  }

  // ---- Layers and the end ----

  absl::Status MakeParents(LastLayer last_layer) {
    CLEAVE_RETURN_IF_ERROR(RemoveChunkMarks(dataset_.table()));
    CLEAVE_RETURN_IF_ERROR(MakeParentLayers(workplace_, Resumable::kYes, state_, last_layer));
    return Store();
  }

  absl::Status MakeAll() {
    CLEAVE_RETURN_IF_ERROR(MakeLayer2());
    return options_.part == IngestPart::kVoxels || GraphIsWhole() ? absl::OkStatus() : MakeParents(kTopLayer);
  }

  absl::Status MakeOneLayer(int layer) {
    if (layer == graph::kL2Layer) {
      return MakeLayer2();
    }
    if (state_.layer < layer) {
      return absl::FailedPreconditionError(absl::StrCat("layer ", state_.layer, " of ", folder_.project(),
                                                        " is not whole; make it before layer ", layer));
    }
    return state_.layer > layer ? absl::OkStatus() : MakeParents(LastLayer{layer});
  }

  // What fills may be left when a run was stopped is forgotten by the next.
  absl::Status MakeScales() {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<absl::Time> filled, graph::ReadScalesFilled(dataset_.table()));
    CLEAVE_ASSIGN_OR_RETURN(const volume::PyramidBlocks blocks, BlocksOf(dataset_));
    for (int tier = 0; tier < blocks.tier_count() && !filled.has_value(); ++tier) {
      const BoardQueue queue{ScaleQueue(tier), LotsOfBlocks(blocks, tier), kUnitOfBlocks};
      CLEAVE_RETURN_IF_ERROR(board_.Plan({queue}));
      CLEAVE_RETURN_IF_ERROR(board_.WaitFor(queue.name, LookAtNothing));
      CLEAVE_RETURN_IF_ERROR(board_.CommitFill(queue));
    }
    if (!filled.has_value()) {
      const table::RowMutation rows[] = {graph::ScalesFilledRow(dataset_.meta().ingested)};
      CLEAVE_RETURN_IF_ERROR(dataset_.table().Apply(rows));
    }
    CrashPoint("ingest.scales_filled");
    for (int tier = 0; tier < blocks.tier_count(); ++tier) {
      CLEAVE_RETURN_IF_ERROR(board_.ForgetFill(ScaleQueue(tier)));
    }
    return absl::OkStatus();
  }

  absl::Status End() {
    CLEAVE_RETURN_IF_ERROR(MakeScales());
    CLEAVE_RETURN_IF_ERROR(board_.Clear());
    CrashPoint("ingest.before_seal");
    return SealProject(workplace_);
  }

  const DatasetFile& file_;
  const ProcessIngestOptions& options_;
  const volume::LabelSource& source_;
  Dataset& dataset_;
  IngestFolder& folder_;
  JobEngine& engine_;
  std::unique_ptr<Presence> presence_;
  StepClock clock_;
  const Workplace workplace_;
  const ChunkLots lots_;
  IngestState state_;
  JobBoard board_;
  std::string first_queue_;  // of layer 2; "" when surfaces are there
};

absl::Status CheckRequest(const DatasetFile& file, const ProcessIngestOptions& options, const graph::GraphMeta& meta,
                          const graph::IdLayout& layout) {
  if (options.part == IngestPart::kVoxels && meta.original.has_value()) {
    return absl::InvalidArgumentError("an overlay has no voxels of its own to be made");
  }
  if (options.layer.has_value() && (*options.layer < graph::kL2Layer || *options.layer > layout.layer_count())) {
    return absl::InvalidArgumentError(absl::StrCat("the graph has layers from ", graph::kL2Layer, " to ",
                                                   layout.layer_count(), ", so there is no layer ", *options.layer,
                                                   " to be made"));
  }
  if (options.layer.value_or(graph::kL2Layer) > graph::kL2Layer &&
      (options.part == IngestPart::kVoxels || options.queue_only)) {
    return absl::InvalidArgumentError("only layer 2 has voxels and a queue; layers above it are made at once");
  }
  // What can be said of these files is said before anything is made.
  CLEAVE_RETURN_IF_ERROR(MakePieces(file.options.base).status());
  return file.from_chunk_files() ? ChunkFolders::Open(layout, file.options.edges, file.options.components).status()
                                 : absl::OkStatus();
}

}  // namespace

absl::StatusOr<ProcessIngestReport> IngestByProcesses(const DatasetFile& file, const ProcessIngestOptions& options,
                                                      Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  const IngestOptions& request = file.options.base;
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<volume::LabelSource> source, volume::OpenLabelSource(request.labels));
  CLEAVE_ASSIGN_OR_RETURN(graph::GraphMeta meta, MakeMeta(*source, request));
  meta.ingested = file.time.value_or(meta.ingested);
  CLEAVE_ASSIGN_OR_RETURN(const graph::IdLayout layout, graph::IdLayout::Create(meta.volume, meta.chunk_size));
  CLEAVE_RETURN_IF_ERROR(CheckRequest(file, options, meta, layout));
  CLEAVE_ASSIGN_OR_RETURN(const LabelMap label_map, MakeLabelMap(request));
  IngestFolder folder(request.project_folder);
  if (!folder.exists()) {
    CLEAVE_RETURN_IF_ERROR(RequireFusedLabels(*source, label_map, request.chunk_size, progress));
  }
  JobEngineOptions engine_options{.queue = options.queue, .redis = options.redis};
  if (!options.redis.has_value() && !file.redis.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const store::RedisAddress address, store::ParseRedisUrl(file.redis));
    engine_options.redis = RedisJobsOptions{.address = address};
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<JobEngine> engine,
                          OpenJobEngine(folder, Beginning::kYes, engine_options));
  std::unique_ptr<Presence> presence;
  if (folder.exists()) {  // before the table, whose lock may reach no further than this machine
    CLEAVE_ASSIGN_OR_RETURN(presence, engine->Coordinate());
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset,
                          Dataset::CreateOrResume(request.project_folder, meta));
  CrashPoint("ingest.created");
  StageFile stage(folder, progress);
  absl::StatusOr<ProcessIngestReport> report =
      Coordinator(file, options, *source, *dataset, folder, *engine, std::move(presence), stage).Run();
  if (report.ok()) {
    report->report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return report;
}

}  // namespace cleave::ingest
