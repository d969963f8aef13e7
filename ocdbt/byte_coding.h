// The primitive encodings of OCDBT: fixed little-endian integers and LEB128 varints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cleave::ocdbt {

// Appends `value`, seven bits a byte, low group first; the top bit says that more follow.
void PutVarint(std::string& out, uint64_t value);
void PutU8(std::string& out, uint8_t value);
void PutU32Le(std::string& out, uint32_t value);
void PutU64Le(std::string& out, uint64_t value);

// Reads values off the front of some bytes. After the first failure every read gives zero or nothing; a decoder reads a
// whole structure and looks at status() where it matters. The bytes must outlive the reader.
class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] uint8_t U8();
  [[nodiscard]] uint32_t U32Le();
  [[nodiscard]] uint64_t U64Le();
  [[nodiscard]] uint64_t Varint() { return VarintUpTo(UINT64_MAX, "64"); }
  [[nodiscard]] uint32_t Varint32() { return static_cast<uint32_t>(VarintUpTo(UINT32_MAX, "32")); }
  [[nodiscard]] uint16_t Varint16() { return static_cast<uint16_t>(VarintUpTo(UINT16_MAX, "16")); }
  [[nodiscard]] absl::string_view Bytes(uint64_t count);

  // Everything that was not read yet.
  [[nodiscard]] absl::string_view Rest() { return Bytes(rest_.size()); }

  // `count` values, each read by `read`. Every value takes at least a byte, so a count that is a lie fails before any
  // memory is spent on it; then the column is empty.
  template <typename T>
  [[nodiscard]] std::vector<T> Column(uint64_t count, T (ByteReader::*read)()) {
    std::vector<T> column;
    if (!CanHold(count)) {
      return column;
    }
    column.reserve(count);
    for (uint64_t i = 0; i < count && ok(); ++i) {
      column.push_back((this->*read)());
    }
    return ok() ? column : std::vector<T>();
  }

  // Fails unless `count` items of at least one byte each can follow.
  [[nodiscard]] bool CanHold(uint64_t count);
  // Makes the reader fail with DATA_LOSS, unless it has failed before.
  void Fail(absl::string_view message);
  // Fails unless everything was read.
  void ExpectEnd();
  [[nodiscard]] bool ok() const { return status_.ok(); }
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  [[nodiscard]] uint64_t VarintUpTo(uint64_t limit, absl::string_view bits);
  [[nodiscard]] uint64_t FixedLe(size_t bytes);

  absl::string_view rest_;
  absl::Status status_;
};

// Length of the longest prefix that `a` and `b` share.
[[nodiscard]] size_t CommonPrefix(absl::string_view a, absl::string_view b);

}  // namespace cleave::ocdbt
