// Exact Euclidean distances, one axis after the other (P. Felzenszwalb, D. Huttenlocher: Distance transforms of sampled
// functions, 2012), only where the object is.
//
// 1. Along x the squared distance within a run of voxels is that to the nearer end.
// 2. Along y, and then z, the squared distance of a voxel is the least, over the voxels of its column, of their value
//    plus the squared offset: the lower envelope of parabolas. A run of voxels in a column can be treated alone, as the
//    background voxels at its two ends (value 0) hide everything beyond them.
#include "cut/depth.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace cleave::cut {
namespace {

// The lower envelope of parabolas of one run. Reused from run to run, for its memory.
class Envelope {
 public:
  // Replaces values[0 .. count) at distances of `stride`, standing between two zeros, by the least over all j of
  // value[j] + ((i - j) * size)^2.
  void Apply(float* values, int64_t count, int64_t stride, double size) {
    const double square = size * size;
    input_.resize(static_cast<size_t>(count + 2));
    input_.front() = input_.back() = 0;
    for (int64_t i = 0; i < count; ++i) {
      input_[i + 1] = values[i * stride];
    }
    Build(square);
    size_t k = 0;
    for (int64_t i = 1; i <= count; ++i) {
      while (k + 1 < place_.size() && start_[k + 1] < static_cast<double>(i)) {
        ++k;
      }
      const double offset = static_cast<double>(i - place_[k]);
      values[(i - 1) * stride] = static_cast<float>(input_[place_[k]] + square * offset * offset);
    }
  }

 private:
  void Build(double square) {
    place_.assign(1, 0);
    start_.assign(1, -1);
    for (int64_t i = 1; i < static_cast<int64_t>(input_.size()); ++i) {
      double crossing = Crossing(place_.back(), i, square);
      while (crossing <= start_.back()) {
        place_.pop_back();
        start_.pop_back();
        crossing = Crossing(place_.back(), i, square);
      }
      place_.push_back(i);
      start_.push_back(crossing);
    }
  }

  // Where the parabola of j > i comes below that of i. Never left of the run's start for i = 0, whose value is 0.
  [[nodiscard]] double Crossing(int64_t i, int64_t j, double square) const {
    const double a = static_cast<double>(i);
    const double b = static_cast<double>(j);
    return std::max(0.0, ((input_[j] / square + b * b) - (input_[i] / square + a * a)) / (2 * (b - a)));
  }

  std::vector<double> input_;
  std::vector<int64_t> place_;
  std::vector<double> start_;
};

void FillAlongX(const MaskGrid& grid, LazyArray<float>& squares) {
  const double size = grid.voxel_size_nm().x;
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    float* row = &squares[grid.Index({begin, y, z})];
    for (int64_t x = begin; x < end; ++x) {
      const double distance = static_cast<double>(std::min(x - begin + 1, end - x)) * size;
      row[x - begin] = static_cast<float>(distance * distance);
    }
  });
}

// Applies the envelope to the runs of every column along an axis. Columns start at the voxels of the object whose
// predecessor on the axis is background, so background is only looked at where it touches the object.
void ApplyAlong(const MaskGrid& grid, int64_t stride, double size, LazyArray<float>& squares) {
  Envelope envelope;
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    float* row = &squares[grid.Index({begin, y, z})];
    for (float* first = row; first < row + (end - begin); ++first) {
      if (first[-stride] != 0) {
        continue;
      }
      int64_t count = 1;
      while (first[count * stride] != 0) {
        ++count;
      }
      envelope.Apply(first, count, stride, size);
    }
  });
}

}  // namespace

LazyArray<float> DepthNm(const MaskGrid& grid) {
  LazyArray<float> depth(grid.size());
  FillAlongX(grid, depth);
  ApplyAlong(grid, grid.y_stride(), grid.voxel_size_nm().y, depth);
  ApplyAlong(grid, grid.z_stride(), grid.voxel_size_nm().z, depth);
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    float* row = &depth[grid.Index({begin, y, z})];
    for (int64_t x = 0; x < end - begin; ++x) {
      row[x] = std::sqrt(row[x]);
    }
  });
  return depth;
}

}  // namespace cleave::cut
