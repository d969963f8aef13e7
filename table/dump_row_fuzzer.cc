// Feeds arbitrary text to the reader of a dump's lines; what it takes, it must write and read again alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "table/dump_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::table;
  const auto row = DecodeDumpRow({reinterpret_cast<const char*>(data), size});
  if (!row.ok()) {
    return 0;
  }
  const auto again = DecodeDumpRow(EncodeDumpRow(*row));
  if (!again.ok() || again->key != row->key || again->cells != row->cells) {
    std::abort();
  }
  return 0;
}
