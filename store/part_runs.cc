#include "store/part_runs.h"

#include <algorithm>
#include <numeric>

namespace cleave::store {
namespace {

bool Joins(const PartRun& run, const Extent& part) {
  const uint64_t end = run.whole.offset + run.whole.length;
  return part.offset >= end && part.offset - end <= kMaxGapBytes &&
         part.offset - run.whole.offset + part.length <= kMaxRunBytes && run.parts.size() < kMaxRunParts;
}

}  // namespace

std::vector<PartRun> JoinNeighbours(std::span<const Extent> parts) {
  std::vector<size_t> order(parts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return parts[a].offset < parts[b].offset; });
  std::vector<PartRun> runs;
  for (const size_t i : order) {
    if (runs.empty() || !Joins(runs.back(), parts[i])) {
      runs.push_back({parts[i], {}});
    }
    PartRun& run = runs.back();
    run.whole.length = parts[i].offset + parts[i].length - run.whole.offset;
    run.parts.push_back(i);
  }
  return runs;
}

}  // namespace cleave::store
