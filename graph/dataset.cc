#include "graph/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "graph/file_links.h"
#include "ocdbt/database.h"
#include "ocdbt/database_store.h"
#include "ocdbt/fork.h"
#include "store/fall_through_store.h"
#include "store/file_store.h"
#include "table/columns.h"
#include "table/embedded_table.h"
#include "volume/original.h"
#include "volume/pyramid.h"
#include "volume/volume.h"

namespace cleave::graph {
namespace {

namespace fs = std::filesystem;

constexpr char kProjectFile[] = "project.json";
constexpr int64_t kStorageChunkVoxels = 64;  // along an axis
constexpr char kGoOn[] =
    "run the same `cleave ingest` again, which goes on; or, if `cleave init` made it, delete it and begin again";

// The folder layout of a project: every path under it is made here.
class ProjectFolder {
 public:
  // A relative path is taken from the present working folder.
  explicit ProjectFolder(const std::string& folder, const DatasetSeams& seams = {})
      : path_(fs::absolute(folder).lexically_normal().string()), seams_(seams) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string table() const { return Below("table"); }
  [[nodiscard]] std::string edge_folder() const { return Below("edges"); }
  [[nodiscard]] std::string base_folder() const { return Below("ocdbt/base"); }
  [[nodiscard]] std::string mesh_folder() const { return Below("meshes"); }
  // What a fork writes, but for its manifest.
  [[nodiscard]] std::string fork_data_folder(const std::string& graph_id) const {
    return Below(absl::StrCat("ocdbt/", graph_id, "/", graph_id, "_d"));
  }
  // What the fork of another graph had written when this one was copied from it: a part of the base since.
  [[nodiscard]] std::string inherited_folder(const std::string& graph_id) const {
    return Below(absl::StrCat("ocdbt/base/", graph_id, "_d"));
  }
  [[nodiscard]] std::shared_ptr<store::Store> root() const { return std::make_shared<store::FileStore>(path_); }
  [[nodiscard]] std::shared_ptr<store::Store> edges() const { return Seamed("edges", At("edges")); }
  [[nodiscard]] std::shared_ptr<store::Store> intents() const { return Seamed("intents", At("intents")); }
  [[nodiscard]] std::shared_ptr<store::Store> previews() const { return Seamed("previews", At("previews")); }
  [[nodiscard]] std::shared_ptr<store::Store> meshes() const { return Seamed("meshes", At("meshes")); }
  [[nodiscard]] std::shared_ptr<store::Store> base() const { return At("ocdbt/base"); }
  [[nodiscard]] ocdbt::ForkPlace fork(const std::string& graph_id) const {
    return {.base = base(), .folder = Seamed("fork", At(absl::StrCat("ocdbt/", graph_id))), .name = graph_id};
  }
  // Nothing where there is no seam.
  [[nodiscard]] std::unique_ptr<table::Table> SeamOver(table::Table& table) const {
    return seams_.table ? seams_.table(table) : nullptr;
  }

  [[nodiscard]] std::shared_ptr<store::Store> Seamed(absl::string_view name,
                                                     std::shared_ptr<store::Store> store) const {
    return seams_.store ? seams_.store(name, std::move(store)) : store;
  }

 private:
  [[nodiscard]] std::string Below(absl::string_view name) const { return absl::StrCat(path_, "/", name); }
  [[nodiscard]] std::shared_ptr<store::Store> At(absl::string_view name) const {
    return std::make_shared<store::FileStore>(Below(name));
  }

