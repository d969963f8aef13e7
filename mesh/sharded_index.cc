#include "mesh/sharded_index.h"

#include <zlib.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include <nlohmann/json.hpp>

#include "base/status.h"

namespace cleave::mesh {
namespace {

constexpr char kShardingType[] = "neuroglancer_uint64_sharded_v1";
constexpr char kIdentity[] = "identity";
constexpr char kMurmurHash3[] = "murmurhash3_x86_128";
constexpr int kMinishardBitsMax = 20;
constexpr size_t kValuesMax = size_t{1} << 22;
constexpr size_t kValueBytes = 24;  // of a minishard index, for each value

absl::Status DamagedIndex(absl::string_view why) {
  return absl::DataLossError(absl::StrCat("a shard's index is damaged: ", why));
}

uint32_t Finalized(uint32_t h) {
  h = (h ^ (h >> 16)) * 0x85EBCA6BU;
  h = (h ^ (h >> 13)) * 0xC2B2AE35U;
  return h ^ (h >> 16);
}

// The first 8 of the 16 bytes of MurmurHash3_x86_128 (A. Appleby, public domain) with seed 0 over 8 bytes. So short a
// key has no whole block: only the tail's lanes 1 and 2 take part.
uint64_t MurmurHash3(uint64_t key) {
  constexpr uint32_t kC1 = 0x239B961B;
  constexpr uint32_t kC2 = 0xAB0E9789;
  constexpr uint32_t kC3 = 0x38B34AE5;
  constexpr uint32_t kBytes = 8;
  uint32_t h1 = std::rotl(static_cast<uint32_t>(key) * kC1, 15) * kC2;
  uint32_t h2 = std::rotl(static_cast<uint32_t>(key >> 32) * kC2, 16) * kC3;
  uint32_t h3 = 0;
  uint32_t h4 = 0;
  const auto mix = [&] {
    h1 += h2 + h3 + h4;
    h2 += h1;
    h3 += h1;
    h4 += h1;
  };
  for (uint32_t* h : {&h1, &h2, &h3, &h4}) {
    *h ^= kBytes;
  }
  mix();
  for (uint32_t* h : {&h1, &h2, &h3, &h4}) {
    *h = Finalized(*h);
  }
  mix();
  return (uint64_t{h2} << 32) | h1;
}

// The lowest `bits` bits.
uint64_t Low(uint64_t value, int bits) { return bits >= 64 ? value : value & ((uint64_t{1} << bits) - 1); }
uint64_t ShiftedRight(uint64_t value, int bits) { return bits >= 64 ? 0 : value >> bits; }

absl::Status WrongSpec(absl::string_view member, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat("sharding: ", member, " is to be ", expected));
}

absl::Status ReadBits(const nlohmann::json& json, const char* member, int bits_max, int& bits) {
  const auto found = json.find(member);
  if (found == json.end()) {
    return absl::OkStatus();
  }
  if (!found->is_number_integer() || *found < 0 || *found > bits_max) {
    return WrongSpec(member, absl::StrCat("from 0 to ", bits_max));
  }
  bits = found->get<int>();
  return absl::OkStatus();
}

absl::Status ReadCoding(const nlohmann::json& json, const char* member, bool& is_gzip) {
  const auto found = json.find(member);
  if (found == json.end()) {
    return absl::OkStatus();
  }
  if (*found != "raw" && *found != "gzip") {
    return WrongSpec(member, "'raw' or 'gzip'");
  }
  is_gzip = *found == "gzip";
  return absl::OkStatus();
}

absl::StatusOr<std::string> Inflated(absl::string_view bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) {  // 16: gzip's frame
    return absl::ResourceExhaustedError("no memory to inflate a shard's index");
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string whole;
  std::string piece(size_t{1} << 16, '\0');
  int result = Z_OK;
  while (result == Z_OK && whole.size() <= kValuesMax * kValueBytes) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    result = inflate(&stream, Z_NO_FLUSH);
    whole.append(piece, 0, piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END) {
    return DamagedIndex("it cannot be inflated");
  }
  return whole;
}

uint64_t NumberIn(absl::string_view bytes, size_t index) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + 8 * index, sizeof(number));
  return number;
}

// a + b in `sum`; whether it has no more than 62 bits.
bool AddOffsets(uint64_t a, uint64_t b, uint64_t& sum) {
  constexpr uint64_t kOffsetMax = uint64_t{1} << 62;
  sum = a + b;
  return a <= kOffsetMax && b <= kOffsetMax && sum <= kOffsetMax;
}

}  // namespace

