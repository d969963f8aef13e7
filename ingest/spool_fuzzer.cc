// Feeds arbitrary bytes to the readers of the spool, as the body of a file with the right checksum; what they take,
// they must write and read again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ingest/spool.h"
#include "ocdbt/byte_coding.h"
#include "ocdbt/crc32c.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave;
  const absl::string_view body(reinterpret_cast<const char*>(data), size);
  std::string bytes;
  ocdbt::PutU32Le(bytes, ocdbt::Crc32c(body));
  bytes.append(body.data(), body.size());
  if (const auto surfaces = ingest::DecodeSurfaces({1, 2, 3}, bytes); surfaces.ok()) {
    const std::string again = ingest::EncodeSurfaces(*surfaces);
    const auto read = ingest::DecodeSurfaces({1, 2, 3}, again);
    if (!read.ok() || ingest::EncodeSurfaces(*read) != again) {
      std::abort();
    }
  }
  if (const auto rows = ingest::DecodeRows(bytes); rows.ok()) {
    const std::string again = ingest::EncodeRows(*rows);
    const auto read = ingest::DecodeRows(again);
    if (!read.ok() || ingest::EncodeRows(*read) != again) {
      std::abort();
    }
  }
  return 0;
}