  std::string path_;
  DatasetSeams seams_;
};

// Of the sizes that divide a graph chunk's, the one nearest to kStorageChunkVoxels by ratio. Sizes with large prime
// factors have none that is near; then it is the graph chunk's own, rather than a sliver.
int64_t StorageChunkVoxels(int64_t graph_chunk_voxels) {
  constexpr int64_t kSmallest = 8;
  constexpr int64_t kLargest = 512;
  const auto distance = [](int64_t size) {
    return std::abs(std::log2(static_cast<double>(size) / static_cast<double>(kStorageChunkVoxels)));
  };
  int64_t best = graph_chunk_voxels;
  for (int64_t size = kSmallest; size <= std::min(graph_chunk_voxels, kLargest); ++size) {
    if (graph_chunk_voxels % size == 0 && distance(size) < distance(best)) {
      best = size;
    }
  }
  return best;
}

// The scales of an overlay. A coarser one may not have the name of the finest, which is the original's choice.
volume::Info OverlayInfo(const GraphMeta& meta) {
  volume::Scale finest = meta.original->scale();
  finest.resolution = meta.voxel_size_nm;
  volume::Info info = meta.original->info;
  info.scales = volume::ScalePyramid(finest, volume::ScaleCount{meta.scale_count});
  for (size_t i = 1; i < info.scales.size(); ++i) {
    if (info.scales[i].key == finest.key) {
      info.scales[i].key += "_coarser";
    }
  }
  return info;
}

volume::Info SegmentationInfo(const GraphMeta& meta) {
  if (meta.original.has_value()) {
    return OverlayInfo(meta);
  }
  volume::Scale scale;
  scale.key = volume::DefaultScaleKey(meta.voxel_size_nm);
  scale.resolution = meta.voxel_size_nm;
  scale.size = meta.volume.extent();
  scale.voxel_offset = meta.volume.lo;
  scale.chunk_size = {StorageChunkVoxels(meta.chunk_size.x), StorageChunkVoxels(meta.chunk_size.y),
                      StorageChunkVoxels(meta.chunk_size.z)};
  scale.encoding = volume::Encoding::kCompressedSegmentation;
  volume::Info info;
  info.data_type = volume::DataType::kUint64;
  info.scales = volume::ScalePyramid(scale, volume::ScaleCount{meta.scale_count});
  return info;
}

absl::StatusOr<GraphMeta> ReadMeta(const ProjectFolder& folder) {
  const std::shared_ptr<store::Store> root = folder.root();
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, root->Read(kProjectFile));
  if (!read.value.has_value()) {
    return absl::NotFoundError(absl::StrCat(folder.path(), " is not a Cleave project (no ", kProjectFile, ")"));
  }
  absl::StatusOr<GraphMeta> meta = DecodeGraphMeta(*read.value);
  if (!meta.ok()) {
    return Annotate(meta.status(), root->Describe(kProjectFile));
  }
  return meta;
}

// Nothing where there is none.
absl::StatusOr<std::shared_ptr<store::Store>> OpenOriginal(const GraphMeta& meta) {
  if (!meta.original.has_value()) {
    return nullptr;
  }
  return volume::OpenOriginal(*meta.original);
}

// False also where there is no base yet.
absl::StatusOr<bool> IngestEnded(const ProjectFolder& folder) {
  absl::StatusOr<bool> sealed = ocdbt::IsSealed(*folder.base());
  return absl::IsNotFound(sealed.status()) ? false : sealed;
}

// An empty folder, but for what a write of project.json leaves when it is stopped.
bool IsAsGoodAsEmpty(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!absl::StartsWith(entry.path().filename().string(), absl::StrCat(kProjectFile, "."))) {
      return false;
    }
  }
  return !error;
}

absl::Status CheckNothingIsThere(const ProjectFolder& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder.path(), error);
  if (status.type() == fs::file_type::not_found ||
      (status.type() == fs::file_type::directory && IsAsGoodAsEmpty(folder.path()))) {
    return absl::OkStatus();
  }
  if (fs::exists(fs::path(folder.path()) / kProjectFile, error)) {
    const absl::StatusOr<bool> ended = IngestEnded(folder);
    return absl::AlreadyExistsError(
        ended.ok() && !*ended
            ? absl::StrCat(folder.path(), " holds a project whose ingest did not end; ", kGoOn)
            : absl::StrCat(folder.path(), " holds a Cleave project already; name another folder, or delete it"));
  }
  return absl::AlreadyExistsError(absl::StrCat(folder.path(), " exists and is not an empty folder; name another one"));
}

absl::Status CheckSameGraph(const GraphMeta& stored, const GraphMeta& asked) {
  const auto differs = [](absl::string_view member) {
    return absl::FailedPreconditionError(
        absl::StrCat("holds a project already, whose ", member, " is another; name another folder, or delete it"));
  };
  if (stored.graph_id != asked.graph_id) {
    return differs("graph id");
  }
  if (stored.volume != asked.volume) {
    return differs("volume");
  }
  if (stored.chunk_size != asked.chunk_size) {
    return differs("chunk size");
  }
  if (stored.scale_count != asked.scale_count) {
    return differs("number of scales");
  }
  return stored.voxel_size_nm == asked.voxel_size_nm ? absl::OkStatus() : differs("voxel size");
}

