// Feeds arbitrary text to the reader of a mesh folder's info; what it takes, it must write and read again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "mesh/mesh_info.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::mesh;
  const auto info = ParseMeshInfo({reinterpret_cast<const char*>(data), size});
  if (!info.ok()) {
    return 0;
  }
  const auto again = ParseMeshInfo(FormatMeshInfo(*info));
  if (!again.ok() || *again != *info) {
    std::abort();
  }
  return 0;
}
