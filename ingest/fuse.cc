#include "ingest/fuse.h"

#include <algorithm>
#include <tuple>

#include "ingest/contacts.h"

namespace cleave::ingest {

std::vector<TouchingPair> TouchingPairs(ArrayView3<const uint64_t> labels, const VoxelSizeNm& voxel_size_nm) {
  ContactCounter<uint64_t> counter;
  counter.AddInside(labels);
  std::vector<TouchingPair> pairs;
  for (const Contact<uint64_t>& contact : counter.Take()) {
    pairs.push_back({contact.pair.a, contact.pair.b, contact.faces.Total(), contact.faces.AreaUm2(voxel_size_nm)});
  }
  std::ranges::sort(pairs, [](const TouchingPair& p, const TouchingPair& q) {
    return std::tuple(-p.area_um2, p.a, p.b) < std::tuple(-q.area_um2, q.a, q.b);
  });
  return pairs;
}

}  // namespace cleave::ingest