// Makes the fork, unless it is there. A crash between sealing and forking leaves none; but one that has data files and
// no manifest has lost it.
absl::Status EnsureFork(const ocdbt::ForkPlace& place) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, place.folder->List({}));
  if (keys.empty()) {
    return ocdbt::ForkDatabase(place);
  }
  return absl::OkStatus();
}

// Stands for the table that another process has open.
class TableOfAnother final : public table::Table {
 public:
  [[nodiscard]] absl::StatusOr<std::vector<table::Row>> ReadRows(std::span<const std::string> /*keys*/,
                                                                 const table::Filter& /*filter*/) const override {
    return NotHere();
  }
  [[nodiscard]] absl::StatusOr<std::vector<table::Row>> ReadRange(const table::RowRange& /*range*/,
                                                                  const table::Filter& /*filter*/,
                                                                  int64_t /*limit*/) const override {
    return NotHere();
  }
  [[nodiscard]] absl::Status Apply(std::span<const table::RowMutation> /*mutations*/) override { return NotHere(); }
  [[nodiscard]] bool atomic_batches() const override { return true; }
  [[nodiscard]] absl::StatusOr<bool> ApplyIf(absl::string_view /*key*/, std::span<const table::CellMatch> /*predicate*/,
                                             std::span<const table::Change> /*if_matched*/,
                                             std::span<const table::Change> /*if_not_matched*/) override {
    return NotHere();
  }
  [[nodiscard]] absl::StatusOr<int64_t> Increment(absl::string_view /*key*/, const table::Column& /*column*/,
                                                  int64_t /*delta*/) override {
    return NotHere();
  }

 private:
  static absl::Status NotHere() {
    return absl::FailedPreconditionError("the table is open in the process that makes the project");
  }
};

// Every look-up of roots reads parents, layer by layer.
absl::StatusOr<std::unique_ptr<table::EmbeddedTable>> OpenTable(const std::string& folder, bool is_new) {
  return table::EmbeddedTable::Open(folder, {.create_if_missing = is_new, .kept_column = table::columns::kParent});
}

}  // namespace

struct Dataset::State {
  State(ProjectFolder project, GraphMeta graph_meta, IdLayout id_layout, std::unique_ptr<table::EmbeddedTable> opened)
      : folder(std::move(project)),
        meta(std::move(graph_meta)),
        layout(id_layout),
        table(std::move(opened)),
        table_seam(table != nullptr ? folder.SeamOver(*table) : std::make_unique<TableOfAnother>()),
        edges(folder.edges()),
        intents(folder.intents()),
        previews(folder.previews()),
        meshes(folder.meshes()),
        ids(layout, used_table().ordered()) {}

  [[nodiscard]] table::Table& used_table() const { return table_seam != nullptr ? *table_seam : *table; }

  // The voxels in a state of the database.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<volume::Volume>> Show(std::shared_ptr<store::Store> voxels,
                                                                     const volume::Info& info) const {
    if (original == nullptr) {
      return volume::Volume::Over(std::move(voxels), "", info);
    }
    return volume::Volume::Over(std::make_shared<store::FallThroughStore>(std::move(voxels), original,
                                                                          volume::OriginalChunkKeys(*meta.original)),
                                "", info, volume::Background::kStored);
  }

  // Shows `opened` as the segmentation.
  absl::Status Use(std::unique_ptr<ocdbt::Database> opened) {
    std::shared_ptr<ocdbt::Database> shared = std::move(opened);
    const auto voxels = std::make_shared<ocdbt::DatabaseStore>(shared);
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<volume::Volume> plain, volume::Volume::Open(voxels, ""));
    CLEAVE_ASSIGN_OR_RETURN(segmentation, Show(folder.Seamed("voxels", voxels), plain->info()));
    database = std::move(shared);
    return absl::OkStatus();
  }

  absl::Status UseFork() {
    const ocdbt::ForkPlace place = folder.fork(meta.graph_id);
    CLEAVE_RETURN_IF_ERROR(EnsureFork(place));
    absl::StatusOr<std::unique_ptr<ocdbt::Database>> fork = ocdbt::OpenFork(place);
    if (absl::IsNotFound(fork.status())) {
      return absl::DataLossError(fork.status().message());
    }
    CLEAVE_RETURN_IF_ERROR(fork.status());
    CLEAVE_RETURN_IF_ERROR(Use(*std::move(fork)));
    CLEAVE_ASSIGN_OR_RETURN(const ocdbt::ForkedStore files, ocdbt::StackFork(place));
    fork_files = files.store;
    sealed = true;
    return absl::OkStatus();
  }

  const ProjectFolder folder;
  const GraphMeta meta;
  const IdLayout layout;
  const std::unique_ptr<table::EmbeddedTable> table;
  const std::unique_ptr<table::Table> table_seam;
  EdgeFiles edges;
  const std::shared_ptr<store::Store> intents;
  const std::shared_ptr<store::Store> previews;
  const std::shared_ptr<store::Store> meshes;
  std::shared_ptr<store::Store> original;  // of an overlay
  const std::shared_ptr<store::Store> base_files = folder.base();
  std::shared_ptr<store::Store> fork_files;
  IdAllocator ids;
  std::shared_ptr<ocdbt::Database> database;
  std::unique_ptr<volume::Volume> segmentation;
  bool sealed = false;
};

