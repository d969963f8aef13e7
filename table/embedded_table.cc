// How the embedded engine works:
//   1. Each cell is one entry of an ordered store (RocksDB); embedded_key.h says how its address becomes the key. The
//      cells of a row lie together, those of a column newest first, so "the newest cell before T" is one seek.
//   2. Bloom filters know which files hold cells of a row; a row that is nowhere costs no read.
//   3. A write becomes one atomic batch. Deleting all cells of a column or row means looking up their keys first, so
//      such writes, like conditional ones and increments, exclude other writers of their rows (row_latches.h).
//   4. Durable writes are in the write-ahead log, synced, when they return; writers that meet share one sync. Ordered
//      writes are in the log, and a later sync of it covers them: the log is read up to its first damage, so what is
//      lost is its end. Bulk writes skip the log, and Sync turns them into sorted files.
#include "table/embedded_table.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include <rocksdb/db.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include "base/cache_tally.h"
#include "base/status.h"
#include "table/cell_map.h"
#include "table/embedded_cursor.h"
#include "table/embedded_key.h"
#include "table/embedded_newest.h"
#include "table/embedded_store.h"
#include "table/kept_cells.h"
#include "table/row_latches.h"

namespace cleave::table {

// What readers see. The ticket is taken first, as kept_cells.h wants it.
struct TableInstant {
  TableInstant(const std::optional<KeptCells>& kept, rocksdb::DB& store)
      : ticket(kept.has_value() ? kept->Begin() : KeptCells::Ticket()), snapshot(store) {}
  const KeptCells::Ticket ticket;
  const HeldSnapshot snapshot;
};

static const rocksdb::Snapshot* SnapshotOf(const TableInstant* at) {
  return at == nullptr ? nullptr : at->snapshot.get();
}

// When a write is on disk: when it returns, with the next such write, or after the next Sync.
enum class Durability { kSynced, kOrdered, kBulk };

class EmbeddedTable::Impl {
 public:
  Impl(std::unique_ptr<rocksdb::DB> store, std::string folder, const EmbeddedTableOptions& options)
      : store_(std::move(store)), folder_(std::move(folder)), options_(options), clock_(*options.clock) {
    if (options_.kept_column.has_value()) {
      kept_.emplace(options_.kept_cells);
    }
  }

  // All three of one instant: that of `at`, or without one each call's own.
  absl::StatusOr<std::vector<Row>> ReadRows(std::span<const std::string> keys, const Filter& filter,
                                            const TableInstant* at = nullptr) const;
  absl::StatusOr<std::vector<Row>> ReadRange(const RowRange& range, const Filter& filter, int64_t limit,
                                             const TableInstant* at = nullptr) const;
  absl::Status VisitNewest(std::span<const std::string> keys, const Column& column, absl::Time until, CellVisitor visit,
                           const TableInstant* at = nullptr) const;
  [[nodiscard]] std::unique_ptr<TableReader> Snapshot() const { return std::make_unique<HeldReader>(*this); }
  absl::Status Apply(std::span<const RowMutation> mutations, Durability durability);
  absl::StatusOr<std::vector<bool>> ApplyIfEach(std::span<const ConditionalMutation> mutations, Durability durability);
  absl::StatusOr<bool> ApplyIf(absl::string_view key, std::span<const CellMatch> predicate,
                               std::span<const Change> if_matched, std::span<const Change> if_not_matched,
                               Durability durability);
  absl::StatusOr<int64_t> Increment(absl::string_view key, const Column& column, int64_t delta, Durability durability);
  absl::Status Sync();
  absl::Status CopyTo(const std::string& folder);
  absl::Status Compact();
  Table& ordered() { return ordered_; }

