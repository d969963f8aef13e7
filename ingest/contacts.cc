#include "ingest/contacts.h"

#include <algorithm>
#include <utility>

namespace cleave::ingest {
namespace {

constexpr int64_t kStride = 16;  // voxels compared at a time

// Whether two pieces of kStride voxels are equal. Without a branch per voxel the compiler compares whole registers.
template <typename Label>
bool Equal(const Label* a, const Label* b) {
  Label difference = 0;
  for (int64_t i = 0; i < kStride; ++i) {
    difference |= a[i] ^ b[i];
  }
  return difference == 0;
}

}  // namespace

double FaceCounts::AreaUm2(const VoxelSizeNm& voxel_size_nm) const {
  const double nm2 = static_cast<double>(by_axis[0]) * voxel_size_nm.y * voxel_size_nm.z +
                     static_cast<double>(by_axis[1]) * voxel_size_nm.x * voxel_size_nm.z +
                     static_cast<double>(by_axis[2]) * voxel_size_nm.x * voxel_size_nm.y;
  return nm2 * 1e-6;
}

template <typename Label>
void ContactCounter<Label>::Add(LabelPair<Label> pair, int axis) {
  if (pair.b < pair.a) {
    std::swap(pair.a, pair.b);
  }
  if (pair != last_ || contacts_.empty()) {
    const auto [entry, inserted] = index_of_.try_emplace(pair, contacts_.size());
    if (inserted) {
      contacts_.push_back({pair, {}});
    }
    last_ = pair;
    last_index_ = entry->second;
  }
  ++contacts_[last_index_].faces.by_axis[static_cast<size_t>(axis)];
}

template <typename Label>
void ContactCounter<Label>::AddRows(int axis, const Label* a, const Label* b, int64_t count) {
  int64_t begin = 0;
  while (begin < count) {
    if (begin + kStride <= count && Equal(a + begin, b + begin)) {
      begin += kStride;
      continue;
    }
    const int64_t end = std::min(begin + kStride, count);
    for (; begin < end; ++begin) {
      if (a[begin] != b[begin] && a[begin] != 0 && b[begin] != 0) {
        Add({a[begin], b[begin]}, axis);
      }
    }
  }
}

template <typename Label>
void ContactCounter<Label>::AddInside(ArrayView3<const Label> labels) {
  const Extent3 extent = labels.extent();
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      const Label* row = labels.Row(y, z);
      AddRows(0, row, row + 1, extent.x - 1);
      if (y > 0) {
        AddRows(1, labels.Row(y - 1, z), row, extent.x);
      }
      if (z > 0) {
        AddRows(2, labels.Row(y, z - 1), row, extent.x);
      }
    }
  }
}

template <typename Label>
std::vector<Contact<Label>> ContactCounter<Label>::Take() {
  std::vector<Contact<Label>> contacts = std::exchange(contacts_, {});
  index_of_.clear();
  std::ranges::sort(contacts, {}, &Contact<Label>::pair);
  return contacts;
}

template class ContactCounter<uint32_t>;
template class ContactCounter<uint64_t>;

}  // namespace cleave::ingest
