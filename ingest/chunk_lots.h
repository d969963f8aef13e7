// The chunks of a volume in lots: what one job of an ingest does.
#pragma once

#include <cstdint>
#include <vector>

#include "base/geometry.h"
#include "graph/ids.h"

namespace cleave::ingest {

// Not more jobs than this in one queue: the last step of a fill holds a block of each part (ocdbt/fill.h).
inline constexpr int64_t kJobsMax = 2048;

// All items (chunks or blocks), in order, `size` of them in each lot but the last.
struct Lots {
  int64_t items = 0;
  int64_t size = 1;

  [[nodiscard]] int64_t count() const { return (items + size - 1) / size; }
  [[nodiscard]] int64_t begin(int64_t lot) const { return lot * size; }
  [[nodiscard]] int64_t end(int64_t lot) const { return lot + 1 == count() ? items : (lot + 1) * size; }
};

inline constexpr char kUnitOfChunks[] = "chunks";
inline constexpr char kUnitOfBlocks[] = "blocks";

// Lots of L2 chunks, x fastest. `chunks_per_job` 0: so many that a lot has about 16 million voxels.
class ChunkLots {
 public:
  ChunkLots(const graph::IdLayout& layout, int64_t chunks_per_job);
  [[nodiscard]] const Lots& lots() const { return lots_; }
  [[nodiscard]] ChunkPoint Chunk(int64_t index) const;
  [[nodiscard]] std::vector<ChunkPoint> ChunksOf(int64_t lot) const;
  [[nodiscard]] int64_t IndexOf(ChunkPoint chunk) const;

 private:
  ChunkPoint lattice_;
  Lots lots_;
};

}  // namespace cleave::ingest