 private:
  class OrderedView final : public Table {
   public:
    explicit OrderedView(Impl& impl) : impl_(impl) {}
    [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRows(std::span<const std::string> keys,
                                                            const Filter& filter) const override {
      return impl_.ReadRows(keys, filter);
    }
    [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRange(const RowRange& range, const Filter& filter,
                                                             int64_t limit) const override {
      return impl_.ReadRange(range, filter, limit);
    }
    [[nodiscard]] absl::Status VisitNewest(std::span<const std::string> keys, const Column& column, absl::Time until,
                                           CellVisitor visit) const override {
      return impl_.VisitNewest(keys, column, until, visit);
    }
    [[nodiscard]] absl::Status Apply(std::span<const RowMutation> mutations) override {
      return impl_.Apply(mutations, Durability::kOrdered);
    }
    [[nodiscard]] bool atomic_batches() const override { return true; }
    [[nodiscard]] absl::StatusOr<bool> ApplyIf(absl::string_view key, std::span<const CellMatch> predicate,
                                               std::span<const Change> if_matched,
                                               std::span<const Change> if_not_matched) override {
      return impl_.ApplyIf(key, predicate, if_matched, if_not_matched, Durability::kOrdered);
    }
    [[nodiscard]] absl::StatusOr<std::vector<bool>> ApplyIfEach(
        std::span<const ConditionalMutation> mutations) override {
      return impl_.ApplyIfEach(mutations, Durability::kOrdered);
    }
    [[nodiscard]] absl::StatusOr<int64_t> Increment(absl::string_view key, const Column& column,
                                                    int64_t delta) override {
      return impl_.Increment(key, column, delta, Durability::kOrdered);
    }

   private:
    Impl& impl_;
  };

  class HeldReader final : public TableReader {
   public:
    explicit HeldReader(const Impl& impl) : impl_(impl), at_(impl.kept_, *impl.store_) {}
    [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRows(std::span<const std::string> keys,
                                                            const Filter& filter) const override {
      return impl_.ReadRows(keys, filter, &at_);
    }
    [[nodiscard]] absl::StatusOr<std::vector<Row>> ReadRange(const RowRange& range, const Filter& filter,
                                                             int64_t limit) const override {
      return impl_.ReadRange(range, filter, limit, &at_);
    }
    [[nodiscard]] absl::Status VisitNewest(std::span<const std::string> keys, const Column& column, absl::Time until,
                                           CellVisitor visit) const override {
      return impl_.VisitNewest(keys, column, until, visit, &at_);
    }

   private:
    const Impl& impl_;
    const TableInstant at_;
  };

  // The changes of one write, and the keys it has set so far: deleting a column must find these too.
  struct Batch {
    rocksdb::WriteBatch changes;
    bool notes_keys = false;
    std::set<std::string> set_keys;
    std::vector<std::string> kept_rows;  // whose cells of the kept column may change
  };

  [[nodiscard]] CellCursor RowCursor(const TableInstant* at = nullptr) const;
  [[nodiscard]] absl::Status ReadRowAt(const CellFilter& filter, CellCursor& cursor, Row& row) const;
  [[nodiscard]] absl::StatusOr<bool> IsMatched(const ConditionalMutation& mutation) const;
  [[nodiscard]] absl::Status Add(absl::string_view key, std::span<const Change> changes, absl::Time now, Batch& batch);
  [[nodiscard]] absl::Status AddDeletion(absl::string_view prefix, Batch& batch);
  [[nodiscard]] absl::Status Write(Batch& batch, Durability durability);
  [[nodiscard]] bool MayChangeKept(const Change& change) const;
  [[nodiscard]] absl::Status InFolder(const absl::Status& status) const { return Annotate(status, folder_); }

  const std::unique_ptr<rocksdb::DB> store_;
  const std::string folder_;
  const EmbeddedTableOptions options_;
  Clock& clock_;
  mutable std::optional<KeptCells> kept_;
  RowLatches latches_;
  absl::Mutex sync_mutex_;
  std::atomic<bool> has_unsynced_ = false;
  OrderedView ordered_{*this};
};

CellCursor EmbeddedTable::Impl::RowCursor(const TableInstant* at) const {
  rocksdb::ReadOptions options;
  options.snapshot = SnapshotOf(at);
  options.prefix_same_as_start = true;
  return CellCursor(std::unique_ptr<rocksdb::Iterator>(store_->NewIterator(options)));
}

absl::Status EmbeddedTable::Impl::ReadRowAt(const CellFilter& filter, CellCursor& cursor, Row& row) const {
  const std::string prefix = RowPrefix(row.key);
  if (filter.columns.empty()) {
    cursor.Seek(prefix);
  } else {
    cursor.Seek(absl::StrCat(prefix, filter.column_suffixes.front(), filter.newest_time));
  }
  CLEAVE_RETURN_IF_ERROR(ReadCells(filter, prefix, cursor, row));
  return cursor.status();
}

absl::StatusOr<std::vector<Row>> EmbeddedTable::Impl::ReadRows(std::span<const std::string> keys, const Filter& filter,
                                                               const TableInstant* at) const {
  std::vector<Row> rows(keys.size());
  std::vector<size_t> order(keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Rows that lie together are read together.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return keys[a] < keys[b]; });
  const CellFilter cell_filter(filter);
  CellCursor cursor = RowCursor(at);
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
                                                                int64_t limit, const TableInstant* at) const {
  const CellFilter cell_filter(filter);
  std::vector<Row> rows;
  if (cell_filter.empty() || (!range.end.empty() && range.end <= range.begin)) {
    return rows;
  }
  const std::string end = RowLowerBound(range.end);
  const rocksdb::Slice upper_bound = ToSlice(end);
  rocksdb::ReadOptions options;
  options.snapshot = SnapshotOf(at);
  options.total_order_seek = true;
  options.iterate_upper_bound = range.end.empty() ? nullptr : &upper_bound;
  CellCursor cursor(std::unique_ptr<rocksdb::Iterator>(store_->NewIterator(options)));
  cursor.Seek(RowLowerBound(range.begin));
  while (cursor.valid() && (limit <= 0 || std::ssize(rows) < limit)) {
    const std::string prefix(cursor.key().substr(0, RowPrefixSize(cursor.key())));
    Row row;
    CLEAVE_RETURN_IF_ERROR(InFolder(DecodeRowPrefix(prefix, row.key)));
    CLEAVE_RETURN_IF_ERROR(InFolder(ReadCells(cell_filter, prefix, cursor, row)));
    cursor.AdvanceTo(EndOfPrefix(prefix));
    if (!row.cells.empty()) {
      rows.push_back(std::move(row));
    }
  }
  CLEAVE_RETURN_IF_ERROR(InFolder(cursor.status()));
  return rows;
}

// Rows whose cell is kept are visited first, the others as the store has them.
absl::Status EmbeddedTable::Impl::VisitNewest(std::span<const std::string> keys, const Column& column, absl::Time until,
                                              CellVisitor visit, const TableInstant* at) const {
  if (!kept_.has_value() || column != *options_.kept_column || keys.size() > options_.kept_read_rows_max) {
    return InFolder(VisitNewestCells(*store_, keys, column, until, visit, SnapshotOf(at)));
  }
  std::optional<TableInstant> own;
  if (at == nullptr) {
    at = &own.emplace(kept_, *store_);
  }
  const uint64_t number = at->snapshot.get()->GetSequenceNumber();
  const int64_t until_ms = absl::ToUnixMillis(until);
  std::vector<std::string> others;
  std::vector<size_t> places;
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::optional<KeptCells::Found> found = kept_->Find(keys[i], number);
    if (found.has_value() && found->time_ms <= until_ms) {
      CLEAVE_RETURN_IF_ERROR(
          visit({i, absl::FromUnixMillis(found->time_ms), {found->value.data(), found->value.size()}}));
    } else {
      others.push_back(keys[i]);
      places.push_back(i);
    }
  }
  CountsOf(Cache::kParents).hits += std::ssize(keys) - std::ssize(others);
  CountsOf(Cache::kParents).misses += std::ssize(others);
  const bool is_newest = until == absl::InfiniteFuture();
  const auto keep_and_visit = [&](const FoundCell& cell) {
    if (is_newest) {
      kept_->Keep(others[cell.index], absl::ToUnixMillis(cell.time), cell.value, at->ticket, number);
    }
    return visit({places[cell.index], cell.time, cell.value});
  };
  return InFolder(VisitNewestCells(*store_, others, column, until, keep_and_visit, at->snapshot.get()));
}

absl::Status EmbeddedTable::Impl::Apply(std::span<const RowMutation> mutations, Durability durability) {
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
  return Write(batch, durability);
}

absl::StatusOr<bool> EmbeddedTable::Impl::ApplyIf(absl::string_view key, std::span<const CellMatch> predicate,
                                                  std::span<const Change> if_matched,
                                                  std::span<const Change> if_not_matched, Durability durability) {
  const ConditionalMutation mutation[] = {{std::string(key),
                                           {predicate.begin(), predicate.end()},
                                           {if_matched.begin(), if_matched.end()},
                                           {if_not_matched.begin(), if_not_matched.end()}}};
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<bool> matched, ApplyIfEach(mutation, durability));
  return static_cast<bool>(matched.front());
}

absl::StatusOr<std::vector<bool>> EmbeddedTable::Impl::ApplyIfEach(std::span<const ConditionalMutation> mutations,
                                                                   Durability durability) {
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
  CLEAVE_RETURN_IF_ERROR(Write(batch, durability));
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

absl::StatusOr<int64_t> EmbeddedTable::Impl::Increment(absl::string_view key, const Column& column, int64_t delta,
                                                       Durability durability) {
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
  CLEAVE_RETURN_IF_ERROR(Write(batch, durability));
  return step.sum;
}

absl::Status EmbeddedTable::Impl::Add(absl::string_view key, std::span<const Change> changes, absl::Time now,
                                      Batch& batch) {
  const std::string row_prefix = RowPrefix(key);
  if (std::ranges::any_of(changes, [&](const Change& change) { return MayChangeKept(change); })) {
    batch.kept_rows.emplace_back(key);
  }
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

bool EmbeddedTable::Impl::MayChangeKept(const Change& change) const {
  if (!kept_.has_value()) {
    return false;
  }
  const auto* const set = std::get_if<SetCell>(&change);
  const auto* const erase = std::get_if<DeleteCells>(&change);
  return std::holds_alternative<DeleteRow>(change) ||
         (set != nullptr ? set->column : erase->column) == *options_.kept_column;
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

absl::Status EmbeddedTable::Impl::Write(Batch& batch, Durability durability) {
  if (batch.changes.Count() == 0) {
    return absl::OkStatus();
  }
  rocksdb::WriteOptions options;
  options.sync = durability == Durability::kSynced;
  options.disableWAL = durability == Durability::kBulk;
  std::optional<KeptCells::Change> change;
  if (!batch.kept_rows.empty()) {
    change.emplace(*kept_, batch.kept_rows);
  }
  const rocksdb::Status status = store_->Write(options, &batch.changes);
  change.reset();
  if (durability != Durability::kSynced) {
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

absl::Status EmbeddedTable::Impl::CopyTo(const std::string& folder) {
  CLEAVE_RETURN_IF_ERROR(Sync());
  rocksdb::Checkpoint* made = nullptr;
  CLEAVE_RETURN_IF_ERROR(InFolder(ToStatus(rocksdb::Checkpoint::Create(store_.get(), &made))));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  return InFolder(ToStatus(checkpoint->CreateCheckpoint(folder)));
}

absl::Status EmbeddedTable::Impl::Compact() {
  CLEAVE_RETURN_IF_ERROR(Sync());
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  return InFolder(ToStatus(store_->CompactRange(options, nullptr, nullptr)));
}

EmbeddedTable::EmbeddedTable(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedTable::~EmbeddedTable() = default;

absl::StatusOr<std::unique_ptr<EmbeddedTable>> EmbeddedTable::Open(const std::string& folder,
                                                                   const EmbeddedTableOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<rocksdb::DB> store, OpenStore(folder, options));
  return std::unique_ptr<EmbeddedTable>(new EmbeddedTable(std::make_unique<Impl>(std::move(store), folder, options)));
}

absl::StatusOr<std::vector<Row>> EmbeddedTable::ReadRows(std::span<const std::string> keys,
                                                         const Filter& filter) const {
  return impl_->ReadRows(keys, filter);
}
absl::StatusOr<std::vector<Row>> EmbeddedTable::ReadRange(const RowRange& range, const Filter& filter,
                                                          int64_t limit) const {
  return impl_->ReadRange(range, filter, limit);
}
absl::Status EmbeddedTable::VisitNewest(std::span<const std::string> keys, const Column& column, absl::Time until,
                                        CellVisitor visit) const {
  return impl_->VisitNewest(keys, column, until, visit);
}
absl::Status EmbeddedTable::Apply(std::span<const RowMutation> mutations) {
  return impl_->Apply(mutations, Durability::kSynced);
}
absl::Status EmbeddedTable::ApplyUnsynced(std::span<const RowMutation> mutations) {
  return impl_->Apply(mutations, Durability::kBulk);
}
absl::StatusOr<bool> EmbeddedTable::ApplyIf(absl::string_view key, std::span<const CellMatch> predicate,
                                            std::span<const Change> if_matched,
                                            std::span<const Change> if_not_matched) {
  return impl_->ApplyIf(key, predicate, if_matched, if_not_matched, Durability::kSynced);
}
absl::StatusOr<std::vector<bool>> EmbeddedTable::ApplyIfEach(std::span<const ConditionalMutation> mutations) {
  return impl_->ApplyIfEach(mutations, Durability::kSynced);
}
absl::StatusOr<int64_t> EmbeddedTable::Increment(absl::string_view key, const Column& column, int64_t delta) {
  return impl_->Increment(key, column, delta, Durability::kSynced);
}
std::unique_ptr<TableReader> EmbeddedTable::Snapshot() const { return impl_->Snapshot(); }
Table& EmbeddedTable::ordered() { return impl_->ordered(); }
absl::Status EmbeddedTable::Sync() { return impl_->Sync(); }
absl::Status EmbeddedTable::CopyTo(const std::string& folder) { return impl_->CopyTo(folder); }
absl::Status EmbeddedTable::Compact() { return impl_->Compact(); }

}  // namespace cleave::table
