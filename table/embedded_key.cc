#include "table/embedded_key.h"

#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::table {
namespace {

constexpr absl::string_view kEndMark("\x00\x01", 2);
constexpr absl::string_view kEscapedZero("\x00\xFF", 2);

void AppendEscaped(absl::string_view text, std::string& key) {
  for (size_t zero = text.find('\0'); zero != absl::string_view::npos; zero = text.find('\0')) {
    absl::StrAppend(&key, text.substr(0, zero), kEscapedZero);
    text.remove_prefix(zero + 1);
  }
  absl::StrAppend(&key, text);
}

// The length of the part that `key` begins with, end mark included; 0 when it has no end mark.
size_t PartSize(absl::string_view key) {
  for (size_t zero = key.find('\0'); zero != absl::string_view::npos; zero = key.find('\0', zero + 2)) {
    if (zero + 1 < key.size() && key[zero + 1] == '\x01') {
      return zero + 2;
    }
  }
  return 0;
}

absl::Status DecodePart(absl::string_view part, std::string& text) {
  text.clear();
  for (size_t zero = part.find('\0'); zero != absl::string_view::npos; zero = part.find('\0')) {
    absl::StrAppend(&text, part.substr(0, zero));
    const absl::string_view mark = part.substr(zero, 2);
    part.remove_prefix(zero + mark.size());
    if (mark == kEndMark && part.empty()) {
      return absl::OkStatus();
    }
    if (mark != kEscapedZero) {
      break;
    }
    text.push_back('\0');
  }
  return absl::DataLossError(absl::StrCat("a key of the table is damaged near ", absl::CHexEscape(text)));
}

}  // namespace

std::string RowLowerBound(absl::string_view row_key) {
  if (row_key.empty()) {
    return std::string(kEndMark);
  }
  std::string bound;
  AppendEscaped(row_key, bound);
  return bound;
}

std::string RowPrefix(absl::string_view row_key) {
  std::string prefix;
  prefix.reserve(row_key.size() + kEndMark.size());
  AppendRowPrefix(row_key, prefix);
  return prefix;
}

void AppendRowPrefix(absl::string_view row_key, std::string& key) {
  AppendEscaped(row_key, key);
  absl::StrAppend(&key, kEndMark);
}

std::string ColumnSuffix(const Column& column) {
  return absl::StrCat(RowPrefix(column.family), RowPrefix(column.qualifier));
}

void AppendTime(int64_t time_ms, std::string& key) {
  const uint64_t ordered = static_cast<uint64_t>(time_ms) ^ (uint64_t{1} << 63);
  const uint64_t big_endian = __builtin_bswap64(~ordered);
  key.append(reinterpret_cast<const char*>(&big_endian), kTimeBytes);
}

std::string EndOfPrefix(std::string prefix) {
  prefix.back() = '\x02';
  return prefix;
}

size_t RowPrefixSize(absl::string_view key) { return PartSize(key); }

absl::Status DecodeRowPrefix(absl::string_view prefix, std::string& row_key) { return DecodePart(prefix, row_key); }

absl::Status DecodeColumnSuffix(absl::string_view suffix, Column& column) {
  const size_t family_size = PartSize(suffix);
  CLEAVE_RETURN_IF_ERROR(DecodePart(suffix.substr(0, family_size), column.family));
  return DecodePart(suffix.substr(family_size), column.qualifier);
}

int64_t TimeOfKey(absl::string_view key) {
  uint64_t big_endian = 0;
  std::memcpy(&big_endian, key.data() + key.size() - kTimeBytes, kTimeBytes);
  return static_cast<int64_t>(~__builtin_bswap64(big_endian) ^ (uint64_t{1} << 63));
}

}  // namespace cleave::table
