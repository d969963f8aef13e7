// How the embedded engine works:
//   1. Each cell is one entry of an ordered store (RocksDB); embedded_key.h says how its address becomes the key. The
//      cells of a row lie together, those of a column newest first, so "the newest cell before T" is one seek.
//   2. Bloom filters know which files hold cells of a row; a row that is nowhere costs no read.
//   3. A write becomes one atomic batch. Deleting all cells of a column or row means looking up their keys first, so
//      such writes, like conditional ones and increments, exclude other writers of their rows (row_latches.h).
//   4. Durable writes are in the write-ahead log, synced, when they return; writers that meet share one sync. Bulk
//      writes skip the log, and Sync turns them into sorted files.
#include "table/embedded_table.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "base/parallel.h"
#include "base/status.h"
#include "table/cell_map.h"
#include "table/embedded_key.h"
#include "table/row_latches.h"

namespace cleave::table {
namespace {

constexpr absl::string_view kFormatKey(
    "\x00\x00"
    "format",
    8);
constexpr absl::string_view kFormat = "cleave.table.1";
constexpr int kMaxOpenFiles = 512;
constexpr uint64_t kFileBytes = uint64_t{64} << 20;

rocksdb::Slice ToSlice(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  const std::string message = status.ToString();
  if (status.IsCorruption()) {
    return absl::DataLossError(message);
  }
  if (status.IsNoSpace()) {
    return absl::ResourceExhaustedError(message);
  }
  if (status.IsIOError() || status.IsBusy() || status.IsTimedOut() || status.IsTryAgain()) {
    return absl::UnavailableError(message);
  }
  return absl::InternalError(message);
}

// Bloom filters are over the row's part of a key.
class RowTransform final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "cleave.row.1"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), RowPrefixSize(ToView(key))};
  }
  bool InDomain(const rocksdb::Slice& key) const override { return RowPrefixSize(ToView(key)) > 0; }
};

rocksdb::Options StoreOptions(const EmbeddedTableOptions& options) {
  rocksdb::BlockBasedTableOptions blocks;
  blocks.block_size = 16 << 10;
  blocks.block_cache = rocksdb::NewLRUCache(static_cast<size_t>(options.block_cache_bytes));
  blocks.cache_index_and_filter_blocks = true;  // else their memory has no bound
  blocks.pin_l0_filter_and_index_blocks_in_cache = true;
  blocks.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  blocks.whole_key_filtering = false;
  blocks.format_version = 5;

  rocksdb::Options store;
  store.create_if_missing = true;  // whether one may be created is decided before
  store.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
  store.prefix_extractor = std::make_shared<RowTransform>();
  store.memtable_prefix_bloom_size_ratio = 0.05;
  store.write_buffer_size = static_cast<size_t>(options.write_buffer_bytes);
  store.max_write_buffer_number = 4;
  store.target_file_size_base = kFileBytes;
  store.level_compaction_dynamic_level_bytes = true;
  store.compression = rocksdb::kZSTD;
  store.compression_opts.level = 1;
  store.max_open_files = kMaxOpenFiles;
  store.max_background_jobs = std::max(2, DefaultThreadCount());
  store.bytes_per_sync = 1 << 20;
  // The end of the log may be half written; damage anywhere before it is an error, not a quiet loss.
  store.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  store.info_log_level = rocksdb::WARN_LEVEL;
  store.keep_log_file_num = 3;
  store.max_log_file_size = 4 << 20;
  return store;
}

// A filter with all that a scan of many rows needs worked out once.
class CellFilter {
 public:
  explicit CellFilter(const Filter& filter)
      : range(TimeRangeOf(filter)),
        cells_per_column(filter.cells_per_column > 0 ? static_cast<size_t>(filter.cells_per_column)
                                                     : std::numeric_limits<size_t>::max()),
        columns(SortedColumns(filter)) {
    for (const Column& column : columns) {
      column_suffixes.push_back(ColumnSuffix(column));
    }
    if (range.end > std::numeric_limits<int64_t>::min()) {
      AppendTime(range.end - 1, newest_time);
    }
  }
  [[nodiscard]] bool empty() const { return range.begin >= range.end; }

