// Cell values as KVDbClient writes them. Numbers are little-endian; arrays have no frame, their length follows from the
// cell's size; arrays of several columns lie row by row. What cannot be decoded is DATA_LOSS: the bytes are stored
// ones.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::table {

static_assert(std::endian::native == std::endian::little, "cells are copied from memory as they are");

// What an array may consist of: numbers, strong types over numbers, or std::array of them (a row of n columns).
template <typename T>
concept CellElement = std::is_trivially_copyable_v<T> && (sizeof(T) % 4 == 0);

namespace internal {
[[nodiscard]] std::string Compress(absl::string_view bytes);
// The bytes of a zstd frame, or `value` itself when it does not begin with zstd's magic number.
[[nodiscard]] absl::StatusOr<std::string> DecompressIfCompressed(absl::string_view value);
[[nodiscard]] absl::Status BadSize(absl::string_view what, size_t element_bytes, size_t value_bytes);

struct MemoryBytes {
  const void* data;
  size_t size;
};
[[nodiscard]] inline absl::string_view View(const MemoryBytes& bytes) {
  return {static_cast<const char*>(bytes.data), bytes.size};
}
}  // namespace internal

// Arrays.
template <CellElement T>
[[nodiscard]] std::string EncodeArray(std::span<const T> values) {
  return std::string(internal::View({values.data(), values.size_bytes()}));
}
template <CellElement T>
[[nodiscard]] std::string EncodeArray(const std::vector<T>& values) {
  return EncodeArray(std::span<const T>(values));
}
template <CellElement T>
[[nodiscard]] absl::StatusOr<std::vector<T>> DecodeArray(absl::string_view value) {
  if (value.size() % sizeof(T) != 0) {
    return internal::BadSize("array", sizeof(T), value.size());
  }
  std::vector<T> values(value.size() / sizeof(T));
  if (!value.empty()) {
    std::memcpy(values.data(), value.data(), value.size());
  }
  return values;
}

// Arrays of the columns that KVDbClient compresses with zstd. Cells written before it did so are read as they are.
template <CellElement T>
[[nodiscard]] std::string EncodeCompressedArray(std::span<const T> values) {
  return internal::Compress(internal::View({values.data(), values.size_bytes()}));
}
template <CellElement T>
[[nodiscard]] std::string EncodeCompressedArray(const std::vector<T>& values) {
  return EncodeCompressedArray(std::span<const T>(values));
}
template <CellElement T>
[[nodiscard]] absl::StatusOr<std::vector<T>> DecodeCompressedArray(absl::string_view value) {
  absl::StatusOr<std::string> bytes = internal::DecompressIfCompressed(value);
  if (!bytes.ok()) {
    return std::move(bytes).status();
  }
  return DecodeArray<T>(*bytes);
}

// One number.
template <CellElement T>
[[nodiscard]] std::string EncodeValue(const T& value) {
  return std::string(internal::View({&value, sizeof(T)}));
}
template <CellElement T>
[[nodiscard]] absl::StatusOr<T> DecodeValue(absl::string_view value) {
  if (value.size() != sizeof(T)) {
    return internal::BadSize("number", sizeof(T), value.size());
  }
  T number;
  std::memcpy(&number, value.data(), sizeof(T));
  return number;
}

// Ids of operations and lock holders: 20 decimal digits, zero-padded.
[[nodiscard]] std::string EncodeIdText(uint64_t id);
[[nodiscard]] absl::StatusOr<uint64_t> DecodeIdText(absl::string_view value);

// Counters: a signed 64-bit big-endian number.
[[nodiscard]] std::string EncodeCounter(int64_t count);
[[nodiscard]] absl::StatusOr<int64_t> DecodeCounter(absl::string_view value);

// Text is stored as it is; reading makes sure that it is UTF-8.
[[nodiscard]] absl::StatusOr<std::string> DecodeText(absl::string_view value);

}  // namespace cleave::table