Dataset::Dataset() = default;
Dataset::~Dataset() = default;

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::Create(const std::string& folder_name, const GraphMeta& meta) {
  CLEAVE_RETURN_IF_ERROR(ValidateGraphMeta(meta));
  const ProjectFolder folder(folder_name);
  CLEAVE_RETURN_IF_ERROR(CheckNothingIsThere(folder));
  CLEAVE_RETURN_IF_ERROR(OpenOriginal(meta).status());
  CLEAVE_RETURN_IF_ERROR(folder.root()->Write(kProjectFile, EncodeGraphMeta(meta)).status());
  return OpenUnsealed(folder_name);
}

// 1. project.json is there. The table comes next, the base last: where there is no base, the table holds nothing.
// 2. Each is made unless it is there.
absl::StatusOr<std::unique_ptr<Dataset>> Dataset::OpenUnsealed(const std::string& folder_name) {
  const ProjectFolder folder(folder_name);
  CLEAVE_ASSIGN_OR_RETURN(const GraphMeta meta, ReadMeta(folder));
  CLEAVE_ASSIGN_OR_RETURN(IdLayout layout, IdLayout::Create(meta.volume, meta.chunk_size));
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> original, OpenOriginal(meta));
  const std::shared_ptr<store::Store> base = folder.base();
  absl::StatusOr<std::unique_ptr<ocdbt::Database>> database = ocdbt::Database::Open(base);
  const bool is_new = absl::IsNotFound(database.status());
  if (is_new) {
    std::error_code error;
    fs::remove_all(folder.table(), error);
  }
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<table::EmbeddedTable> table, OpenTable(folder.table(), is_new));
  if (is_new) {
    database = ocdbt::Database::Create(base, {});
  }
  CLEAVE_RETURN_IF_ERROR(database.status());
  auto dataset = std::unique_ptr<Dataset>(new Dataset);
  dataset->state_ = std::make_unique<State>(folder, meta, layout, std::move(table));
  dataset->state_->original = std::move(original);
  auto store = std::make_shared<ocdbt::DatabaseStore>(std::shared_ptr<ocdbt::Database>(*std::move(database)));
  absl::Status there = volume::Volume::Open(store, "").status();
  if (absl::IsNotFound(there)) {
    there = volume::Volume::Create(store, "", SegmentationInfo(meta)).status();
  }
  CLEAVE_RETURN_IF_ERROR(there);
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<ocdbt::Database> reopened, ocdbt::Database::Open(base));
  CLEAVE_RETURN_IF_ERROR(dataset->state_->Use(std::move(reopened)));
  return dataset;
}

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::CreateOrResume(const std::string& folder_name,
                                                                 const GraphMeta& meta) {
  const ProjectFolder folder(folder_name);
  const absl::StatusOr<GraphMeta> stored = ReadMeta(folder);
  if (absl::IsNotFound(stored.status())) {
    return Create(folder_name, meta);
  }
  CLEAVE_RETURN_IF_ERROR(stored.status());
  CLEAVE_RETURN_IF_ERROR(Annotate(CheckSameGraph(*stored, meta), folder.path()));
  CLEAVE_ASSIGN_OR_RETURN(const bool ended, IngestEnded(folder));
  return ended ? Open(folder_name) : OpenUnsealed(folder_name);
}

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::OpenWithoutTable(const std::string& folder_name) {
  const ProjectFolder folder(folder_name);
  CLEAVE_ASSIGN_OR_RETURN(GraphMeta meta, ReadMeta(folder));
  CLEAVE_ASSIGN_OR_RETURN(const IdLayout layout, IdLayout::Create(meta.volume, meta.chunk_size));
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> original, OpenOriginal(meta));
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<ocdbt::Database> database, ocdbt::Database::Open(folder.base()));
  auto dataset = std::unique_ptr<Dataset>(new Dataset);
  dataset->state_ = std::make_unique<State>(folder, std::move(meta), layout, nullptr);
  dataset->state_->original = std::move(original);
  CLEAVE_RETURN_IF_ERROR(dataset->state_->Use(std::move(database)));
  return dataset;
}

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::Open(const std::string& folder_name, const DatasetSeams& seams) {
  const ProjectFolder folder(folder_name, seams);
  CLEAVE_ASSIGN_OR_RETURN(GraphMeta meta, ReadMeta(folder));
  CLEAVE_ASSIGN_OR_RETURN(IdLayout layout, IdLayout::Create(meta.volume, meta.chunk_size));
  absl::StatusOr<std::unique_ptr<table::EmbeddedTable>> table = OpenTable(folder.table(), /*is_new=*/false);
  if (absl::IsUnavailable(table.status())) {
    return Annotate(table.status(), absl::StrCat(folder.path(), " is in use"));
  }
  CLEAVE_ASSIGN_OR_RETURN(const bool ended, IngestEnded(folder));
  if (!ended) {
    return absl::FailedPreconditionError(absl::StrCat("the ingest of ", folder.path(), " did not end; ", kGoOn));
  }
  if (absl::IsFailedPrecondition(table.status())) {
    return absl::DataLossError(table.status().message());
  }
  CLEAVE_RETURN_IF_ERROR(table.status());
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> original, OpenOriginal(meta));
  auto dataset = std::unique_ptr<Dataset>(new Dataset);
  dataset->state_ = std::make_unique<State>(folder, std::move(meta), layout, *std::move(table));
  dataset->state_->original = std::move(original);
  CLEAVE_RETURN_IF_ERROR(dataset->state_->UseFork());
  return dataset;
}