  const TimeRangeMs range;
  const size_t cells_per_column;
  const std::vector<Column> columns;
  std::vector<std::string> column_suffixes;
  std::string newest_time;  // the newest time let through, as the end of a key
};

// Walks over the cells of rows, forwards.
class CellCursor {
 public:
  explicit CellCursor(std::unique_ptr<rocksdb::Iterator> iterator) : iterator_(std::move(iterator)) {}

  [[nodiscard]] bool valid() const { return iterator_->Valid(); }
  [[nodiscard]] absl::string_view key() const { return ToView(iterator_->key()); }
  [[nodiscard]] absl::string_view value() const { return ToView(iterator_->value()); }

  void Seek(absl::string_view target) {
    iterator_->Seek(ToSlice(target));
    NoteStatus();
  }
  void Next() {
    iterator_->Next();
    NoteStatus();
  }
  // To the first key at or after `target`, which lies ahead: a few steps, and a seek if it is far.
  void AdvanceTo(absl::string_view target) {
    constexpr int kSteps = 4;
    for (int step = 0; step < kSteps && valid() && key() < target; ++step) {
      Next();
    }
    if (valid() && key() < target) {
      Seek(target);
    }
  }
  // The first error; seeks clear the iterator's own.
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  void NoteStatus() {
    if (!iterator_->Valid() && status_.ok()) {
      status_ = ToStatus(iterator_->status());
    }
  }

  std::unique_ptr<rocksdb::Iterator> iterator_;
  absl::Status status_;
};

void AddCell(const CellCursor& cursor, std::vector<Cell>& cells) {
  cells.push_back({absl::FromUnixMillis(TimeOfKey(cursor.key())), std::string(cursor.value())});
}

// Cells of one column; the cursor stands at or before the first that may match.
void ReadColumn(const CellFilter& filter, absl::string_view prefix, CellCursor& cursor, std::vector<Cell>& cells) {
  while (cursor.valid() && absl::StartsWith(cursor.key(), prefix) && TimeOfKey(cursor.key()) >= filter.range.begin) {
    AddCell(cursor, cells);
    if (cells.size() == filter.cells_per_column) {
      return;
    }
    cursor.Next();
  }
}

void ReadGivenColumns(const CellFilter& filter, absl::string_view row_prefix, CellCursor& cursor, Row& row) {
  std::string prefix;
  for (size_t i = 0; i < filter.columns.size(); ++i) {
    prefix.assign(row_prefix.data(), row_prefix.size());
    prefix += filter.column_suffixes[i];
    const size_t prefix_size = prefix.size();
    prefix += filter.newest_time;
    cursor.AdvanceTo(prefix);
    prefix.resize(prefix_size);
    std::vector<Cell> cells;
    ReadColumn(filter, prefix, cursor, cells);
    if (!cells.empty()) {
      row.cells.emplace_hint(row.cells.end(), filter.columns[i], std::move(cells));
    }
  }
}

absl::Status ReadAllColumns(const CellFilter& filter, absl::string_view row_prefix, CellCursor& cursor, Row& row) {
  while (cursor.valid() && absl::StartsWith(cursor.key(), row_prefix)) {
    const absl::string_view key = cursor.key();
    std::string prefix(key.substr(0, key.size() - kTimeBytes));
    Column column;
    CLEAVE_RETURN_IF_ERROR(DecodeColumnSuffix(absl::string_view(prefix).substr(row_prefix.size()), column));
    cursor.AdvanceTo(absl::StrCat(prefix, filter.newest_time));
    std::vector<Cell> cells;
    ReadColumn(filter, prefix, cursor, cells);
    if (!cells.empty()) {
      row.cells.emplace_hint(row.cells.end(), std::move(column), std::move(cells));
    }
    cursor.AdvanceTo(EndOfPrefix(std::move(prefix)));
  }
  return absl::OkStatus();
}

}  // namespace

class EmbeddedTable::Impl {
 public:
  Impl(std::unique_ptr<rocksdb::DB> store, std::string folder, Clock& clock)
      : store_(std::move(store)), folder_(std::move(folder)), clock_(clock) {}

