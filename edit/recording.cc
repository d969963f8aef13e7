#include "edit/recording.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "edit/editor.h"
#include "graph/dataset.h"
#include "ocdbt/database.h"
#include "ocdbt/write_batch.h"
#include "store/file_store.h"
#include "table/table.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

// How much is copied in one step.
constexpr size_t kRowsAtOnce = 1000;
constexpr size_t kChunksAtOnce = 64;

// The keys that were read. Thread-safe.
class ReadKeys {
 public:
  void Add(absl::string_view key) {
    const std::lock_guard lock(mutex_);
    keys_.emplace(key);
  }
  // Forgets what was read.
  void Clear() {
    const std::lock_guard lock(mutex_);
    keys_.clear();
  }
  [[nodiscard]] std::vector<std::string> InOrder() const {
    const std::lock_guard lock(mutex_);
    return {keys_.begin(), keys_.end()};
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> keys_;
};

// A table that notes the rows that are asked for, or that a range holds.
class NotedTable final : public table::Table {
 public:
  NotedTable(table::Table& inner, ReadKeys& keys) : inner_(inner), keys_(keys) {
    if (&inner.ordered() != &inner) {
      ordered_ = std::make_unique<NotedTable>(inner.ordered(), keys);
    }
  }

  absl::StatusOr<std::vector<table::Row>> ReadRows(std::span<const std::string> keys,
                                                   const table::Filter& filter) const override {
    NoteAll(keys);
    return inner_.ReadRows(keys, filter);
  }
  absl::StatusOr<std::vector<table::Row>> ReadRange(const table::RowRange& range, const table::Filter& filter,
                                                    int64_t limit) const override {
    absl::StatusOr<std::vector<table::Row>> rows = inner_.ReadRange(range, filter, limit);
    if (rows.ok()) {
      for (const table::Row& row : *rows) {
        keys_.Add(row.key);
      }
    }
    return rows;
  }
  absl::Status VisitNewest(std::span<const std::string> keys, const table::Column& column, absl::Time until,
                           table::CellVisitor visit) const override {
    NoteAll(keys);
    return inner_.VisitNewest(keys, column, until, visit);
  }
  absl::Status Apply(std::span<const table::RowMutation> mutations) override { return inner_.Apply(mutations); }
  bool atomic_batches() const override { return inner_.atomic_batches(); }
  absl::StatusOr<bool> ApplyIf(absl::string_view key, std::span<const table::CellMatch> predicate,
                               std::span<const table::Change> if_matched,
                               std::span<const table::Change> if_not_matched) override {
    keys_.Add(key);
    return inner_.ApplyIf(key, predicate, if_matched, if_not_matched);
  }
  absl::StatusOr<std::vector<bool>> ApplyIfEach(std::span<const table::ConditionalMutation> mutations) override {
    for (const table::ConditionalMutation& mutation : mutations) {
      keys_.Add(mutation.key);
    }
    return inner_.ApplyIfEach(mutations);
  }
  absl::StatusOr<int64_t> Increment(absl::string_view key, const table::Column& column, int64_t delta) override {
    keys_.Add(key);
    return inner_.Increment(key, column, delta);
  }
  table::Table& ordered() override { return ordered_ != nullptr ? *ordered_ : *this; }

 private:
  void NoteAll(std::span<const std::string> keys) const {
    for (const std::string& key : keys) {
      keys_.Add(key);
    }
  }

  table::Table& inner_;
  ReadKeys& keys_;
  std::unique_ptr<NotedTable> ordered_;
};

// A store that notes the keys that are asked for.
class NotedStore final : public store::Store {
 public:
  NotedStore(std::shared_ptr<store::Store> inner, ReadKeys& keys) : inner_(std::move(inner)), keys_(keys) {}

