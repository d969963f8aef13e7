#include "table/row_keys.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include <openssl/evp.h>

namespace cleave::table {
namespace {

constexpr size_t kIdDigits = 20;
constexpr size_t kDigestDigits = 4;

std::string Digits(uint64_t id) {
  std::string digits(kIdDigits, '0');
  for (size_t i = kIdDigits; id != 0; id /= 10) {
    digits[--i] = static_cast<char>('0' + id % 10);
  }
  return digits;
}

absl::StatusOr<uint64_t> ParseDigits(absl::string_view key, absl::string_view digits, absl::string_view what) {
  uint64_t id = 0;
  if (digits.size() != kIdDigits || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &id)) {
    return absl::InvalidArgumentError(absl::StrCat("not the row key of ", what, ": ", absl::CHexEscape(key)));
  }
  return id;
}

std::string DigestDigits(const void* bytes, size_t size) {
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};  // stays zero, and correct, should OpenSSL lack the digest
  EVP_Digest(bytes, size, digest.data(), nullptr, EVP_blake2b512(), nullptr);
  return absl::StrFormat("%02x%02x", digest[0], digest[1]);
}

std::string LockDigest(uint64_t l2_chunk_id) {
  std::array<uint8_t, 8> big_endian;
  for (size_t i = 0; i < big_endian.size(); ++i) {
    big_endian[i] = static_cast<uint8_t>(l2_chunk_id >> (56 - 8 * i));
  }
  return DigestDigits(big_endian.data(), big_endian.size());
}

}  // namespace

std::string NodeRowKey(uint64_t node_id) { return Digits(node_id); }
std::string OperationRowKey(uint64_t operation_id) { return Digits(operation_id); }
std::string ChunkCounterRowKey(uint64_t chunk_id) { return absl::StrCat("i", Digits(chunk_id)); }
std::string RootCounterRowKey(const RootCounter& counter) {
  return absl::StrCat("i", Digits(counter.root_chunk_id), "_", counter.counter);
}
std::string EditedEdgesRowKey(uint64_t l2_chunk_id) { return absl::StrCat("f", Digits(l2_chunk_id)); }
std::string ChunkLockRowKey(uint64_t l2_chunk_id) {
  return absl::StrCat("l", LockDigest(l2_chunk_id), Digits(l2_chunk_id));
}

std::string DownsampleLockRowKey(int scale, ChunkPoint position) {
  const std::string block = absl::StrFormat("%02d_%d_%d_%d", scale, position.x, position.y, position.z);
  return absl::StrCat("d", DigestDigits(block.data(), block.size()), block);
}
RowRange DownsampleLockRowRange() { return {"d", "e"}; }

RowRange NodeRowRange(const IdInterval& ids) {
  // The first key after the last id's own; longer keys that begin with it do not exist.
  return {Digits(ids.first), absl::StrCat(Digits(ids.last), absl::string_view("\0", 1))};
}
RowRange ChunkLockRowRange() { return {"l", "m"}; }

absl::StatusOr<uint64_t> ParseNodeRowKey(absl::string_view key) { return ParseDigits(key, key, "a node"); }
absl::StatusOr<uint64_t> ParseOperationRowKey(absl::string_view key) { return ParseDigits(key, key, "an operation"); }
absl::StatusOr<uint64_t> ParseEditedEdgesRowKey(absl::string_view key) {
  return ParseDigits(key, absl::StartsWith(key, "f") ? key.substr(1) : absl::string_view(), "edited edges");
}
absl::StatusOr<uint64_t> ParseChunkLockRowKey(absl::string_view key) {
  const bool has_prefix = absl::StartsWith(key, "l") && key.size() > kDigestDigits;
  return ParseDigits(key, has_prefix ? key.substr(1 + kDigestDigits) : absl::string_view(), "a chunk lock");
}

}  // namespace cleave::table