  absl::StatusOr<std::vector<Row>> ReadRows(std::span<const std::string> keys, const Filter& filter) const;
  absl::StatusOr<std::vector<Row>> ReadRange(const RowRange& range, const Filter& filter, int64_t limit) const;
  absl::Status Apply(std::span<const RowMutation> mutations, bool is_durable);
  absl::StatusOr<std::vector<bool>> ApplyIfEach(std::span<const ConditionalMutation> mutations);
  absl::StatusOr<int64_t> Increment(absl::string_view key, const Column& column, int64_t delta);
  absl::Status Sync();
  absl::Status Compact();

 private:
  // The changes of one write, and the keys it has set so far: deleting a column must find these too.
  struct Batch {
    rocksdb::WriteBatch changes;
    bool notes_keys = false;
    std::set<std::string> set_keys;
  };

  [[nodiscard]] CellCursor RowCursor() const;
  [[nodiscard]] absl::Status ReadRowAt(const CellFilter& filter, CellCursor& cursor, Row& row) const;
  [[nodiscard]] absl::StatusOr<bool> IsMatched(const ConditionalMutation& mutation) const;
  [[nodiscard]] absl::Status Add(absl::string_view key, std::span<const Change> changes, absl::Time now, Batch& batch);
  [[nodiscard]] absl::Status AddDeletion(absl::string_view prefix, Batch& batch);
  [[nodiscard]] absl::Status Write(Batch& batch, bool is_durable);
  [[nodiscard]] absl::Status InFolder(const absl::Status& status) const { return Annotate(status, folder_); }

  const std::unique_ptr<rocksdb::DB> store_;
  const std::string folder_;
  Clock& clock_;
  RowLatches latches_;
  absl::Mutex sync_mutex_;
  std::atomic<bool> has_unsynced_ = false;
};

CellCursor EmbeddedTable::Impl::RowCursor() const {
  rocksdb::ReadOptions options;
  options.prefix_same_as_start = true;
  return CellCursor(std::unique_ptr<rocksdb::Iterator>(store_->NewIterator(options)));
}

absl::Status EmbeddedTable::Impl::ReadRowAt(const CellFilter& filter, CellCursor& cursor, Row& row) const {
  const std::string prefix = RowPrefix(row.key);
  if (filter.columns.empty()) {
    cursor.Seek(prefix);
    CLEAVE_RETURN_IF_ERROR(ReadAllColumns(filter, prefix, cursor, row));
  } else {
    cursor.Seek(absl::StrCat(prefix, filter.column_suffixes.front(), filter.newest_time));
    ReadGivenColumns(filter, prefix, cursor, row);
  }
  return cursor.status();
}

absl::StatusOr<std::vector<Row>> EmbeddedTable::Impl::ReadRows(std::span<const std::string> keys,
                                                               const Filter& filter) const {
  std::vector<Row> rows(keys.size());
  std::vector<size_t> order(keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Rows that lie together are read together.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return keys[a] < keys[b]; });
  const CellFilter cell_filter(filter);
  CellCursor cursor = RowCursor();
  for (const size_t i : order) {
    CLEAVE_RETURN_IF_ERROR(CheckKey(keys[i]));
    rows[i].key = keys[i];
    if (!cell_filter.empty()) {
      CLEAVE_RETURN_IF_ERROR(InFolder(ReadRowAt(cell_filter, cursor, rows[i])));
    }
  }
  return rows;
}

absl::StatusOr<std::vector<Row>> EmbeddedTable::Impl::ReadRange(const RowRange& range, const Filter& filter,
                                                                int64_t limit) const {
  const CellFilter cell_filter(filter);
  std::vector<Row> rows;
  if (cell_filter.empty() || (!range.end.empty() && range.end <= range.begin)) {
    return rows;
  }
  const std::string end = RowLowerBound(range.end);
  const rocksdb::Slice upper_bound = ToSlice(end);
  rocksdb::ReadOptions options;
  options.total_order_seek = true;
  options.iterate_upper_bound = range.end.empty() ? nullptr : &upper_bound;
  CellCursor cursor(std::unique_ptr<rocksdb::Iterator>(store_->NewIterator(options)));
  cursor.Seek(RowLowerBound(range.begin));
  while (cursor.valid() && (limit <= 0 || std::ssize(rows) < limit)) {
    const std::string prefix(cursor.key().substr(0, RowPrefixSize(cursor.key())));
    Row row;
    CLEAVE_RETURN_IF_ERROR(InFolder(DecodeRowPrefix(prefix, row.key)));
    if (cell_filter.columns.empty()) {
      CLEAVE_RETURN_IF_ERROR(InFolder(ReadAllColumns(cell_filter, prefix, cursor, row)));
    } else {
      ReadGivenColumns(cell_filter, prefix, cursor, row);
    }
    cursor.AdvanceTo(EndOfPrefix(prefix));
    if (!row.cells.empty()) {
      rows.push_back(std::move(row));
    }
  }
  CLEAVE_RETURN_IF_ERROR(InFolder(cursor.status()));
  return rows;
}