nlohmann::ordered_json FormatShardingSpec(const ShardingSpec& spec) {
  return {{"@type", kShardingType},
          {"hash", spec.hash == ShardingSpec::Hash::kIdentity ? kIdentity : kMurmurHash3},
          {"preshift_bits", spec.preshift_bits},
          {"minishard_bits", spec.minishard_bits},
          {"shard_bits", spec.shard_bits},
          {"minishard_index_encoding", spec.gzip_index ? "gzip" : "raw"},
          {"data_encoding", spec.gzip_data ? "gzip" : "raw"}};
}

absl::StatusOr<ShardingSpec> ParseShardingSpec(const nlohmann::json& json) {
  if (!json.is_object() || json.value("@type", nlohmann::json()) != kShardingType) {
    return WrongSpec("@type", kShardingType);
  }
  ShardingSpec spec;
  if (const auto hash = json.find("hash"); hash != json.end()) {
    if (*hash != kIdentity && *hash != kMurmurHash3) {
      return WrongSpec("hash", absl::StrCat("'", kIdentity, "' or '", kMurmurHash3, "'"));
    }
    spec.hash = *hash == kIdentity ? ShardingSpec::Hash::kIdentity : ShardingSpec::Hash::kMurmurHash3;
  }
  CLEAVE_RETURN_IF_ERROR(ReadBits(json, "preshift_bits", 63, spec.preshift_bits));
  CLEAVE_RETURN_IF_ERROR(ReadBits(json, "minishard_bits", kMinishardBitsMax, spec.minishard_bits));
  CLEAVE_RETURN_IF_ERROR(ReadBits(json, "shard_bits", 64 - spec.minishard_bits, spec.shard_bits));
  spec.gzip_index = false;  // the format's own default
  CLEAVE_RETURN_IF_ERROR(ReadCoding(json, "minishard_index_encoding", spec.gzip_index));
  CLEAVE_RETURN_IF_ERROR(ReadCoding(json, "data_encoding", spec.gzip_data));
  return spec;
}

ShardPlace PlaceOf(const ShardingSpec& spec, graph::NodeId node) {
  const uint64_t shifted = Value(node) >> spec.preshift_bits;
  const uint64_t hashed = spec.hash == ShardingSpec::Hash::kIdentity ? shifted : MurmurHash3(shifted);
  return {.shard = Low(ShiftedRight(hashed, spec.minishard_bits), spec.shard_bits),
          .minishard = Low(hashed, spec.minishard_bits)};
}

std::string ShardFileName(const graph::IdLayout& layout, const ShardingSpec& spec, graph::NodeId node) {
  const int position_bits = 3 * layout.SpatialBits(layout.LayerOf(node));
  const uint64_t position = Low(Value(node) >> (56 - position_bits), position_bits);
  const int digits = (spec.shard_bits + 3) / 4;
  return absl::StrFormat("%d-%0*x.shard", position, std::max(digits, 1), PlaceOf(spec, node).shard);
}

absl::StatusOr<std::optional<store::Extent>> DecodeShardIndex(absl::string_view shard_index, const ShardingSpec& spec,
                                                              uint64_t minishard) {
  if (shard_index.size() != ShardIndexBytes(spec)) {
    return DamagedIndex(absl::StrCat("it has ", shard_index.size(), " bytes, not ", ShardIndexBytes(spec)));
  }
  const uint64_t begin = NumberIn(shard_index, 2 * minishard);
  const uint64_t end = NumberIn(shard_index, 2 * minishard + 1);
  if (begin == end) {
    return std::nullopt;
  }
  store::Extent place;
  if (begin > end || !AddOffsets(begin, ShardIndexBytes(spec), place.offset)) {
    return DamagedIndex(absl::StrCat("minishard ", minishard, " reaches from ", begin, " to ", end));
  }
  place.length = end - begin;
  return place;
}

absl::StatusOr<std::vector<ShardedValue>> DecodeMinishardIndex(absl::string_view bytes, const ShardingSpec& spec) {
  std::string inflated;
  if (spec.gzip_index) {
    CLEAVE_ASSIGN_OR_RETURN(inflated, Inflated(bytes));
    bytes = inflated;
  }
  const size_t count = bytes.size() / kValueBytes;
  if (bytes.size() % kValueBytes != 0 || count > kValuesMax) {
    return DamagedIndex(absl::StrCat("a minishard's index has ", bytes.size(), " bytes"));
  }
  std::vector<ShardedValue> values(count);
  uint64_t key = 0;
  uint64_t end = ShardIndexBytes(spec);
  for (size_t i = 0; i < count; ++i) {
    key += NumberIn(bytes, i);
    store::Extent place{.length = NumberIn(bytes, 2 * count + i)};
    if (!AddOffsets(end, NumberIn(bytes, count + i), place.offset) || !AddOffsets(place.offset, place.length, end)) {
      return DamagedIndex(absl::StrCat("value ", i, " lies beyond any file"));
    }
    values[i] = {key, place};
  }
  return values;
}

}  // namespace cleave::mesh
