// Feeds arbitrary text to the reader of cached places of meshes; what it takes, it must write and read again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "mesh/manifest_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::mesh;
  const auto mesh = DecodeCachedMesh({reinterpret_cast<const char*>(data), size});
  if (mesh.has_value() && DecodeCachedMesh(EncodeCachedMesh(*mesh)) != mesh) {
    std::abort();
  }
  return 0;
}
