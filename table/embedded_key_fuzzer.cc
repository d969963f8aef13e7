// Keys read from files are taken apart without harm, and those of any row, column and time survive a round trip in
// order.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "table/embedded_key.h"

namespace {

using cleave::table::Column;

void Check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void CheckRoundTrip(absl::string_view row, const Column& column) {
  const std::string prefix = cleave::table::RowPrefix(row);
  std::string row_again;
  Column column_again;
  Check(cleave::table::DecodeRowPrefix(prefix, row_again).ok() && row_again == row);
  Check(cleave::table::DecodeColumnSuffix(cleave::table::ColumnSuffix(column), column_again).ok());
  Check(column_again == column);
  Check(cleave::table::RowPrefixSize(prefix + cleave::table::ColumnSuffix(column)) == prefix.size());
  Check(prefix < cleave::table::EndOfPrefix(prefix) && cleave::table::RowLowerBound(row) <= prefix);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string row;
  Column column;
  const size_t prefix_size = cleave::table::RowPrefixSize(bytes);
  (void)cleave::table::DecodeRowPrefix(bytes.substr(0, prefix_size), row);
  (void)cleave::table::DecodeColumnSuffix(bytes.substr(prefix_size), column);

  const absl::string_view a = bytes.substr(0, size / 2);
  const absl::string_view b = bytes.substr(size / 2);
  CheckRoundTrip(a, {std::string(b), std::string(a)});
  Check((a < b) == (cleave::table::RowPrefix(a) < cleave::table::RowPrefix(b)));
  return 0;
}
