// How it is fast:
//
// 1. A row of coarser voxels is made of one, two or four rows of voxels. At the border of the volume a row that is not
//    there is replaced by its neighbour, so that every row of coarser voxels is made alike.
// 2. Along x the voxels go in pairs; a single one at either end is a pair with itself.
// 3. Four coarser voxels are made at once where the processor has AVX2. Four voxels need no counting (the rule is a
//    choice between four by three comparisons); of eight, those whose first or last four are equal need none either,
//    and that is nearly all of them in a segmentation. The rest are counted one by one.
// 4. What is left is memory: a pass that only reads the labels is no more than an eighth faster. A result that is
// larger
//    than the caches near a processor goes past them, so that memory need not be read before it is written; and of
//    short rows, which end before the processor has seen where they lead, those to come are asked for ahead.
#include "volume/downsample.h"

#include <algorithm>
#include <array>
#include <cassert>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cleave::volume {
namespace {

// What suits the memory that is gone through.
struct Traffic {
  bool writes_past_caches = false;
  bool asks_ahead = false;
};
constexpr int64_t kNearBytes = int64_t{1} << 20;  // of a result that stays in caches
constexpr int64_t kShortRow = 256;                // voxels
constexpr int64_t kAhead = 1024;                  // voxels

Traffic TrafficOf(const Extent3& fine, const Extent3& coarse) {
  return {Count(coarse) * static_cast<int64_t>(sizeof(uint64_t)) > kNearBytes, fine.x <= kShortRow};
}

// The rows that make one row of coarser voxels: y fastest, then z.
using Rows = std::array<const uint64_t*, 4>;

uint64_t ModeOfFour(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  if (a == b || a == c) {
    return a;
  }
  return b == c ? b : d;
}

uint64_t ModeOfEight(const std::array<uint64_t, 8>& labels) {
  constexpr int kMajority = 4;  // as many as no later label can exceed
  int best_count = 0;
  uint64_t best = labels[0];
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto count = static_cast<int>(std::count(labels.begin(), labels.end(), labels[i]));
    if (count > best_count) {
      best_count = count;
      best = labels[i];
      if (count >= kMajority) {
        break;
      }
    }
  }
  return best;
}

// The coarser voxel of the voxels at x0 and x1 of each row.
uint64_t Mode(const Rows& rows, int row_count, int64_t x0, int64_t x1) {
  if (row_count == 1) {
    return rows[0][x0];
  }
  if (row_count == 2) {
    return ModeOfFour(rows[0][x0], rows[0][x1], rows[1][x0], rows[1][x1]);
  }
  std::array<uint64_t, 8> labels{};
  for (size_t i = 0; i < rows.size(); ++i) {
    labels[2 * i] = rows[i][x0];
    labels[2 * i + 1] = rows[i][x1];
  }
  const auto equal = [&labels](size_t begin) {
    return labels[begin] == labels[begin + 1] && labels[begin] == labels[begin + 2] &&
           labels[begin] == labels[begin + 3];
  };
  if (equal(0)) {
    return labels[0];
  }
  return equal(4) ? labels[4] : ModeOfEight(labels);
}

#if defined(__x86_64__)
struct Pairs {
  __m256i first;
  __m256i second;
};

// Eight voxels of a row as four pairs, in the order 0, 2, 1, 3.
__attribute__((target("avx2"))) inline Pairs LoadPairs(const uint64_t* voxels) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(voxels));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(voxels + 4));
  return {_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high)};
}

constexpr int64_t kVectorBytes = 32;

// `past_caches`: `out` lies at a multiple of kVectorBytes.
__attribute__((target("avx2"))) inline void StoreInOrder(__m256i voxels, bool past_caches, uint64_t* out) {
  constexpr int kOrder = 0b11011000;
  const __m256i ordered = _mm256_permute4x64_epi64(voxels, kOrder);
  if (past_caches) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(out), ordered);
  } else {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), ordered);
  }
}

