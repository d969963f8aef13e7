// Exact Euclidean distances, one axis after the other (P. Felzenszwalb, D. Huttenlocher: Distance transforms of sampled
// functions, 2012), only where the object is.
//
// 1. Along x the squared distance within a run of voxels is that to the nearer end.
// 2. Along y, and then z, the squared distance of a voxel is the least, over the voxels of its column, of their value
//    plus the squared offset: the lower envelope of parabolas. A run of voxels in a column can be treated alone, as the
//    background voxels at its two ends (value 0) hide everything beyond them. Where the object is thin, looking at the
//    few voxels around is quicker.
#include "cut/depth.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "base/parallel.h"

namespace cleave::cut {
namespace {

constexpr double kNear = 8;                  // steps up to which looking around beats the envelope
constexpr int64_t kVoxelsPerThread = 50000;  // starting a thread is not free

// The lower envelope of parabolas of one run. Reused from run to run, for its memory.
class LowerEnvelope {
 public:
  // Replaces values[0 .. count) at distances of `stride`, standing between two zeros, by the least over all j of
  // value[j] + ((i - j) * size)^2.
  void Apply(float* values, int64_t count, int64_t stride, double size) {
    const double square = size * size;
    double largest = 0;
    input_.resize(static_cast<size_t>(count + 2));
    input_.front() = input_.back() = 0;
    for (int64_t i = 0; i < count; ++i) {
      input_[i + 1] = values[i * stride];
      largest = std::max(largest, input_[i + 1]);
    }
    if (std::min(largest, Square(static_cast<double>(count + 1) / 2) * square) <= kNear * kNear * square) {
      LookAround(values, count, stride, square);
    } else {
      Build(square);
      Evaluate(values, count, stride, square);
    }
  }

 private:
  static double Square(double value) { return value * value; }

  // The answer is at most the input, so nothing that is farther off than that counts. The zeros at the ends stop the
  // search before it leaves the run.
  void LookAround(float* values, int64_t count, int64_t stride, double square) const {
    for (int64_t i = 1; i <= count; ++i) {
      double least = input_[i];
      double offset_square = square;
      for (int64_t k = 1; offset_square < least; ++k, offset_square = Square(static_cast<double>(k)) * square) {
        least = std::min(least, offset_square + std::min(input_[i - k], input_[i + k]));
      }
      values[(i - 1) * stride] = static_cast<float>(least);
    }
  }

  // The envelope is made in units of one step along the axis: value / square + i * i stands for the parabola of i.
  void Evaluate(float* values, int64_t count, int64_t stride, double square) const {
    size_t k = 0;
    for (int64_t i = 1; i <= count; ++i) {
      while (k + 1 < place_.size() && start_[k + 1] < static_cast<double>(i)) {
        ++k;
      }
      const double offset = static_cast<double>(i - place_[k]);
      values[(i - 1) * stride] = static_cast<float>(input_[place_[k]] + square * offset * offset);
    }
  }

  void Build(double square) {
    const auto size = static_cast<int64_t>(input_.size());
    Prepare(size, 1 / square);
    place_.assign(1, 0);
    start_.assign(1, -1);
    for (int64_t i = 1; i < size; ++i) {
      double crossing = Crossing(place_.back(), i);
      while (crossing <= start_.back()) {
        place_.pop_back();
        start_.pop_back();
        crossing = Crossing(place_.back(), i);
      }
      place_.push_back(i);
      start_.push_back(crossing);
    }
  }

  void Prepare(int64_t size, double inverse_square) {
    lifted_.resize(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) {
      lifted_[i] = input_[i] * inverse_square + Square(static_cast<double>(i));
    }
    for (auto k = static_cast<int64_t>(half_inverse_.size()); k < size; ++k) {
      half_inverse_.push_back(k == 0 ? 0 : 0.5 / static_cast<double>(k));
    }
  }

