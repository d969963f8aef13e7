// The newest cells of one column, kept in memory for those who ask about the same rows again and again: the parents of
// nodes, which every look-up of roots reads, layer by layer. Only for sources of the embedded engine.
//
// What is found is what the store holds at the reader's instant, always. For that:
//
//   1. A writer counts itself as begun, then drops the rows it will change, then writes, then counts itself as ended.
//   2. A reader takes a ticket, then a snapshot of the store. The ticket is good if no write was under way, that is, if
//   as
//      many had ended as had begun, with the ended ones looked at first.
//   3. What the reader found in its snapshot is kept, with the snapshot's number, only if its ticket is good and still
//   no
//      write has begun since. That is looked at under the lock of the slot, under which writers drop, too: a write that
//      begins a moment later finds the cell and drops it.
//   4. So a kept cell is the newest from the snapshot it was read in until now. A reader takes it if its own snapshot
//   is
//      not older than that.
//
// There is one slot for each value of a hash; the newer of two cells that share one replaces the other.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace cleave::table {

// Thread-safe.
class KeptCells {
 public:
  static constexpr size_t kKeyBytesMax = 23;
  static constexpr size_t kValueBytes = 8;
  using Value = std::array<char, kValueBytes>;

  // Says when a reader began. Taken before the reader's snapshot.
  struct Ticket {
    uint64_t begun = 0;
    bool is_good = false;
  };
  struct Found {
    int64_t time_ms = 0;
    Value value{};
  };

  // Memory is taken as slots are used, 56 bytes each. REQUIRES: slots > 0.
  explicit KeptCells(size_t slots);
  ~KeptCells();

  [[nodiscard]] Ticket Begin() const;
  // The newest cell of the row at the instant of the snapshot with this sequence number, if it is kept.
  [[nodiscard]] std::optional<Found> Find(absl::string_view row, uint64_t snapshot) const;
  // Keeps what a reader found to be the newest cell, if that is sure to be true. Other keys and values than those of
  // the sizes above are not kept.
  void Keep(absl::string_view row, int64_t time_ms, absl::string_view value, const Ticket& ticket, uint64_t snapshot);

  // Held around a write to these rows.
  class Change {
   public:
    Change(KeptCells& cells, std::span<const std::string> rows);
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;
    ~Change();

   private:
    KeptCells& cells_;
  };

 private:
  struct Slot {
    uint64_t snapshot;
    int64_t time_ms;
    Value value;
    uint8_t key_bytes;  // 0: empty
    std::array<char, kKeyBytesMax> key;
  };
  struct Freed {
    void operator()(Slot* slots) const { std::free(slots); }
  };
  static constexpr size_t kLocks = 256;

  [[nodiscard]] size_t PlaceOf(absl::string_view row) const;
  [[nodiscard]] std::mutex& LockOf(size_t place) const { return locks_[place % kLocks]; }
  static bool Holds(const Slot& slot, absl::string_view row) {
    return absl::string_view(slot.key.data(), slot.key_bytes) == row;
  }

  const size_t slot_count_;
  const std::unique_ptr<Slot[], Freed> slots_;  // each under its lock
  mutable std::array<std::mutex, kLocks> locks_;
  std::atomic<uint64_t> begun_ = 0;
  std::atomic<uint64_t> ended_ = 0;
};

}  // namespace cleave::table