  using store::Store::Delete;
  using store::Store::Read;
  using store::Store::Write;
  absl::StatusOr<store::ReadResult> Read(absl::string_view key, const store::ReadOptions& options) const override {
    keys_.Add(key);
    return inner_->Read(key, options);
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> ReadMany(std::span<const std::string> keys) const override {
    for (const std::string& key : keys) {
      keys_.Add(key);
    }
    return inner_->ReadMany(keys);
  }
  absl::StatusOr<std::vector<std::string>> List(const store::KeyRange& range) const override {
    return inner_->List(range);
  }
  absl::StatusOr<store::Generation> Write(absl::string_view key, absl::string_view value,
                                          const store::WriteOptions& options) override {
    return inner_->Write(key, value, options);
  }
  absl::Status Delete(absl::string_view key, const store::WriteOptions& options) override {
    return inner_->Delete(key, options);
  }
  absl::Status WriteBatch(std::span<const store::KeyedWrite> writes) override { return inner_->WriteBatch(writes); }
  bool atomic_batches() const override { return inner_->atomic_batches(); }
  std::string Describe(absl::string_view key) const override { return inner_->Describe(key); }
  std::string KvStoreSpec() const override { return inner_->KvStoreSpec(); }

 private:
  const std::shared_ptr<store::Store> inner_;
  ReadKeys& keys_;
};

// One recording while it is made.
class Recorder {
 public:
  Recorder(const BatchItem& edit, std::string edit_text, std::string folder)
      : edit_(edit), edit_text_(std::move(edit_text)), folder_(std::move(folder)) {}

  absl::StatusOr<Recording> Run(const std::string& project) {
    CLEAVE_RETURN_IF_ERROR(PlanAndNote(project));
    absl::Status status = Copy();
    if (status.ok()) {
      status = CheckCopy();
    }
    if (!status.ok()) {
      if (!absl::IsAlreadyExists(status)) {
        std::error_code error;
        std::filesystem::remove_all(folder_, error);
      }
      return status;
    }
    return std::move(recording_);
  }

 private:
  absl::Status PlanAndNote(const std::string& project) {
    CLEAVE_ASSIGN_OR_RETURN(
        dataset_,
        graph::Dataset::Open(
            project, {.table = [this](table::Table& table) { return std::make_unique<NotedTable>(table, rows_); },
                      .store = [this](absl::string_view name,
                                      std::shared_ptr<store::Store> store) -> std::shared_ptr<store::Store> {
                        if (name == "edges") {
                          edge_files_ = store;
                          return std::make_shared<NotedStore>(std::move(store), edges_);
                        }
                        return name == "voxels" ? std::make_shared<NotedStore>(std::move(store), chunks_) : store;
                      }}));
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Editor> editor, Editor::Open(*dataset_, Quiet()));
    rows_.Clear();  // what recovery read
    chunks_.Clear();
    edges_.Clear();
    CLEAVE_ASSIGN_OR_RETURN(recording_.report, Plan(*editor));
    return absl::OkStatus();
  }

  static EditorOptions Quiet() {
    EditorOptions options;
    options.dry_run = true;
    options.profile = true;
    options.recovery_period = absl::ZeroDuration();
    return options;
  }

  absl::StatusOr<EditReport> Plan(Editor& editor) const {
    CLEAVE_ASSIGN_OR_RETURN(BatchReport report, editor.Run({.items = {edit_}}));
    CLEAVE_RETURN_IF_ERROR(report.items.front().status);
    return std::move(report.items.front().edit);
  }

  absl::Status Copy() {
    graph::GraphMeta meta = dataset_->meta();
    meta.graph_id += "_recording";
    meta.original.reset();
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<graph::Dataset> copy, graph::Dataset::Create(folder_, meta));
    CLEAVE_RETURN_IF_ERROR(CopyRows(*copy));
    CLEAVE_RETURN_IF_ERROR(CopyChunks(*copy));
    CLEAVE_RETURN_IF_ERROR(copy->SealBase());
    CLEAVE_RETURN_IF_ERROR(CopyEdges());
    std::ofstream file(std::filesystem::path(folder_) / kRecordedEditFile, std::ios::binary);
    file << edit_text_;
    file.close();
    return file ? absl::OkStatus() : absl::UnknownError(absl::StrCat("cannot write ", folder_, "/", kRecordedEditFile));
  }

