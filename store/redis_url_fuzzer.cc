// Feeds arbitrary text to the reader of a Redis server's address; one that is taken names a host and a port that can
// be.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "store/redis_connection.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave;
  const auto address = store::ParseRedisUrl({reinterpret_cast<const char*>(data), size});
  if (address.ok() && (address->host.empty() || address->port < 1 || address->port > 65535 || address->database < 0)) {
    std::abort();
  }
  return 0;
}