// Eight voxels of each row are a line of a cache. Addresses beyond the array do no harm.
inline void AskAhead(const Rows& rows, int row_count, int64_t x) {
  for (int i = 0; i < row_count; ++i) {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(rows[static_cast<size_t>(i)] + x) +
                                                     kAhead * sizeof(uint64_t)));
  }
}

// Makes coarser voxels from `i` on, four at a time; returns how far.
__attribute__((target("avx2"))) int64_t PoolFours(const Rows& rows, int64_t i, int64_t count, Traffic traffic,
                                                  uint64_t* out) {
  for (; i + 4 <= count; i += 4) {
    if (traffic.asks_ahead) {
      AskAhead(rows, 2, 2 * i);
    }
    const auto [a, b] = LoadPairs(rows[0] + 2 * i);
    const auto [c, d] = LoadPairs(rows[1] + 2 * i);
    const __m256i takes_a = _mm256_or_si256(_mm256_cmpeq_epi64(a, b), _mm256_cmpeq_epi64(a, c));
    const __m256i others = _mm256_blendv_epi8(d, b, _mm256_cmpeq_epi64(b, c));
    StoreInOrder(_mm256_blendv_epi8(others, a, takes_a), traffic.writes_past_caches, out + i);
  }
  return i;
}

__attribute__((target("avx2"))) inline __m256i AreEqual(const Pairs& p, const Pairs& q) {
  return _mm256_and_si256(
      _mm256_cmpeq_epi64(p.first, p.second),
      _mm256_and_si256(_mm256_cmpeq_epi64(p.first, q.first), _mm256_cmpeq_epi64(p.first, q.second)));
}

__attribute__((target("avx2"))) int64_t PoolEights(const Rows& rows, int64_t i, int64_t count, Traffic traffic,
                                                   uint64_t* out) {
  for (; i + 4 <= count; i += 4) {
    if (traffic.asks_ahead) {
      AskAhead(rows, 4, 2 * i);
    }
    const Pairs lower = LoadPairs(rows[0] + 2 * i);
    const Pairs upper = LoadPairs(rows[2] + 2 * i);
    const __m256i lower_equal = AreEqual(lower, LoadPairs(rows[1] + 2 * i));
    const __m256i upper_equal = AreEqual(upper, LoadPairs(rows[3] + 2 * i));
    constexpr int kAll = 0b1111;
    const int done = _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_or_si256(lower_equal, upper_equal)));
    StoreInOrder(_mm256_blendv_epi8(upper.first, lower.first, lower_equal), false, out + i);
    if (done != kAll) {
      for (int64_t x = i; x < i + 4; ++x) {
        out[x] = Mode(rows, 4, 2 * x, 2 * x + 1);
      }
    }
  }
  return i;
}

int64_t PoolManyPairs(const Rows& rows, int row_count, int64_t count, Traffic traffic, uint64_t* out) {
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (!has_avx2 || row_count == 1) {
    return 0;
  }
  int64_t i = 0;
  if (row_count == 4) {
    traffic.writes_past_caches = false;  // some are counted one by one, and an eighth is little to write
  }
  if (traffic.writes_past_caches) {
    for (; i < count && reinterpret_cast<uintptr_t>(out + i) % kVectorBytes != 0; ++i) {
      out[i] = Mode(rows, row_count, 2 * i, 2 * i + 1);
    }
  }
  return row_count == 2 ? PoolFours(rows, i, count, traffic, out) : PoolEights(rows, i, count, traffic, out);
}

// Before others may read what went past the caches.
void EndTraffic(Traffic traffic) {
  if (traffic.writes_past_caches) {
    _mm_sfence();
  }
}
#else
int64_t PoolManyPairs(const Rows& /*rows*/, int /*row_count*/, int64_t /*count*/, Traffic /*traffic*/,
                      uint64_t* /*out*/) {
  return 0;
}
void EndTraffic(Traffic /*traffic*/) {}
#endif

