// Feeds arbitrary text to the reader of info objects. What is accepted must survive being written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "volume/info.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::volume;
  const auto info = ParseInfo({reinterpret_cast<const char*>(data), size});
  if (info.ok()) {
    const auto again = ParseInfo(FormatInfo(*info));
    if (!again.ok() || !(*again == *info)) {
      std::abort();
    }
  }
  return 0;
}
