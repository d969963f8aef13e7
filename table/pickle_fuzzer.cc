// The pickle reader takes any bytes without harm; what it accepts, the writer turns into a pickle that reads the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "table/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view pickle(reinterpret_cast<const char*>(data), size);
  if (const auto value = cleave::table::DecodePickledInteger(pickle); value.ok()) {
    if (cleave::table::DecodePickledInteger(cleave::table::EncodePickledInteger(*value)).value() != *value) {
      std::abort();
    }
  }
  if (const auto time = cleave::table::DecodePickledTime(pickle); time.ok()) {
    // An offset can carry the first and last days out of what a datetime holds.
    const auto written = cleave::table::EncodePickledTime(*time);
    if (written.ok() && cleave::table::DecodePickledTime(*written).value() != *time) {
      std::abort();
    }
  }
  return 0;
}