absl::Status EmbeddedTable::Impl::Apply(std::span<const RowMutation> mutations, bool is_durable) {
  CLEAVE_RETURN_IF_ERROR(CheckMutations(mutations));
  const auto reads_first = [](const Change& change) {
    const auto* const erase = std::get_if<DeleteCells>(&change);
    return std::holds_alternative<DeleteRow>(change) || (erase != nullptr && !erase->time);
  };
  RowLatches::Stripes stripes;
  Batch batch;
  for (const RowMutation& mutation : mutations) {
    RowLatches::Add(mutation.key, stripes);
    batch.notes_keys = batch.notes_keys || std::any_of(mutation.changes.begin(), mutation.changes.end(), reads_first);
  }
  const RowLatches::Hold hold(latches_, stripes,
                              batch.notes_keys ? RowLatches::Mode::kExclusive : RowLatches::Mode::kShared);
  const absl::Time now = clock_.Now();
  for (const RowMutation& mutation : mutations) {
    CLEAVE_RETURN_IF_ERROR(Add(mutation.key, mutation.changes, now, batch));
  }
  return Write(batch, is_durable);
}

absl::StatusOr<std::vector<bool>> EmbeddedTable::Impl::ApplyIfEach(std::span<const ConditionalMutation> mutations) {
  CLEAVE_RETURN_IF_ERROR(CheckConditionalMutations(mutations));
  RowLatches::Stripes stripes;
  for (const ConditionalMutation& mutation : mutations) {
    RowLatches::Add(mutation.key, stripes);
  }
  const RowLatches::Hold hold(latches_, stripes, RowLatches::Mode::kExclusive);
  const absl::Time now = clock_.Now();
  Batch batch;
  batch.notes_keys = true;
  std::vector<bool> matched;
  for (const ConditionalMutation& mutation : mutations) {
    CLEAVE_ASSIGN_OR_RETURN(const bool match, IsMatched(mutation));
    CLEAVE_RETURN_IF_ERROR(Add(mutation.key, match ? mutation.if_matched : mutation.if_not_matched, now, batch));
    matched.push_back(match);
  }
  CLEAVE_RETURN_IF_ERROR(Write(batch, true));
  return matched;
}

absl::StatusOr<bool> EmbeddedTable::Impl::IsMatched(const ConditionalMutation& mutation) const {
  for (const CellMatch& match : mutation.predicate) {
    const CellFilter filter(match.filter);
    CellCursor cursor = RowCursor();
    Row row{mutation.key, {}};
    if (!filter.empty()) {
      CLEAVE_RETURN_IF_ERROR(InFolder(ReadRowAt(filter, cursor, row)));
    }
    if (Matches(row.cells, match)) {
      return true;
    }
  }
  return false;
}

absl::StatusOr<int64_t> EmbeddedTable::Impl::Increment(absl::string_view key, const Column& column, int64_t delta) {
  CLEAVE_RETURN_IF_ERROR(CheckKey(key));
  RowLatches::Stripes stripes;
  RowLatches::Add(key, stripes);
  const RowLatches::Hold hold(latches_, stripes, RowLatches::Mode::kExclusive);
  const absl::Time now = clock_.Now();
  Row row{std::string(key), {}};
  CellCursor cursor = RowCursor();
  CLEAVE_RETURN_IF_ERROR(InFolder(ReadRowAt(CellFilter({.columns = {column}, .cells_per_column = 1}), cursor, row)));
  CLEAVE_ASSIGN_OR_RETURN(const CounterStep step, StepCounter(row, column, delta, now));
  CLEAVE_RETURN_IF_ERROR(CheckChanges(step.changes));
  Batch batch;
  CLEAVE_RETURN_IF_ERROR(Add(key, step.changes, now, batch));
  CLEAVE_RETURN_IF_ERROR(Write(batch, true));
  return step.sum;
}

