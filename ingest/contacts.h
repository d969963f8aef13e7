// Which labels touch, and over how large an area.
//
// Two voxels touch when they share a face (6-adjacency). Background (0) touches nothing.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "base/array.h"
#include "base/geometry.h"

namespace cleave::ingest {

// Voxel faces between two labels, by the axis that is normal to the face.
struct FaceCounts {
  std::array<int64_t, 3> by_axis = {0, 0, 0};

  [[nodiscard]] int64_t Total() const { return by_axis[0] + by_axis[1] + by_axis[2]; }
  // The area of these faces in square micrometres.
  [[nodiscard]] double AreaUm2(const VoxelSizeNm& voxel_size_nm) const;
  friend bool operator==(const FaceCounts&, const FaceCounts&) = default;
};

// Two different labels that touch, the smaller one first.
template <typename Label>
struct LabelPair {
  Label a{};
  Label b{};
  friend constexpr auto operator<=>(const LabelPair&, const LabelPair&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const LabelPair& pair) {
    return H::combine(std::move(state), pair.a, pair.b);
  }
};

template <typename Label>
struct Contact {
  LabelPair<Label> pair;
  FaceCounts faces;
};

// Adds up faces pair by pair. Faces of one pair come in long runs, so the last pair is kept at hand.
// `Label` is uint32_t or uint64_t. Not thread-safe.
template <typename Label>
class ContactCounter {
 public:
  // Adds all faces between different labels of one array. One pass over the voxels.
  void AddInside(ArrayView3<const Label> labels);
  // Adds all contacts, ascending by pair, to nothing that was counted before: the counter is empty afterwards.
  [[nodiscard]] std::vector<Contact<Label>> Take();

 private:
  // Adds the faces between voxel i of `a` and voxel i of `b`, for `count` voxels, all of them normal to `axis`.
  void AddRows(int axis, const Label* a, const Label* b, int64_t count);
  void Add(LabelPair<Label> pair, int axis);  // in any order

  absl::flat_hash_map<LabelPair<Label>, size_t> index_of_;
  std::vector<Contact<Label>> contacts_;
  LabelPair<Label> last_;
  size_t last_index_ = 0;
};

extern template class ContactCounter<uint32_t>;
extern template class ContactCounter<uint64_t>;

}  // namespace cleave::ingest
