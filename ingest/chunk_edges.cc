// Borders between chunks, step by step.
//
// 1. A neighbour in direction d (-1, 0 or 1 along each axis) touches the middle chunk in a plane, a line or a single
//    voxel: the border. Both sides of it are parts of the faces that ChunkSupervoxels keeps, and have equal extents,
//    because all chunks share one lattice.
// 2. Voxel i of one side and voxel j of the other are 26-adjacent when i and j differ by at most 1 along the border,
// and
//    share a face when the border is a plane and i = j.
// 3. One pass over the own side visits, for each voxel, itself and its neighbours in the border on the other side, and
//    collects pairs of segments. Pairs come in long runs, so a pair that equals the one before is skipped at once.
#include "ingest/chunk_edges.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace cleave::ingest {
namespace {

using graph::Edge;
using graph::EdgeEnds;
using graph::NodeId;

using SegmentPair = std::pair<uint32_t, uint32_t>;  // a place of the middle chunk, one of the neighbour

float Affinity(const FaceCounts& faces, const VoxelSizeNm& voxel_size_nm) {
  return std::max(graph::kDefaultAffinity, static_cast<float>(faces.AreaUm2(voxel_size_nm)));
}

// The part of a chunk's surface that touches a neighbour in `direction`.
ArrayView3<const uint32_t> Border(const ChunkSupervoxels& chunk, ChunkPoint direction) {
  int face_axis = 0;
  while (direction[face_axis] == 0) {
    ++face_axis;
  }
  const ArrayView3<const uint32_t> face =
      chunk.faces[static_cast<size_t>(face_axis)][direction[face_axis] > 0 ? 1 : 0].view();
  Box box = BoxAt({}, face.extent());
  for (int axis = face_axis + 1; axis < 3; ++axis) {
    if (direction[axis] > 0) {
      box.lo[axis] = box.hi[axis] - 1;
    } else if (direction[axis] < 0) {
      box.hi[axis] = 1;
    }
  }
  return face.Crop(box);
}

// What touches across one border.
class BorderContacts {
 public:
  BorderContacts(const ChunkSupervoxels& own, const ChunkSupervoxels& other, ChunkPoint direction)
      : own_(own), other_(other), direction_(direction) {
    const ArrayView3<const uint32_t> mine = Border(own, direction);
    const ArrayView3<const uint32_t> theirs = Border(other, ChunkPoint{} - direction);
    assert(mine.extent() == theirs.extent());
    CollectPieces(mine, theirs);
    if (std::abs(direction.x) + std::abs(direction.y) + std::abs(direction.z) == 1) {
      CollectFaces(mine, theirs);
    }
  }

  // Pairs of pieces of one label.
  [[nodiscard]] const absl::flat_hash_set<SegmentPair>& pieces() const { return pieces_; }
  // Pairs of different labels that share faces.
  [[nodiscard]] const absl::flat_hash_map<SegmentPair, FaceCounts>& faces() const { return faces_; }

 private:
  void CollectPieces(ArrayView3<const uint32_t> mine, ArrayView3<const uint32_t> theirs) {
    const Extent3 extent = mine.extent();
    for (int64_t z = 0; z < extent.z; ++z) {
      for (int64_t y = 0; y < extent.y; ++y) {
        for (int64_t other_z = std::max<int64_t>(z - 1, 0); other_z <= std::min(z + 1, extent.z - 1); ++other_z) {
          for (int64_t other_y = std::max<int64_t>(y - 1, 0); other_y <= std::min(y + 1, extent.y - 1); ++other_y) {
            CollectPiecesOfRows(mine.Row(y, z), theirs.Row(other_y, other_z), extent.x);
          }
        }
      }
    }
  }

  void CollectPiecesOfRows(const uint32_t* mine, const uint32_t* theirs, int64_t count) {
    for (int64_t x = 0; x < count; ++x) {
      for (int64_t other = std::max<int64_t>(x - 1, 0); other <= std::min(x + 1, count - 1); ++other) {
        const SegmentPair pair{mine[x], theirs[other]};
        if (pair == last_) {
          continue;
        }
        last_ = pair;
        if (pair.first != 0 && pair.second != 0 && own_.labels[pair.first] == other_.labels[pair.second]) {
          pieces_.insert(pair);
        }
      }
    }
  }