absl::Status EmbeddedTable::Impl::Add(absl::string_view key, std::span<const Change> changes, absl::Time now,
                                      Batch& batch) {
  const std::string row_prefix = RowPrefix(key);
  for (const Change& change : changes) {
    if (std::holds_alternative<DeleteRow>(change)) {
      CLEAVE_RETURN_IF_ERROR(AddDeletion(row_prefix, batch));
      continue;
    }
    const auto* const set = std::get_if<SetCell>(&change);
    const auto* const erase = std::get_if<DeleteCells>(&change);
    std::string cell_key = absl::StrCat(row_prefix, ColumnSuffix(set != nullptr ? set->column : erase->column));
    if (set == nullptr && !erase->time) {
      CLEAVE_RETURN_IF_ERROR(AddDeletion(cell_key, batch));
      continue;
    }
    AppendTime(CellTimeMs(set != nullptr ? set->time : erase->time, now), cell_key);
    if (set == nullptr) {
      CLEAVE_RETURN_IF_ERROR(ToStatus(batch.changes.Delete(cell_key)));
      continue;
    }
    CLEAVE_RETURN_IF_ERROR(ToStatus(batch.changes.Put(cell_key, set->value)));
    if (batch.notes_keys) {
      batch.set_keys.insert(std::move(cell_key));
    }
  }
  return absl::OkStatus();
}

absl::Status EmbeddedTable::Impl::AddDeletion(absl::string_view prefix, Batch& batch) {
  CellCursor cursor = RowCursor();
  for (cursor.Seek(prefix); cursor.valid() && absl::StartsWith(cursor.key(), prefix); cursor.Next()) {
    CLEAVE_RETURN_IF_ERROR(ToStatus(batch.changes.Delete(ToSlice(cursor.key()))));
  }
  for (auto it = batch.set_keys.lower_bound(std::string(prefix));
       it != batch.set_keys.end() && absl::StartsWith(*it, prefix); ++it) {
    CLEAVE_RETURN_IF_ERROR(ToStatus(batch.changes.Delete(*it)));
  }
  return InFolder(cursor.status());
}

absl::Status EmbeddedTable::Impl::Write(Batch& batch, bool is_durable) {
  if (batch.changes.Count() == 0) {
    return absl::OkStatus();
  }
  rocksdb::WriteOptions options;
  options.sync = is_durable;
  options.disableWAL = !is_durable;
  const rocksdb::Status status = store_->Write(options, &batch.changes);
  if (!is_durable) {
    has_unsynced_ = true;
  }
  return InFolder(ToStatus(status));
}

absl::Status EmbeddedTable::Impl::Sync() {
  const absl::MutexLock lock(&sync_mutex_);  // who comes second waits until the first one's data is on disk
  if (!has_unsynced_.exchange(false)) {
    return absl::OkStatus();
  }
  const absl::Status status = InFolder(ToStatus(store_->Flush(rocksdb::FlushOptions())));
  if (!status.ok()) {
    has_unsynced_ = true;
  }
  return status;
}

absl::Status EmbeddedTable::Impl::Compact() {
  CLEAVE_RETURN_IF_ERROR(Sync());
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  return InFolder(ToStatus(store_->CompactRange(options, nullptr, nullptr)));
}

namespace {

// Looks at the folder before RocksDB does: RocksDB would create one, or say less clearly what is wrong.
absl::Status CheckFolder(const std::string& folder, const EmbeddedTableOptions& options) {
  std::error_code error;
  if (std::filesystem::exists(folder + "/CURRENT", error)) {
    return absl::OkStatus();
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, "MANIFEST-") || absl::EndsWith(name, ".sst")) {
      return absl::DataLossError(absl::StrCat(folder, "/CURRENT is missing, but other files of a table are there"));
    }
  }
  if (!options.create_if_missing) {
    return absl::FailedPreconditionError(absl::StrCat("there is no table in ", folder));
  }
  std::filesystem::create_directories(folder, error);
  return error ? absl::UnavailableError(absl::StrCat("cannot create ", folder, ": ", error.message()))
               : absl::OkStatus();
}

