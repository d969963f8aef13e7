// Everything is done by segments: runs of voxels along x, cut where cells meet.
//
// 1. Segments of one cell that touch (rows y-1, and y-1 .. y+1 of z-1, overlapping when lengthened by one voxel) join
//    into pieces.
// 2. Segments of different pieces that touch make a contact. The number of voxel pairs for each of the steps dx = -1,
// 0,
//    1 between two rows follows from the ends of the segments alone.
// 3. Contacts of the same two pieces are added.
// Where a cell is one voxel, the neighbours of a voxel are its contacts, in their order: steps 2 and 3 fall away.
#include "cut/piece_graph.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cut/disjoint_sets.h"

namespace cleave::cut {
namespace {

// Rows that come before a row in memory order and touch it, and the area that a pair of voxels stands for there.
struct RowStep {
  int64_t offset;
  double straight_area;  // for dx = 0
  double slanted_area;   // for dx = -1 or 1
};

std::array<RowStep, 4> RowSteps(const MaskGrid& grid) {
  std::array<RowStep, 4> rows{};
  const auto areas = grid.StepAreas();
  // The 13 steps that come before a voxel are the three of each of these rows, and the one to its left.
  for (size_t row = 0; row < 4; ++row) {
    const size_t middle = 3 * row + 1;
    rows[row] = {-grid.steps()[middle].offset, areas[middle], areas[middle - 1]};
  }
  return rows;
}

// Calls function(i, j), j < i, for every pair of segments that touch when row `offset` before is laid over the row.
template <typename Segments, typename Function>
void ForEachTouching(const Segments& segments, int64_t offset, Function function) {
  size_t first = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    const int64_t begin = segments[i].begin - offset;
    const int64_t end = segments[i].end - offset;
    while (segments[first].end < begin) {
      ++first;
    }
    for (size_t j = first; j < i && segments[j].begin <= end; ++j) {
      function(i, j);
    }
  }
}

}  // namespace

PieceGraph::PieceGraph(const MaskGrid& grid, const LazyArray<float>& depth_nm, Extent3 cell) {
  const std::vector<VoxelPoint> begins = CutIntoSegments(grid, cell);
  NumberPieces(grid, begins, cell);
  MeasurePieces(grid, begins, depth_nm);
  if (Count(cell) == 1) {
    BuildArcsOfVoxels(grid);
  } else {
    BuildArcs(FindContacts(grid));
  }
}

std::vector<VoxelPoint> PieceGraph::CutIntoSegments(const MaskGrid& grid, Extent3 cell) {
  std::vector<VoxelPoint> begins;
  const VoxelPoint lo = grid.box().lo;
  grid.ForEachRun([&](int64_t begin, int64_t end, int64_t y, int64_t z) {
    uint32_t voxel = grid.Index({begin, y, z});
    for (int64_t x = begin; x < end;) {
      const int64_t segment_end = std::min(end, x + cell.x - (x - lo.x) % cell.x);
      const uint32_t length = static_cast<uint32_t>(segment_end - x);
      segments_.push_back({voxel, voxel + length, 0});
      begins.push_back({x - lo.x, y - lo.y, z - lo.z});
      voxel += length;
      x = segment_end;
    }
  });
  return begins;
}

void PieceGraph::NumberPieces(const MaskGrid& grid, const std::vector<VoxelPoint>& begins, Extent3 cell) {
  std::vector<VoxelPoint> cell_of(begins.size());
  for (size_t i = 0; i < begins.size(); ++i) {
    cell_of[i] = {begins[i].x / cell.x, begins[i].y / cell.y, begins[i].z / cell.z};
  }
  DisjointSets sets(static_cast<uint32_t>(segments_.size()));
  for (const RowStep& row : RowSteps(grid)) {
    ForEachTouching(segments_, row.offset, [&](size_t i, size_t j) {
      if (cell_of[i] == cell_of[j]) {
        sets.Join(static_cast<uint32_t>(i), static_cast<uint32_t>(j));
      }
    });
  }
  for (uint32_t i = 0; i < segments_.size(); ++i) {
    const uint32_t first = sets.Find(i);
    if (first == i) {
      segments_[i].piece = static_cast<uint32_t>(first_voxel_.size());
      first_voxel_.push_back(segments_[i].begin);
    } else {
      segments_[i].piece = segments_[first].piece;
    }
  }
}

void PieceGraph::MeasurePieces(const MaskGrid& grid, const std::vector<VoxelPoint>& begins,
                               const LazyArray<float>& depth_nm) {
  struct Sum {
    double count = 0;
    double x = 0;
    double y = 0;
    double z = 0;
  };
  std::vector<Sum> sums(first_voxel_.size());
  depth_nm_.assign(first_voxel_.size(), 0);
  for (size_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    float& depth = depth_nm_[segment.piece];
    for (uint32_t voxel = segment.begin; voxel < segment.end; ++voxel) {
      depth = std::max(depth, depth_nm[voxel]);
    }
    const double count = segment.end - segment.begin;
    Sum& sum = sums[segment.piece];
    sum.count += count;
    sum.x += count * (static_cast<double>(begins[i].x) + (count - 1) / 2);
    sum.y += count * static_cast<double>(begins[i].y);
    sum.z += count * static_cast<double>(begins[i].z);
  }
  const VoxelSizeNm nm = grid.voxel_size_nm();
  centre_nm_.reserve(sums.size());
  centre_.reserve(sums.size());
  for (const Sum& sum : sums) {
    const double x = sum.x / sum.count;
    const double y = sum.y / sum.count;
    const double z = sum.z / sum.count;
    centre_nm_.push_back({static_cast<float>(x * nm.x), static_cast<float>(y * nm.y), static_cast<float>(z * nm.z)});
    centre_.push_back(grid.box().lo + Extent3{std::llround(x), std::llround(y), std::llround(z)});
  }
}

