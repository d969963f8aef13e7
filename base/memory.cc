#include "base/memory.h"

#include <cstdlib>  // defines __GLIBC__ where that is the library

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace cleave {

void KeepFreedMemory() {
#if defined(__GLIBC__)
  constexpr int kKeptBytes = 256 << 20;
  constexpr int kOwnMappingFromBytes = 32 << 20;  // the most that glibc allows
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  mallopt(M_MMAP_THRESHOLD, kOwnMappingFromBytes);
#endif
}

}  // namespace cleave