// `count` coarser voxels, each of two voxels of every row.
void PoolPairs(const Rows& rows, int row_count, int64_t count, Traffic traffic, uint64_t* out) {
  for (int64_t i = PoolManyPairs(rows, row_count, count, traffic, out); i < count; ++i) {
    out[i] = Mode(rows, row_count, 2 * i, 2 * i + 1);
  }
}

// A row of coarser voxels. `begins_odd`: the first voxel of the rows is the second of its pair.
void PoolRow(Rows rows, int row_count, bool begins_odd, int64_t length, Traffic traffic, uint64_t* out) {
  if (begins_odd) {
    *out++ = Mode(rows, row_count, 0, 0);
    for (const uint64_t*& row : rows) {
      ++row;
    }
    --length;
  }
  PoolPairs(rows, row_count, length / 2, traffic, out);
  if (length % 2 == 1) {
    out[length / 2] = Mode(rows, row_count, length - 1, length - 1);
  }
}

// The same where x is not halved.
void PoolColumns(const Rows& rows, int row_count, int64_t length, uint64_t* out) {
  if (row_count < 4) {
    std::copy_n(rows[0], length, out);
    return;
  }
  for (int64_t x = 0; x < length; ++x) {
    out[x] = ModeOfFour(rows[0][x], rows[1][x], rows[2][x], rows[3][x]);
  }
}

// Where the voxels of a coarser coordinate lie in `fine`, the second one only where the axis is halved.
struct Covered {
  int64_t first = 0;
  int64_t second = 0;
};
Covered CoveredBy(int64_t coarse, int64_t factor, int64_t lo, int64_t length) {
  const int64_t begin = coarse * factor - lo;
  return {std::clamp<int64_t>(begin, 0, length - 1), std::clamp<int64_t>(begin + factor - 1, 0, length - 1)};
}

}  // namespace

Box CoarserBox(const Box& fine, Extent3 factor) {
  Box coarse;
  for (int axis = 0; axis < 3; ++axis) {
    coarse.lo[axis] = FloorDivide(fine.lo[axis], factor[axis]);
    coarse.hi[axis] = CeilDivide(fine.hi[axis], factor[axis]);
  }
  return coarse;
}

Box FinerBox(const Box& coarse, Extent3 factor) {
  Box fine;
  for (int axis = 0; axis < 3; ++axis) {
    fine.lo[axis] = coarse.lo[axis] * factor[axis];
    fine.hi[axis] = coarse.hi[axis] * factor[axis];
  }
  return fine;
}

void DownsampleLabels(ArrayView3<const uint64_t> fine, VoxelPoint fine_lo, Extent3 factor,
                      ArrayView3<uint64_t> coarse) {
  const Extent3 length = fine.extent();
  const Box target = CoarserBox(BoxAt(fine_lo, length), factor);
  assert(coarse.extent() == target.extent());
  const bool begins_odd = factor.x == 2 && FloorDivide(fine_lo.x, 2) * 2 != fine_lo.x;
  const int row_count = static_cast<int>(factor.y * factor.z);
  const Traffic traffic = TrafficOf(length, coarse.extent());
  for (int64_t z = target.lo.z; z < target.hi.z; ++z) {
    const Covered in_z = CoveredBy(z, factor.z, fine_lo.z, length.z);
    for (int64_t y = target.lo.y; y < target.hi.y; ++y) {
      const Covered in_y = CoveredBy(y, factor.y, fine_lo.y, length.y);
      Rows rows = {fine.Row(in_y.first, in_z.first), fine.Row(in_y.second, in_z.first),
                   fine.Row(in_y.first, in_z.second), fine.Row(in_y.second, in_z.second)};
      if (factor.y == 1) {
        rows[1] = rows[2];
      }
      uint64_t* const out = coarse.Row(y - target.lo.y, z - target.lo.z);
      if (factor.x == 2) {
        PoolRow(rows, row_count, begins_odd, length.x, traffic, out);
      } else {
        PoolColumns(rows, row_count, length.x, out);
      }
    }
  }
  EndTraffic(traffic);
}

}  // namespace cleave::volume
