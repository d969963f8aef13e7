#include "base/memory.h"

#include <cstdlib>  // defines __GLIBC__ where that is the library

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace cleave {

void KeepFreedMemory() {
#if defined(__GLIBC__)
  constexpr int kept_bytes = 256 << 20;
  constexpr int own_mapping_from_bytes = 32 << 20;  // the most that glibc allows
  mallopt(M_TRIM_THRESHOLD, kept_bytes);
  mallopt(M_MMAP_THRESHOLD, own_mapping_from_bytes);
#endif
}

}  // namespace cleave