const GraphMeta& Dataset::meta() const { return state_->meta; }
bool Dataset::sealed() const { return state_->sealed; }
const IdLayout& Dataset::layout() const { return state_->layout; }
table::Table& Dataset::table() { return state_->used_table(); }
EdgeFiles& Dataset::edges() { return state_->edges; }
IdAllocator& Dataset::ids() { return state_->ids; }
store::Store& Dataset::intents() { return *state_->intents; }
store::Store& Dataset::previews() { return *state_->previews; }
const std::shared_ptr<store::Store>& Dataset::meshes() { return state_->meshes; }
volume::Volume& Dataset::segmentation() { return *state_->segmentation; }
ocdbt::Database& Dataset::database() { return *state_->database; }
const store::Store& Dataset::base_files() const { return *state_->base_files; }
absl::StatusOr<const store::Store*> Dataset::ForkFiles() const {
  if (!state_->sealed) {
    return absl::FailedPreconditionError("the base is not sealed, there is no fork yet");
  }
  return state_->fork_files.get();
}
GraphView Dataset::View(absl::Time at) const { return {state_->layout, state_->used_table(), at}; }

absl::StatusOr<std::unique_ptr<volume::Volume>> Dataset::SegmentationAt(const VoxelMoment& moment) const {
  const ocdbt::Database& database = *state_->database;
  const auto snapshot = [&]() -> absl::StatusOr<ocdbt::Snapshot> {
    if (moment.generation.has_value()) {
      return database.At(ocdbt::GenerationNumber{*moment.generation});
    }
    return moment.time.has_value() ? database.At(ocdbt::CommittedBy{*moment.time}) : database.Newest();
  }();
  CLEAVE_RETURN_IF_ERROR(snapshot.status());
  return state_->Show(std::make_shared<ocdbt::DatabaseStore>(state_->database, *snapshot),
                      state_->segmentation->info());
}

