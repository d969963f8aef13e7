#include "base/geometry.h"

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

template <typename Tag>
std::string Join(const Vector3<Tag>& v) {
  return absl::StrCat(v.x, ",", v.y, ",", v.z);
}

}  // namespace

std::string ToString(VoxelPoint point) { return Join(point); }
std::string ToString(ChunkPoint point) { return Join(point); }
std::string ToString(Extent3 extent) { return Join(extent); }
std::string ToString(const Box& box) { return absl::StrCat("[", Join(box.lo), ")-[", Join(box.hi), ")"); }

}  // namespace cleave
