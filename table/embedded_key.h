// How a cell's address becomes a key of the embedded engine's ordered store.
//
//   key    = row 00 01  family 00 01  qualifier 00 01  time (8 bytes)
//   row, family, qualifier: their bytes, each 00 written as 00 FF
//   time   = the complement of (milliseconds since 1970 + 2^63), big-endian: newer cells come first
//
// An end mark 00 01 is less than an escaped zero 00 FF and than any other byte but zero, so keys are ordered by row,
// then family, then qualifier, each bytewise, as the model asks. Keys that begin with 00 00 belong to no row; the
// engine keeps its own notes there.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "table/table.h"

namespace cleave::table {

inline constexpr size_t kTimeBytes = 8;

// The least key of any row at or after `row_key`; with "" that of the first row.
[[nodiscard]] std::string RowLowerBound(absl::string_view row_key);

// row 00 01
[[nodiscard]] std::string RowPrefix(absl::string_view row_key);
void AppendRowPrefix(absl::string_view row_key, std::string& key);
// family 00 01 qualifier 00 01: what follows the row's prefix for all cells of the column
[[nodiscard]] std::string ColumnSuffix(const Column& column);
void AppendTime(int64_t time_ms, std::string& key);

// The least string above all that begin with `prefix`, which ends in an end mark.
[[nodiscard]] std::string EndOfPrefix(std::string prefix);

// The length of the row's part of `key`, end mark included; 0 when `key` belongs to no row.
[[nodiscard]] size_t RowPrefixSize(absl::string_view key);

// Inverse functions. REQUIRES for the first two: the argument is as the function above made it; DATA_LOSS if not.
[[nodiscard]] absl::Status DecodeRowPrefix(absl::string_view prefix, std::string& row_key);
[[nodiscard]] absl::Status DecodeColumnSuffix(absl::string_view suffix, Column& column);
// REQUIRES: key.size() >= kTimeBytes. Reads the last bytes.
[[nodiscard]] int64_t TimeOfKey(absl::string_view key);

}  // namespace cleave::table
