#include "volume/pyramid.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "volume/downsample.h"

namespace cleave::volume {

namespace {

bool FitsInOneChunk(const Scale& scale) {
  return scale.size.x <= scale.chunk_size.x && scale.size.y <= scale.chunk_size.y && scale.size.z <= scale.chunk_size.z;
}

}  // namespace

Extent3 NextScaleFactor(const VoxelSizeNm& resolution) {
  const double limit = std::min({resolution.x, resolution.y, resolution.z}) * std::sqrt(2.0);
  const auto factor = [limit](double size) { return size < limit ? 2 : 1; };
  return {factor(resolution.x), factor(resolution.y), factor(resolution.z)};
}

Scale CoarserScale(const Scale& finer, Extent3 factor) {
  const Box coarse = CoarserBox(finer.bounds(), factor);
  Scale scale = finer;
  scale.resolution = {finer.resolution.x * static_cast<double>(factor.x),
                      finer.resolution.y * static_cast<double>(factor.y),
                      finer.resolution.z * static_cast<double>(factor.z)};
  scale.key = DefaultScaleKey(scale.resolution);
  scale.voxel_offset = coarse.lo;
  scale.size = coarse.extent();
  return scale;
}

std::vector<Scale> ScalePyramid(const Scale& finest, ScaleCount count) {
  std::vector<Scale> scales = {finest};
  const auto is_whole = [&] {
    return count.value > 0 ? std::ssize(scales) >= count.value : FitsInOneChunk(scales.back());
  };
  while (!is_whole()) {
    scales.push_back(CoarserScale(scales.back(), NextScaleFactor(scales.back().resolution)));
  }
  return scales;
}

}  // namespace cleave::volume
