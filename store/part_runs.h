// Parts of one value, joined so that few requests read them all.
#pragma once

#include <span>
#include <vector>

#include "store/store.h"

namespace cleave::store {

// Some parts that one request reads: they follow one another without overlap, with small gaps at most.
struct PartRun {
  Extent whole;               // from the first byte of the first to the last of the last
  std::vector<size_t> parts;  // positions in the list, by offset
};

// Reading up to this many bytes for nothing is cheaper than another request.
inline constexpr uint64_t kMaxGapBytes = 4096;
// A run ends when it would become longer than this, or have more parts than one system call takes.
inline constexpr uint64_t kMaxRunBytes = uint64_t{16} << 20;
inline constexpr size_t kMaxRunParts = 256;

// Every part is in one run. A part of its own is never split, however long it is.
[[nodiscard]] std::vector<PartRun> JoinNeighbours(std::span<const Extent> parts);

}  // namespace cleave::store
