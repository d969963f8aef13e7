// Any bytes, taken as the lines of a garbage list, of a lease, or of a record of a fill, are refused or decode to
// something that encodes to the same again. First line and checksum are put around them here, since no fuzzer guesses a
// checksum; the bytes as they are go in too.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "ocdbt/crc32c.h"
#include "ocdbt/fill_record.h"
#include "ocdbt/garbage_list.h"
#include "ocdbt/lease.h"

namespace {

std::string Around(absl::string_view kind, absl::string_view lines) {
  const std::string text = absl::StrCat("cleave ", kind, " 1\n", lines);
  return absl::StrCat(text, absl::StrFormat("end %08x\n", cleave::ocdbt::Crc32c(text)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::ocdbt;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)DecodeGarbageList(bytes);
  (void)DecodeLease(bytes);
  (void)DecodeLease(Around("lease", bytes));
  (void)DecodePart(bytes);
  (void)DecodeCommit(bytes);
  if (const auto part = DecodePart(Around("fill_part", bytes));
      part.ok() && DecodePart(EncodePart(*part)).value() != *part) {
    std::abort();
  }
  if (const auto commit = DecodeCommit(Around("fill_commit", bytes));
      commit.ok() && DecodeCommit(EncodeCommit(*commit)).value() != *commit) {
    std::abort();
  }
  const auto list = DecodeGarbageList(Around("garbage", bytes));
  if (list.ok()) {
    const auto again = DecodeGarbageList(EncodeGarbageList(*list));
    if (!again.ok() || again->marked != list->marked || again->condemned != list->condemned) {
      std::abort();
    }
  }
  return 0;
}
