#include "table/embedded_newest.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "absl/strings/match.h"

#include "base/parallel.h"
#include "base/status.h"
#include "table/cell_map.h"
#include "table/embedded_cursor.h"
#include "table/embedded_key.h"

namespace cleave::table {
namespace {

constexpr size_t kDenseKeys = 64;      // from here on without bloom filters
constexpr size_t kPieceKeysMin = 256;  // of one thread at a time
constexpr size_t kPieceKeysMax = 1 << 14;
constexpr int kMostSteps = 32;

// Goes forwards from target to target.
class Walker {
 public:
  Walker(std::unique_ptr<rocksdb::Iterator> iterator, bool is_dense)
      : cursor_(std::move(iterator)), is_dense_(is_dense) {}

  // Stands at the first key at or after `target`, which is not before the last one.
  void Reach(absl::string_view target) {
    if (!is_dense_ || !started_) {
      started_ = true;
      cursor_.Seek(target);
      return;
    }
    int step = 0;
    while (step < steps_ && cursor_.valid() && cursor_.key() < target) {
      cursor_.Next();
      ++step;
    }
    if (cursor_.valid() && cursor_.key() < target) {
      cursor_.Seek(target);
      steps_ = std::max(1, steps_ / 2);
    } else if (step > 0) {
      steps_ = std::min(kMostSteps, steps_ * 2);
    }
  }
  [[nodiscard]] const CellCursor& cursor() const { return cursor_; }

 private:
  CellCursor cursor_;
  const bool is_dense_;
  bool started_ = false;
  int steps_ = 8;
};

// The indexes of `keys` in the order of the keys; empty when that is their order.
std::vector<size_t> SortedOrder(std::span<const std::string> keys) {
  std::vector<size_t> order;
  if (std::ranges::is_sorted(keys)) {
    return order;
  }
  order.resize(keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) -> const std::string& { return keys[i]; });
  return order;
}

struct NewestRead {
  rocksdb::DB& store;
  std::span<const std::string> keys;
  const std::vector<size_t>& order;
  const CellFilter& filter;
  const rocksdb::Snapshot* snapshot;
  CellVisitor visit;
};

absl::Status VisitPiece(const NewestRead& read, size_t begin, size_t end) {
  rocksdb::ReadOptions options;
  options.snapshot = read.snapshot;
  const bool is_dense = read.keys.size() >= kDenseKeys;
  options.total_order_seek = is_dense;
  options.prefix_same_as_start = !is_dense;
  Walker walker(std::unique_ptr<rocksdb::Iterator>(read.store.NewIterator(options)), is_dense);
  const std::string& suffix = read.filter.column_suffixes.front();
  std::string target;
  for (size_t place = begin; place < end; ++place) {
    const size_t index = read.order.empty() ? place : read.order[place];
    CLEAVE_RETURN_IF_ERROR(CheckKey(read.keys[index]));
    target.clear();
    AppendRowPrefix(read.keys[index], target);
    target += suffix;
    const size_t prefix_size = target.size();
    target += read.filter.newest_time;
    walker.Reach(target);
    const CellCursor& cursor = walker.cursor();
    if (cursor.valid() && absl::StartsWith(cursor.key(), absl::string_view(target).substr(0, prefix_size))) {
      CLEAVE_RETURN_IF_ERROR(read.visit({index, absl::FromUnixMillis(TimeOfKey(cursor.key())), cursor.value()}));
    }
  }
  return walker.cursor().status();
}

}  // namespace

absl::Status VisitNewestCells(rocksdb::DB& store, std::span<const std::string> keys, const Column& column,
                              absl::Time until, CellVisitor visit, const rocksdb::Snapshot* at) {
  const CellFilter filter({.columns = {column}, .end = until, .end_inclusive = true, .cells_per_column = 1});
  if (keys.empty() || filter.empty()) {
    return absl::OkStatus();
  }
  const std::vector<size_t> order = SortedOrder(keys);
  std::optional<HeldSnapshot> own;
  if (at == nullptr) {
    own.emplace(store);
  }
  const NewestRead read{store, keys, order, filter, at != nullptr ? at : own->get(), visit};
  const auto threads = static_cast<size_t>(DefaultThreadCount());
  const size_t piece_keys = std::clamp((keys.size() + threads - 1) / threads, kPieceKeysMin, kPieceKeysMax);
  if (keys.size() <= piece_keys) {
    return VisitPiece(read, 0, keys.size());
  }
  const size_t pieces = (keys.size() + piece_keys - 1) / piece_keys;
  return ParallelFor(static_cast<int64_t>(pieces), DefaultThreadCount(), [&](int64_t piece) {
    const size_t begin = static_cast<size_t>(piece) * piece_keys;
    return VisitPiece(read, begin, std::min(keys.size(), begin + piece_keys));
  });
}

}  // namespace cleave::table