  // Where the parabola of j > i comes below that of i. Never left of the run's start for i = 0, whose value is 0.
  [[nodiscard]] double Crossing(int64_t i, int64_t j) const {
    return std::max(0.0, (lifted_[j] - lifted_[i]) * half_inverse_[j - i]);
  }

  std::vector<double> input_;
  std::vector<double> lifted_;        // see Evaluate
  std::vector<double> half_inverse_;  // 1 / (2 k), for all k so far
  std::vector<int64_t> place_;
  std::vector<double> start_;
};

void FillAlongX(const MaskGrid& grid, std::span<const MaskGrid::Run> runs, LazyArray<float>& squares) {
  const double size = grid.voxel_size_nm().x;
  for (const MaskGrid::Run& run : runs) {
    float* row = &squares[grid.Index({run.begin, run.y, run.z})];
    const int32_t count = run.end - run.begin;
    for (int32_t x = 0; x < count; ++x) {
      const double distance = static_cast<double>(std::min(x + 1, count - x)) * size;
      row[x] = static_cast<float>(distance * distance);
    }
  }
}

// Applies the envelope to the columns along an axis that begin in `runs`: at voxels whose predecessor on the axis is
// background. `before` is that predecessor's row of the mask, null where there is none.
template <typename RowBefore>
void ApplyAlong(const MaskGrid& grid, std::span<const MaskGrid::Run> runs, RowBefore row_before, int64_t stride,
                double size, LazyArray<float>& squares) {
  LowerEnvelope envelope;
  for (const MaskGrid::Run& run : runs) {
    const uint8_t* before = row_before(run);
    float* row = &squares[grid.Index({run.begin, run.y, run.z})];
    for (int64_t x = run.begin; x < run.end; ++x, ++row) {
      if (before != nullptr && before[x] != 0) {
        continue;
      }
      int64_t count = 1;
      while (row[count * stride] != 0) {
        ++count;
      }
      envelope.Apply(row, count, stride, size);
    }
  }
}

// Calls body(z) for every slice of the box, on several threads when the object is large.
template <typename Body>
void ForEachSlice(const MaskGrid& grid, Body body) {
  const int64_t threads = std::clamp<int64_t>(grid.voxel_count() / kVoxelsPerThread, 1, DefaultThreadCount());
  const absl::Status done = ParallelFor(grid.box().extent().z, static_cast<int>(threads), [&](int64_t slice) {
    body(grid.box().lo.z + slice);
    return absl::OkStatus();
  });
  assert(done.ok());
}

}  // namespace

LazyArray<float> DepthNm(const MaskGrid& grid) {
  LazyArray<float> depth(grid.size());
  const ArrayView3<const uint8_t> mask = grid.mask();
  ForEachSlice(grid, [&](int64_t z) {
    const auto row_before = [&](const MaskGrid::Run& run) {
      return run.y == grid.box().lo.y ? nullptr : mask.Row(run.y - 1, run.z);
    };
    FillAlongX(grid, grid.RunsOfSlice(z), depth);
    ApplyAlong(grid, grid.RunsOfSlice(z), row_before, grid.y_stride(), grid.voxel_size_nm().y, depth);
  });
  ForEachSlice(grid, [&](int64_t z) {  // columns that begin in one slice are no other slice's
    const auto row_before = [&](const MaskGrid::Run& run) {
      return run.z == grid.box().lo.z ? nullptr : mask.Row(run.y, run.z - 1);
    };
    ApplyAlong(grid, grid.RunsOfSlice(z), row_before, grid.z_stride(), grid.voxel_size_nm().z, depth);
  });
  ForEachSlice(grid, [&](int64_t z) {
    for (const MaskGrid::Run& run : grid.RunsOfSlice(z)) {
      float* row = &depth[grid.Index({run.begin, run.y, run.z})];
      std::transform(row, row + (run.end - run.begin), row, [](float square) { return std::sqrt(square); });
    }
  });
  return depth;
}

}  // namespace cleave::cut
