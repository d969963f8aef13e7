// Array, id, counter and text readers take any bytes without harm; what they accept survives a round trip.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "table/serializers.h"

namespace {

using Pair = std::array<uint64_t, 2>;

template <typename T>
void CheckArray(absl::string_view value) {
  const auto plain = cleave::table::DecodeArray<T>(value);
  if (plain.ok() && cleave::table::EncodeArray(*plain) != value) {
    std::abort();
  }
  const auto compressed = cleave::table::DecodeCompressedArray<T>(value);
  if (compressed.ok() && compressed->size() < 4096) {
    const std::string written = cleave::table::EncodeCompressedArray(*compressed);
    const auto again = cleave::table::DecodeCompressedArray<T>(written);
    if (!again.ok() || cleave::table::EncodeArray(*again) != cleave::table::EncodeArray(*compressed)) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view value(reinterpret_cast<const char*>(data), size);
  CheckArray<uint64_t>(value);
  CheckArray<Pair>(value);
  CheckArray<float>(value);
  if (const auto id = cleave::table::DecodeIdText(value); id.ok()) {
    if (cleave::table::DecodeIdText(cleave::table::EncodeIdText(*id)).value() != *id) {
      std::abort();
    }
  }
  if (const auto count = cleave::table::DecodeCounter(value); count.ok()) {
    if (cleave::table::EncodeCounter(*count) != value) {
      std::abort();
    }
  }
  if (const auto text = cleave::table::DecodeText(value); text.ok() && *text != value) {
    std::abort();
  }
  return 0;
}