std::vector<PieceGraph::Contact> PieceGraph::FindContacts(const MaskGrid& grid) const {
  std::vector<Contact> contacts;
  const float side_area = static_cast<float>(grid.StepAreas()[12]);
  for (size_t i = 1; i < segments_.size(); ++i) {
    if (segments_[i - 1].end == segments_[i].begin) {
      contacts.push_back({segments_[i - 1].piece, segments_[i].piece, side_area});
    }
  }
  for (const RowStep& row : RowSteps(grid)) {
    ForEachTouching(segments_, row.offset, [&](size_t i, size_t j) {
      const Segment& a = segments_[i];
      const Segment& b = segments_[j];
      if (a.piece == b.piece) {
        return;
      }
      const int64_t begin = a.begin - row.offset;
      const int64_t end = a.end - row.offset;
      const auto pairs = [&](int64_t dx) {
        const int64_t overlap = std::min<int64_t>(end + dx, b.end) - std::max<int64_t>(begin + dx, b.begin);
        return static_cast<double>(std::max<int64_t>(0, overlap));
      };
      const double area = pairs(0) * row.straight_area + (pairs(-1) + pairs(1)) * row.slanted_area;
      contacts.push_back({a.piece, b.piece, static_cast<float>(area)});
    });
  }
  return contacts;
}

void PieceGraph::BuildArcsOfVoxels(const MaskGrid& grid) {
  LazyArray<uint32_t> number(grid.size());  // of the piece, from 1
  for (const Segment& segment : segments_) {
    number[segment.begin] = segment.piece + 1;
  }
  std::array<float, 26> areas{};
  std::ranges::transform(grid.StepAreas(), areas.begin(), [](double area) { return static_cast<float>(area); });
  first_arc_.reserve(size() + 1);
  first_arc_.push_back(0);
  for (uint32_t piece = 0; piece < size(); ++piece) {
    for (size_t i = 0; i < areas.size(); ++i) {
      const auto neighbour = static_cast<uint64_t>(first_voxel_[piece] + grid.steps()[i].offset);
      if (const uint32_t to = number[neighbour]; to != 0) {
        arcs_.push_back({to - 1, DistanceNm(piece, to - 1), areas[i]});
      }
    }
    first_arc_.push_back(static_cast<uint32_t>(arcs_.size()));
  }
}

float PieceGraph::DistanceNm(uint32_t one, uint32_t other) const {
  const CentreNm& a = centre_nm_[one];
  const CentreNm& b = centre_nm_[other];
  const float x = a.x - b.x;
  const float y = a.y - b.y;
  const float z = a.z - b.z;
  return std::sqrt(x * x + y * y + z * z);
}

// Puts the contacts into one bucket a piece, under either end, then adds up within each bucket.
void PieceGraph::BuildArcs(const std::vector<Contact>& contacts) {
  std::vector<uint32_t> begin(size() + 1, 0);
  for (const Contact& contact : contacts) {
    ++begin[contact.a + 1];
    ++begin[contact.b + 1];
  }
  for (uint32_t piece = 0; piece < size(); ++piece) {
    begin[piece + 1] += begin[piece];
  }
  std::vector<Arc> bucketed(begin.back());
  std::vector<uint32_t> next(begin.begin(), begin.end() - 1);
  for (const Contact& contact : contacts) {
    bucketed[next[contact.a]++] = {contact.b, 0, contact.area};
    bucketed[next[contact.b]++] = {contact.a, 0, contact.area};
  }
  std::vector<uint32_t> arc_to(size(), 0);  // the arc to a piece that was made last, from whichever piece
  first_arc_.push_back(0);
  for (uint32_t piece = 0; piece < size(); ++piece) {
    AppendArcs(piece, {bucketed.data() + begin[piece], bucketed.data() + begin[piece + 1]}, arc_to);
    first_arc_.push_back(static_cast<uint32_t>(arcs_.size()));
  }
}

void PieceGraph::AppendArcs(uint32_t piece, std::span<const Arc> contacts, std::vector<uint32_t>& arc_to) {
  const size_t first = arcs_.size();
  for (const Arc& contact : contacts) {
    const uint32_t arc = arc_to[contact.to];
    if (arc >= first && arc < arcs_.size() && arcs_[arc].to == contact.to) {
      arcs_[arc].area += contact.area;
    } else {
      arc_to[contact.to] = static_cast<uint32_t>(arcs_.size());
      arcs_.push_back({contact.to, DistanceNm(piece, contact.to), contact.area});
    }
  }
  std::sort(arcs_.begin() + static_cast<std::ptrdiff_t>(first), arcs_.end(),
            [](const Arc& one, const Arc& other) { return one.to < other.to; });
}

uint32_t PieceGraph::PieceOf(uint32_t voxel) const {
  const auto after = std::upper_bound(segments_.begin(), segments_.end(), voxel,
                                      [](uint32_t v, const Segment& segment) { return v < segment.begin; });
  return (after - 1)->piece;
}

}  // namespace cleave::cut
