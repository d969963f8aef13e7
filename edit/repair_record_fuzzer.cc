// Goal: no bytes make the decoder of repair records crash, hang or take more memory than they should; what it accepts
// can be written and read again. The input is taken as a zstd frame, and as the message inside of one.
#include <zstd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "edit/repair_record.h"

namespace {

void Decode(absl::string_view bytes) {
  const absl::StatusOr<std::vector<cleave::edit::Mend>> mends = cleave::edit::DecodeMends(bytes);
  if (!mends.ok()) {
    return;
  }
  for (const cleave::edit::Mend& mend : *mends) {
    for (const cleave::edit::CellChange& change : mend.cells) {
      if (cleave::edit::DescribeChange(change).empty()) {
        std::abort();
      }
    }
  }
  if (!cleave::edit::DecodeMends(cleave::edit::EncodeMends(*mends)).ok()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  Decode(input);
  std::string frame(ZSTD_compressBound(size), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), data, size, 1));
  Decode(frame);
  return 0;
}