absl::Status OpenError(const rocksdb::Status& status, const std::string& folder) {
  const std::string message = status.ToString();
  if (status.IsIOError() && absl::StrContains(message, "/LOCK")) {
    return absl::UnavailableError(absl::StrCat(folder, ": project is in use by another process"));
  }
  if (status.IsCorruption() || status.IsPathNotFound() || status.IsInvalidArgument()) {
    return absl::DataLossError(absl::StrCat(folder, " is damaged: ", message));
  }
  return Annotate(ToStatus(status), folder);
}

// A new store gets the mark of this format; any other must have it.
absl::Status CheckFormat(rocksdb::DB& store, const std::string& folder, bool is_new) {
  std::string format;
  const rocksdb::Status status = store.Get({}, ToSlice(kFormatKey), &format);
  if (status.IsNotFound() && is_new) {
    rocksdb::WriteOptions options;
    options.sync = true;
    return Annotate(ToStatus(store.Put(options, ToSlice(kFormatKey), ToSlice(kFormat))), folder);
  }
  if (!status.ok() && !status.IsNotFound()) {
    return Annotate(ToStatus(status), folder);
  }
  if (format != kFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, " holds no table of format ", kFormat, " but \"", absl::CHexEscape(format), "\""));
  }
  return absl::OkStatus();
}

}  // namespace

EmbeddedTable::EmbeddedTable(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedTable::~EmbeddedTable() = default;

absl::StatusOr<std::unique_ptr<EmbeddedTable>> EmbeddedTable::Open(const std::string& folder,
                                                                   const EmbeddedTableOptions& options) {
  CLEAVE_RETURN_IF_ERROR(CheckFolder(folder, options));
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(StoreOptions(options), folder, &opened);
  std::unique_ptr<rocksdb::DB> store(opened);
  if (!status.ok()) {
    return OpenError(status, folder);
  }
  const bool is_new = store->GetLatestSequenceNumber() == 0;
  CLEAVE_RETURN_IF_ERROR(CheckFormat(*store, folder, is_new));
  return std::unique_ptr<EmbeddedTable>(
      new EmbeddedTable(std::make_unique<Impl>(std::move(store), folder, *options.clock)));
}

absl::StatusOr<std::vector<Row>> EmbeddedTable::ReadRows(std::span<const std::string> keys,
                                                         const Filter& filter) const {
  return impl_->ReadRows(keys, filter);
}
absl::StatusOr<std::vector<Row>> EmbeddedTable::ReadRange(const RowRange& range, const Filter& filter,
                                                          int64_t limit) const {
  return impl_->ReadRange(range, filter, limit);
}
absl::Status EmbeddedTable::Apply(std::span<const RowMutation> mutations) { return impl_->Apply(mutations, true); }
absl::Status EmbeddedTable::ApplyUnsynced(std::span<const RowMutation> mutations) {
  return impl_->Apply(mutations, false);
}
absl::StatusOr<bool> EmbeddedTable::ApplyIf(absl::string_view key, std::span<const CellMatch> predicate,
                                            std::span<const Change> if_matched,
                                            std::span<const Change> if_not_matched) {
  const ConditionalMutation mutation[] = {{std::string(key),
                                           {predicate.begin(), predicate.end()},
                                           {if_matched.begin(), if_matched.end()},
                                           {if_not_matched.begin(), if_not_matched.end()}}};
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<bool> matched, impl_->ApplyIfEach(mutation));
  return static_cast<bool>(matched.front());
}
absl::StatusOr<std::vector<bool>> EmbeddedTable::ApplyIfEach(std::span<const ConditionalMutation> mutations) {
  return impl_->ApplyIfEach(mutations);
}
absl::StatusOr<int64_t> EmbeddedTable::Increment(absl::string_view key, const Column& column, int64_t delta) {
  return impl_->Increment(key, column, delta);
}
absl::Status EmbeddedTable::Sync() { return impl_->Sync(); }
absl::Status EmbeddedTable::Compact() { return impl_->Compact(); }

}  // namespace cleave::table
