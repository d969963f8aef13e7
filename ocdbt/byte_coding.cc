#include "ocdbt/byte_coding.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cleave::ocdbt {
namespace {

void PutFixedLe(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) {
    out.push_back(static_cast<char>(value >> (8 * i)));
  }
}

}  // namespace

void PutVarint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    out.push_back(static_cast<char>(value | 0x80));
  }
  out.push_back(static_cast<char>(value));
}

void PutU8(std::string& out, uint8_t value) { out.push_back(static_cast<char>(value)); }
void PutU32Le(std::string& out, uint32_t value) { PutFixedLe(out, value, 4); }
void PutU64Le(std::string& out, uint64_t value) { PutFixedLe(out, value, 8); }

uint8_t ByteReader::U8() { return static_cast<uint8_t>(FixedLe(1)); }
uint32_t ByteReader::U32Le() { return static_cast<uint32_t>(FixedLe(4)); }
uint64_t ByteReader::U64Le() { return FixedLe(8); }

absl::string_view ByteReader::Bytes(uint64_t count) {
  if (!ok() || count > rest_.size()) {
    Fail("Unexpected end of data");
    return {};
  }
  const absl::string_view bytes = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return bytes;
}

bool ByteReader::CanHold(uint64_t count) {
  if (count > rest_.size()) {
    Fail("Unexpected end of data");
  }
  return ok();
}

void ByteReader::Fail(absl::string_view message) {
  status_.Update(absl::DataLossError(message));
  rest_ = {};
}

void ByteReader::ExpectEnd() {
  if (!rest_.empty()) {
    Fail(absl::StrCat(rest_.size(), " bytes follow the end of the structure"));
  }
}

uint64_t ByteReader::VarintUpTo(uint64_t limit, absl::string_view bits) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const uint64_t byte = U8();
    if (!ok()) {
      return 0;
    }
    if (shift == 63 && byte > 1) {
      break;
    }
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (value > limit) {
        break;
      }
      return value;
    }
  }
  Fail(absl::StrCat("Invalid ", bits, "-bit varint value"));
  return 0;
}

uint64_t ByteReader::FixedLe(size_t bytes) {
  const absl::string_view data = Bytes(bytes);
  uint64_t value = 0;
  for (size_t i = data.size(); i-- > 0;) {
    value = value << 8 | static_cast<uint8_t>(data[i]);
  }
  return value;
}

size_t CommonPrefix(absl::string_view a, absl::string_view b) {
  const size_t limit = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + limit, b.begin()).first - a.begin());
}

}  // namespace cleave::ocdbt
