// Three-dimensional arrays, x fastest (Fortran order), as precomputed chunks are: element (x, y, z) of a dense array
// of extent (X, Y, Z) stands at x + X * (y + Y * z).
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/geometry.h"

namespace cleave {

// A view of elements that somebody else owns; x has stride 1, y and z have strides of their own, so a view of a box
// inside a larger array is a view too. As cheap to copy as a pointer. Valid as long as the elements are.
template <typename T>
class ArrayView3 {
 public:
  ArrayView3() = default;
  ArrayView3(T* data, Extent3 extent) : ArrayView3(data, extent, extent.x, extent.x * extent.y) {}
  ArrayView3(T* data, Extent3 extent, int64_t y_stride, int64_t z_stride)
      : data_(data), extent_(extent), y_stride_(y_stride), z_stride_(z_stride) {}
  // A view of const elements from one of mutable elements.
  template <typename U>
    requires(std::is_same_v<const U, T>)
  ArrayView3(ArrayView3<U> other)  // NOLINT(google-explicit-constructor): as with pointers
      : ArrayView3(other.data(), other.extent(), other.y_stride(), other.z_stride()) {}

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] Extent3 extent() const { return extent_; }
  [[nodiscard]] int64_t y_stride() const { return y_stride_; }
  [[nodiscard]] int64_t z_stride() const { return z_stride_; }
  [[nodiscard]] int64_t Offset(VoxelPoint p) const { return p.x + p.y * y_stride_ + p.z * z_stride_; }
  // REQUIRES: p lies inside the extent. (Asserted; asserts stay on in release.)
  [[nodiscard]] T& operator[](VoxelPoint p) const {
    assert(Box({}, VoxelPoint{} + extent_).Contains(p));
    return data_[Offset(p)];
  }
  // The row of extent().x elements at (0, y, z).
  [[nodiscard]] T* Row(int64_t y, int64_t z) const { return data_ + y * y_stride_ + z * z_stride_; }
  // REQUIRES: `box` lies inside the extent.
  [[nodiscard]] ArrayView3 Crop(const Box& box) const {
    assert(Box({}, VoxelPoint{} + extent_).Contains(box));
    return {data_ + Offset(box.lo), box.extent(), y_stride_, z_stride_};
  }

 private:
  T* data_ = nullptr;
  Extent3 extent_;
  int64_t y_stride_ = 0;
  int64_t z_stride_ = 0;
};

// A dense array that owns its elements. Move it; copying is explicit through the copy constructor.
template <typename T>
class Array3 {
 public:
  Array3() = default;
  explicit Array3(Extent3 extent, T fill = T())
      : extent_(extent), elements_(static_cast<size_t>(Count(extent)), fill) {}

  [[nodiscard]] Extent3 extent() const { return extent_; }
  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(elements_.size()); }
  [[nodiscard]] T* data() { return elements_.data(); }
  [[nodiscard]] const T* data() const { return elements_.data(); }
  [[nodiscard]] ArrayView3<T> view() { return {elements_.data(), extent_}; }
  [[nodiscard]] ArrayView3<const T> view() const { return {elements_.data(), extent_}; }
  [[nodiscard]] T& operator[](VoxelPoint p) { return view()[p]; }
  [[nodiscard]] const T& operator[](VoxelPoint p) const { return view()[p]; }

 private:
  Extent3 extent_;
  std::vector<T> elements_;
};

// Copies element by element. REQUIRES: equal extents.
template <typename From, typename To>
void CopyArray(ArrayView3<From> from, ArrayView3<To> to) {
  assert(from.extent() == to.extent());
  for (int64_t z = 0; z < from.extent().z; ++z) {
    for (int64_t y = 0; y < from.extent().y; ++y) {
      const From* source = from.Row(y, z);
      To* target = to.Row(y, z);
      for (int64_t x = 0; x < from.extent().x; ++x) {
        target[x] = static_cast<To>(source[x]);
      }
    }
  }
}

}  // namespace cleave