  absl::Status CopyRows(graph::Dataset& copy) {
    const std::vector<std::string> keys = rows_.InOrder();
    for (size_t begin = 0; begin < keys.size(); begin += kRowsAtOnce) {
      const auto part = std::span(keys).subspan(begin, std::min(kRowsAtOnce, keys.size() - begin));
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows, dataset_->table().ReadRows(part, {}));
      std::vector<table::RowMutation> mutations;
      for (const table::Row& row : rows) {
        table::RowMutation mutation{row.key, {}};
        for (const auto& [column, cells] : row.cells) {
          for (const table::Cell& cell : cells) {
            mutation.changes.emplace_back(table::SetCell{column, cell.time, cell.value});
            recording_.read_bytes += static_cast<int64_t>(cell.value.size());
          }
        }
        if (!mutation.changes.empty()) {
          mutations.push_back(std::move(mutation));
        }
      }
      recording_.row_count += std::ssize(mutations);
      CLEAVE_RETURN_IF_ERROR(copy.ApplyUnsynced(mutations));
    }
    return absl::OkStatus();
  }

  // The info goes with the chunks: theirs are not the sizes that a new project would have.
  absl::Status CopyChunks(graph::Dataset& copy) {
    std::vector<std::string> keys = chunks_.InOrder();
    for (size_t begin = 0; begin < keys.size(); begin += kChunksAtOnce) {
      ocdbt::WriteBatch batch;
      for (size_t i = begin; i < std::min(begin + kChunksAtOnce, keys.size()); ++i) {
        CLEAVE_ASSIGN_OR_RETURN(store::ReadResult read, dataset_->segmentation().store().Read(keys[i]));
        if (read.value.has_value()) {
          recording_.read_bytes += std::ssize(*read.value);
          ++recording_.chunk_count;
          batch.Put(keys[i], *std::move(read.value));
        }
      }
      CLEAVE_RETURN_IF_ERROR(copy.database().Commit(batch).status());
    }
    ocdbt::WriteBatch info;
    info.Put("info", volume::FormatInfo(dataset_->segmentation().info()));
    return copy.database().Commit(info).status();
  }

  absl::Status CopyEdges() {
    store::FileStore copy(folder_ + "/edges");
    for (const std::string& key : edges_.InOrder()) {
      CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, edge_files_->Read(key));
      if (read.value.has_value()) {
        recording_.read_bytes += std::ssize(*read.value);
        ++recording_.edge_file_count;
        CLEAVE_RETURN_IF_ERROR(copy.Write(key, *read.value).status());
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckCopy() {
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<graph::Dataset> copy, graph::Dataset::Open(folder_));
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Editor> editor, Editor::Open(*copy, Quiet()));
    const absl::StatusOr<EditReport> again = Plan(*editor);
    if (!again.ok()) {
      return absl::InternalError(absl::StrCat(
          "the edit can be planned in the project, but not from what was recorded: ", again.status().message()));
    }
    const EditReport& report = recording_.report;
    const bool same_fragments =
        std::ranges::equal(again->fragments, report.fragments, [](const Fragment& a, const Fragment& b) {
          return a.former == b.former && a.side == b.side && a.voxel_count == b.voxel_count;
        });
    // Fresh ids may be others.
    if (!same_fragments || again->old_roots != report.old_roots ||
        again->removed_edges.size() != report.removed_edges.size() ||
        again->added_edges.size() != report.added_edges.size() || again->new_roots.size() != report.new_roots.size()) {
      return absl::InternalError("the edit planned from what was recorded is another than in the project");
    }
    return absl::OkStatus();
  }

  const BatchItem& edit_;
  const std::string edit_text_;
  const std::string folder_;
  ReadKeys rows_;
  ReadKeys chunks_;
  ReadKeys edges_;
  std::shared_ptr<store::Store> edge_files_;
  std::unique_ptr<graph::Dataset> dataset_;
  Recording recording_;
};

}  // namespace

absl::StatusOr<Recording> RecordEdit(const std::string& project, const BatchItem& edit, const std::string& edit_text,
                                     const std::string& folder) {
  if (std::holds_alternative<UndoRequest>(edit) || std::holds_alternative<RedoRequest>(edit)) {
    return absl::InvalidArgumentError(
        "an undo or redo reads past versions and cannot be recorded; record the merge or split itself");
  }
  return Recorder(edit, edit_text, folder).Run(project);
}

}  // namespace cleave::edit
