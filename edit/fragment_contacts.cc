#include "edit/fragment_contacts.h"

#include <mutex>

#include "base/array.h"
#include "base/parallel.h"
#include "base/status.h"
#include "volume/volume.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;

// One changed chunk and the voxels around it. A face between two fragments is counted from its lower voxel only, one
// between a fragment and anything else from the fragment, so each face counts once over all chunks.
class ChunkScan {
 public:
  // `labels`: of the changed box of the chunk grown by one voxel, where the volume goes on. `inner` and `chunk` are the
  // changed box and the chunk as indices into it.
  ChunkScan(const absl::flat_hash_set<uint64_t>& fragments, ArrayView3<const uint64_t> labels, const Box& inner,
            const Box& chunk)
      : fragments_(fragments), labels_(labels), inner_(inner), chunk_(chunk) {}

  void Run() {
    for (int64_t z = inner_.lo.z; z < inner_.hi.z; ++z) {
      for (int64_t y = inner_.lo.y; y < inner_.hi.y; ++y) {
        const uint64_t* row = labels_.Row(y, z);
        for (int64_t x = inner_.lo.x; x < inner_.hi.x; ++x) {
          if (row[x] != 0 && IsFragment(row[x])) {
            Visit({x, y, z}, row + x);
          }
        }
      }
    }
  }

  FragmentContacts Take() { return std::move(contacts_); }

 private:
  bool IsFragment(uint64_t id) {
    if (id != last_id_) {
      last_id_ = id;
      last_is_fragment_ = fragments_.contains(id);
    }
    return last_is_fragment_;
  }

  void Visit(VoxelPoint p, const uint64_t* voxel) {
    const int64_t strides[] = {1, labels_.y_stride(), labels_.z_stride()};
    for (int axis = 0; axis < 3; ++axis) {
      if (p[axis] + 1 < labels_.extent()[axis]) {
        CountFace(*voxel, voxel[strides[axis]], axis);
      }
      if (p[axis] > 0) {
        const uint64_t below = voxel[-strides[axis]];
        if (below != *voxel && below != 0 && !IsFragment(below)) {
          CountFace(*voxel, below, axis);
        }
      }
    }
    if (p.x == chunk_.lo.x || p.y == chunk_.lo.y || p.z == chunk_.lo.z || p.x + 1 == chunk_.hi.x ||
        p.y + 1 == chunk_.hi.y || p.z + 1 == chunk_.hi.z) {
      VisitOutside(p, *voxel);
    }
  }

  void CountFace(uint64_t a, uint64_t b, int axis) {
    if (b == 0 || b == a) {
      return;
    }
    const EdgeEnds ends = EdgeEnds{NodeId{a}, NodeId{b}}.Sorted();
    if (last_faces_ == nullptr || ends != last_ends_) {
      last_ends_ = ends;
      last_faces_ = &contacts_.faces[ends];
    }
    ++(*last_faces_)[axis];
  }

  void VisitOutside(VoxelPoint p, uint64_t id) {
    const Box all{{}, VoxelPoint{} + labels_.extent()};
    for (int64_t dz = -1; dz <= 1; ++dz) {
      for (int64_t dy = -1; dy <= 1; ++dy) {
        for (int64_t dx = -1; dx <= 1; ++dx) {
          const VoxelPoint q = p + VoxelPoint{dx, dy, dz};
          if (all.Contains(q) && !chunk_.Contains(q) && labels_[q] != 0) {
            contacts_.across.insert(EdgeEnds{NodeId{id}, NodeId{labels_[q]}}.Sorted());
          }
        }
      }
    }
  }

  const absl::flat_hash_set<uint64_t>& fragments_;
  ArrayView3<const uint64_t> labels_;
  Box inner_;
  Box chunk_;
  FragmentContacts contacts_;
  uint64_t last_id_ = 0;
  bool last_is_fragment_ = false;
  EdgeEnds last_ends_;
  std::array<int64_t, 3>* last_faces_ = nullptr;
};

}  // namespace

uint64_t FragmentContacts::FaceCount(EdgeEnds ends) const {
  const auto found = faces.find(ends.Sorted());
  return found == faces.end() ? 0 : static_cast<uint64_t>(found->second[0] + found->second[1] + found->second[2]);
}

absl::StatusOr<FragmentContacts> FindContacts(const PlannedVolume& planned, const graph::IdLayout& layout,
                                              const VoxelSplit& split) {
  absl::flat_hash_set<uint64_t> fragments;
  for (const Fragment& fragment : split.fragments) {
    fragments.insert(Value(fragment.id));
  }
  FragmentContacts all;
  std::mutex mutex;
  CLEAVE_RETURN_IF_ERROR(ParallelFor(
      static_cast<int64_t>(split.changed_chunks.size()), DefaultThreadCount(), [&](int64_t i) -> absl::Status {
        const ChangedChunk& changed = split.changed_chunks[static_cast<size_t>(i)];
        const Box chunk = layout.ChunkBox({graph::kL2Layer, changed.chunk});
        const Box grown = Intersect(Grow(changed.box, {1, 1, 1}), layout.volume());
        CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, planned.volume().ReadBox(volume::kFinestScale, grown));
        const auto local = [&](const Box& box) { return BoxAt(box.lo - grown.lo, box.extent()); };
        ChunkScan scan(fragments, labels.view(), local(changed.box), local(chunk));
        scan.Run();
        const FragmentContacts found = scan.Take();
        const std::lock_guard lock(mutex);
        for (const auto& [ends, faces] : found.faces) {
          for (int axis = 0; axis < 3; ++axis) {
            all.faces[ends][axis] += faces[axis];
          }
        }
        all.across.insert(found.across.begin(), found.across.end());
        return absl::OkStatus();
      }));
  return all;
}

}  // namespace cleave::edit
