// Feeds arbitrary bytes to the reader of NumPy files, plain and (when they start so) compressed with zstd.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "volume/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave;
  using namespace cleave::volume;
  auto stream = MakeMemoryStream({reinterpret_cast<const char*>(data), size});
  if (!stream.ok()) {
    return 0;
  }
  const auto reader = NpyReader::FromStream(*std::move(stream), "input");
  constexpr int64_t kVoxelsMax = 1 << 16;  // more says nothing new, and takes the machine's memory
  if (!reader.ok() || Count((*reader)->header().extent) > kVoxelsMax) {
    return 0;
  }
  int64_t voxels = 0;
  const absl::Status status =
      (*reader)->ForEachSlab<uint32_t>(1000, [&voxels](const Box& slab, ArrayView3<const uint32_t> labels) {
        if (slab.extent() != labels.extent()) {
          std::abort();
        }
        voxels += Count(slab.extent());
        return absl::OkStatus();
      });
  if (status.ok() && voxels != Count((*reader)->header().extent)) {
    std::abort();
  }
  return 0;
}