  void CollectFaces(ArrayView3<const uint32_t> mine, ArrayView3<const uint32_t> theirs) {
    const size_t axis = direction_.x != 0 ? 0 : direction_.y != 0 ? 1 : 2;
    const Extent3 extent = mine.extent();
    SegmentPair last{0, 0};
    FaceCounts* counts = nullptr;
    for (int64_t z = 0; z < extent.z; ++z) {
      for (int64_t y = 0; y < extent.y; ++y) {
        const uint32_t* my_row = mine.Row(y, z);
        const uint32_t* their_row = theirs.Row(y, z);
        for (int64_t x = 0; x < extent.x; ++x) {
          const SegmentPair pair{my_row[x], their_row[x]};
          if (pair.first == 0 || pair.second == 0 || own_.labels[pair.first] == other_.labels[pair.second]) {
            continue;
          }
          if (pair != last || counts == nullptr) {
            counts = &faces_[pair];
            last = pair;
          }
          ++counts->by_axis[axis];
        }
      }
    }
  }

  const ChunkSupervoxels& own_;
  const ChunkSupervoxels& other_;
  ChunkPoint direction_;
  SegmentPair last_{0, 0};
  absl::flat_hash_set<SegmentPair> pieces_;
  absl::flat_hash_map<SegmentPair, FaceCounts> faces_;
};

class EdgeMaker {
 public:
  EdgeMaker(const VoxelSizeNm& voxel_size_nm, const ChunkSupervoxels& own) : voxel_size_nm_(voxel_size_nm), own_(own) {}

  void AddInside() {
    for (const Contact<uint32_t>& contact : own_.contacts) {
      const NodeId a = Node(own_, contact.pair.a);
      const NodeId b = Node(own_, contact.pair.b);
      edges_.all.in.push_back(
          {a, b, Affinity(contact.faces, voxel_size_nm_), static_cast<uint64_t>(contact.faces.Total())});
      if (own_.objects[contact.pair.a] == own_.objects[contact.pair.b]) {
        edges_.active_inside.push_back({a, b});
      }
    }
  }

  void AddBorder(const ChunkSupervoxels& other, ChunkPoint direction) {
    const BorderContacts contacts(own_, other, direction);
    for (const auto& [mine, theirs] : contacts.pieces()) {
      const EdgeEnds ends{Node(own_, mine), Node(other, theirs)};
      edges_.all.cross.push_back({ends.node1, ends.node2, graph::kInfiniteAffinity, 1});
      edges_.active_leaving.push_back(ends);
    }
    for (const auto& [pair, faces] : contacts.faces()) {
      const EdgeEnds ends{Node(own_, pair.first), Node(other, pair.second)};
      edges_.all.between.push_back(
          {ends.node1, ends.node2, Affinity(faces, voxel_size_nm_), static_cast<uint64_t>(faces.Total())});
      if (own_.objects[pair.first] == other.objects[pair.second]) {
        edges_.active_leaving.push_back(ends);
      }
    }
  }

  AtomicEdges Finish() && {
    const auto by_ends = [](const Edge& e) { return EdgeEnds{e.node1, e.node2}; };
    std::ranges::sort(edges_.all.between, {}, by_ends);
    std::ranges::sort(edges_.all.cross, {}, by_ends);
    std::ranges::sort(edges_.active_leaving);
    return std::move(edges_);
  }

 private:
  static NodeId Node(const ChunkSupervoxels& chunk, uint32_t place) { return chunk.ids[place]; }

  const VoxelSizeNm& voxel_size_nm_;
  const ChunkSupervoxels& own_;
  AtomicEdges edges_;
};

}  // namespace

AtomicEdges MakeEdges(const VoxelSizeNm& voxel_size_nm, const Neighbourhood& neighbourhood) {
  EdgeMaker maker(voxel_size_nm, neighbourhood.middle());
  maker.AddInside();
  for (int64_t step = 0; step < 27; ++step) {
    const ChunkPoint direction{step % 3 - 1, step / 3 % 3 - 1, step / 9 - 1};
    const ChunkSupervoxels* other = neighbourhood.At(direction);
    if (direction != ChunkPoint{} && other != nullptr) {
      maker.AddBorder(*other, direction);
    }
  }
  return std::move(maker).Finish();
}

}  // namespace cleave::ingest