std::string Dataset::KvStoreSpec() const {
  if (state_->original == nullptr) {
    return state_->database->KvStoreSpec();
  }
  const absl::StatusOr<std::unique_ptr<volume::Volume>> newest = SegmentationAt({});
  return newest.ok() ? (*newest)->store().KvStoreSpec() : "";
}

absl::StatusOr<uint64_t> Dataset::BaseGeneration() const {
  ocdbt::OpenOptions options;
  options.read_only = true;
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<ocdbt::Database> base,
                          ocdbt::Database::Open(state_->folder.base(), options));
  CLEAVE_ASSIGN_OR_RETURN(const ocdbt::Snapshot newest, base->Newest());
  return newest.generation().value;
}

absl::Status Dataset::ApplyUnsynced(std::span<const table::RowMutation> mutations) {
  if (state_->sealed) {
    return absl::FailedPreconditionError("the base is sealed: its ingest has ended");
  }
  return state_->table != nullptr ? state_->table->ApplyUnsynced(mutations) : state_->used_table().Apply(mutations);
}

absl::Status Dataset::SealBase() {
  if (state_->sealed) {
    return absl::OkStatus();
  }
  if (state_->table == nullptr) {
    return absl::FailedPreconditionError("the base is sealed by the process that has the table");
  }
  // Rows first: a sealed base says that everything that ingest wrote is durable.
  CLEAVE_RETURN_IF_ERROR(state_->table->Sync());
  CLEAVE_RETURN_IF_ERROR(state_->table->Compact());
  const std::shared_ptr<store::Store> base = state_->folder.base();
  CLEAVE_RETURN_IF_ERROR(ocdbt::SealDatabase(*base));
  return state_->UseFork();
}

absl::StatusOr<Dataset::CopiedFiles> Dataset::CopyTo(const std::string& folder_name, uint64_t last,
                                                     const std::function<absl::Status(table::Table&)>& trim,
                                                     const std::string& graph_id) const {
  const ProjectFolder& from = state_->folder;
  const ProjectFolder to(folder_name);
  CLEAVE_RETURN_IF_ERROR(CheckNothingIsThere(to));
  GraphMeta meta = state_->meta;
  meta.graph_id = graph_id.empty() ? meta.graph_id : graph_id;
  const bool is_renamed = meta.graph_id != state_->meta.graph_id;
  CLEAVE_RETURN_IF_ERROR(ValidateGraphMeta(meta));
  if (std::error_code error; is_renamed && fs::exists(from.inherited_folder(meta.graph_id), error)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the graph was once named ", meta.graph_id, ", or copied from one of that name; choose another"));
  }
  LinkCounts counts;
  const auto copy = [&]() -> absl::Status {
    std::error_code error;
    fs::create_directories(to.path(), error);
    CLEAVE_RETURN_IF_ERROR(LinkFolder(from.edge_folder(), to.edge_folder(), counts));
    CLEAVE_RETURN_IF_ERROR(LinkFolder(from.base_folder(), to.base_folder(), counts));
    CLEAVE_RETURN_IF_ERROR(LinkFolder(from.mesh_folder(), to.mesh_folder(), counts));
    const std::string& written_as = state_->meta.graph_id;
    CLEAVE_RETURN_IF_ERROR(LinkFolder(from.fork_data_folder(written_as),
                                      is_renamed ? to.inherited_folder(written_as) : to.fork_data_folder(written_as),
                                      counts));
    CLEAVE_RETURN_IF_ERROR(
        ocdbt::ForkDatabaseFrom(*state_->database, ocdbt::GenerationNumber{last}, to.fork(meta.graph_id)));
    CLEAVE_RETURN_IF_ERROR(state_->table->CopyTo(to.table()));
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<table::EmbeddedTable> table,
                            table::EmbeddedTable::Open(to.table(), {}));
    CLEAVE_RETURN_IF_ERROR(trim(*table));
    CLEAVE_RETURN_IF_ERROR(table->Sync());
    CLEAVE_RETURN_IF_ERROR(SyncFolder(to.path()));
    return to.root()->Write(kProjectFile, EncodeGraphMeta(meta)).status();
  };
  if (const absl::Status status = copy(); !status.ok()) {
    std::error_code error;
    fs::remove_all(to.path(), error);
    return status;
  }
  return CopiedFiles{counts.linked, counts.copied};
}

}  // namespace cleave::graph
