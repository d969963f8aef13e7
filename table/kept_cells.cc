#include "table/kept_cells.h"

#include <algorithm>
#include <new>
#include <type_traits>

#include "absl/hash/hash.h"

namespace cleave::table {

// Zeros from calloc are empty slots, and cost nothing until they are used.
KeptCells::KeptCells(size_t slots) : slot_count_(slots), slots_(static_cast<Slot*>(std::calloc(slots, sizeof(Slot)))) {
  static_assert(std::is_trivial_v<Slot>);
  if (slots_ == nullptr) {
    throw std::bad_alloc();
  }
}

KeptCells::~KeptCells() = default;

size_t KeptCells::PlaceOf(absl::string_view row) const { return absl::HashOf(row) % slot_count_; }

KeptCells::Ticket KeptCells::Begin() const {
  const uint64_t ended = ended_.load();
  const uint64_t begun = begun_.load();
  return {begun, begun == ended};
}

std::optional<KeptCells::Found> KeptCells::Find(absl::string_view row, uint64_t snapshot) const {
  const size_t place = PlaceOf(row);
  const std::lock_guard lock(LockOf(place));
  const Slot& slot = slots_[place];
  if (slot.key_bytes == 0 || slot.snapshot > snapshot || !Holds(slot, row)) {
    return std::nullopt;
  }
  return Found{slot.time_ms, slot.value};
}

void KeptCells::Keep(absl::string_view row, int64_t time_ms, absl::string_view value, const Ticket& ticket,
                     uint64_t snapshot) {
  if (!ticket.is_good || row.empty() || row.size() > kKeyBytesMax || value.size() != kValueBytes) {
    return;
  }
  const size_t place = PlaceOf(row);
  const std::lock_guard lock(LockOf(place));
  Slot& slot = slots_[place];
  if (begun_.load() != ticket.begun || (Holds(slot, row) && slot.snapshot <= snapshot)) {
    return;
  }
  slot.snapshot = snapshot;
  slot.time_ms = time_ms;
  std::ranges::copy(value, slot.value.begin());
  slot.key_bytes = static_cast<uint8_t>(row.size());
  std::ranges::copy(row, slot.key.begin());
}

KeptCells::Change::Change(KeptCells& cells, std::span<const std::string> rows) : cells_(cells) {
  ++cells_.begun_;
  for (const std::string& row : rows) {
    const size_t place = cells_.PlaceOf(row);
    const std::lock_guard lock(cells_.LockOf(place));
    if (Holds(cells_.slots_[place], row)) {
      cells_.slots_[place].key_bytes = 0;
    }
  }
}

KeptCells::Change::~Change() { ++cells_.ended_; }

}  // namespace cleave::table
