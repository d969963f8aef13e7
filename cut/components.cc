// Connected components by runs.
//
// 1. Each row (fixed y, z) is cut into runs of equal nonzero labels. A run gets a provisional number, written into its
//    voxels, and a set of its own in the union-find.
// 2. A run is joined with the runs of the same label that it touches in the four neighbour rows already seen:
//    (y-1, z) and (y-1 .. y+1, z-1). Touching under 26-connectivity means that the runs overlap when one of them is
//    lengthened by one voxel at both ends. Both lists are in ascending order, so one sweep finds all pairs.
// 3. Sets are represented by their smallest, that is their first, run. Numbering the representatives in ascending order
//    numbers the components by first appearance; a second pass writes these numbers over the provisional ones.
// Working by runs instead of by voxels makes the union-find's share of the time vanish: a run costs what a voxel would.
#include "cut/components.h"

#include <cassert>
#include <cstddef>
#include <vector>

#include "cut/disjoint_sets.h"

namespace cleave::cut {
namespace {

template <typename Label>
struct Run {
  int32_t begin;
  int32_t end;
  uint32_t number;
  Label label;
};

// The runs of one slice, row by row.
template <typename Label>
struct Slice {
  std::vector<Run<Label>> runs;
  std::vector<size_t> row_begin;  // rows + 1 entries once the slice is whole

  void Clear() {
    runs.clear();
    row_begin.assign(1, 0);
  }
  [[nodiscard]] const Run<Label>* RowBegin(int64_t y) const { return runs.data() + row_begin[y]; }
  [[nodiscard]] const Run<Label>* RowEnd(int64_t y) const { return runs.data() + row_begin[y + 1]; }
};

// Appends the runs of one row and writes their provisional numbers.
template <typename Label>
void FindRuns(const Label* labels, int64_t length, uint32_t* numbers, Slice<Label>& slice, DisjointSets& sets) {
  int64_t x = 0;
  while (x < length) {
    const Label label = labels[x];
    const int64_t begin = x;
    do {
      ++x;
    } while (x < length && labels[x] == label);
    const uint32_t number = label == 0 ? 0 : sets.Add();
    for (int64_t i = begin; i < x; ++i) {
      numbers[i] = number;
    }
    if (label != 0) {
      slice.runs.push_back({static_cast<int32_t>(begin), static_cast<int32_t>(x), number, label});
    }
  }
}

// Joins every run of [a, a_end) with those of [b, b_end) that have its label and touch it.
template <typename Label>
void JoinRows(const Run<Label>* a, const Run<Label>* a_end, const Run<Label>* b, const Run<Label>* b_end,
              DisjointSets& sets) {
  for (; a != a_end; ++a) {
    while (b != b_end && b->end < a->begin) {
      ++b;
    }
    for (const Run<Label>* touching = b; touching != b_end && touching->begin <= a->end; ++touching) {
      if (touching->label == a->label) {
        sets.Join(a->number, touching->number);
      }
    }
  }
}

// Turns provisional numbers into final ones. Returns the table and the count of components.
std::vector<uint32_t> FinalNumbers(DisjointSets& sets, uint32_t& count) {
  std::vector<uint32_t> final_number(sets.size(), 0);
  count = 0;
  for (uint32_t i = 1; i < sets.size(); ++i) {
    const uint32_t first = sets.Find(i);
    final_number[i] = first == i ? ++count : final_number[first];
  }
  return final_number;
}

}  // namespace

template <typename Label>
uint32_t LabelComponents(ArrayView3<const Label> labels, ArrayView3<uint32_t> components) {
  const Extent3 extent = labels.extent();
  assert(components.extent() == extent);
  assert(extent.x < (int64_t{1} << 31));
  DisjointSets sets(1);  // number 0 is the background
  Slice<Label> below;
  Slice<Label> slice;
  for (int64_t z = 0; z < extent.z; ++z) {
    std::swap(below, slice);
    slice.Clear();
    for (int64_t y = 0; y < extent.y; ++y) {
      FindRuns(labels.Row(y, z), extent.x, components.Row(y, z), slice, sets);
      slice.row_begin.push_back(slice.runs.size());
      const Run<Label>* begin = slice.RowBegin(y);
      const Run<Label>* end = slice.RowEnd(y);
      if (begin == end) {
        continue;
      }
      if (y > 0) {
        JoinRows(begin, end, slice.RowBegin(y - 1), slice.RowEnd(y - 1), sets);
      }
      if (z > 0) {
        for (int64_t other = y > 0 ? y - 1 : 0; other < extent.y && other <= y + 1; ++other) {
          JoinRows(begin, end, below.RowBegin(other), below.RowEnd(other), sets);
        }
      }
    }
  }
  uint32_t count = 0;
  const std::vector<uint32_t> final_number = FinalNumbers(sets, count);
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      uint32_t* row = components.Row(y, z);
      for (int64_t x = 0; x < extent.x; ++x) {
        row[x] = final_number[row[x]];
      }
    }
  }
  return count;
}

template uint32_t LabelComponents(ArrayView3<const uint8_t>, ArrayView3<uint32_t>);
template uint32_t LabelComponents(ArrayView3<const uint32_t>, ArrayView3<uint32_t>);
template uint32_t LabelComponents(ArrayView3<const uint64_t>, ArrayView3<uint32_t>);

}  // namespace cleave::cut
