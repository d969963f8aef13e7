#include "ocdbt/config.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::ocdbt {
namespace {

constexpr int32_t kMinZstdLevel = -131072;
constexpr int32_t kMaxZstdLevel = 22;
constexpr uint8_t kMaxArityLog2 = 16;

std::string JsonText(const Uuid& uuid) {
  return absl::StrCat(
      "\"", absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(uuid.data()), uuid.size())), "\"");
}
std::string JsonText(ManifestKind kind) { return kind == ManifestKind::kSingle ? "\"single\"" : "\"numbered\""; }
std::string JsonText(uint32_t number) { return absl::StrCat(number); }
std::string JsonText(const Compression& compression) {
  return compression.zstd ? absl::StrCat(R"({"id":"zstd","level":)", compression.level, "}") : "null";
}

template <typename T>
absl::Status CheckMember(absl::string_view name, const std::optional<T>& expected, const T& actual) {
  if (!expected || *expected == actual) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("Configuration mismatch on ", name, ": expected ",
                                                    JsonText(*expected), " but received ", JsonText(actual)));
}

}  // namespace

absl::Status ValidateConfig(const Config& config) {
  if (config.max_inline_value_bytes > kMaxInlineValueBytes) {
    return absl::InvalidArgumentError(absl::StrCat("max_inline_value_bytes is ", config.max_inline_value_bytes,
                                                   ", the most is ", kMaxInlineValueBytes));
  }
  if (config.version_tree_arity_log2 < 1 || config.version_tree_arity_log2 > kMaxArityLog2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "version_tree_arity_log2 is ", static_cast<int>(config.version_tree_arity_log2), ", it must be 1 to 16"));
  }
  if (config.compression.zstd &&
      (config.compression.level < kMinZstdLevel || config.compression.level > kMaxZstdLevel)) {
    return absl::InvalidArgumentError(
        absl::StrCat("zstd level ", config.compression.level, " is not in -131072 to 22"));
  }
  return absl::OkStatus();
}

absl::Status CheckConstraints(const ConfigConstraints& constraints, const Config& config) {
  CLEAVE_RETURN_IF_ERROR(CheckMember("uuid", constraints.uuid, config.uuid));
  CLEAVE_RETURN_IF_ERROR(CheckMember("manifest_kind", constraints.manifest_kind, config.manifest_kind));
  CLEAVE_RETURN_IF_ERROR(
      CheckMember("max_inline_value_bytes", constraints.max_inline_value_bytes, config.max_inline_value_bytes));
  CLEAVE_RETURN_IF_ERROR(
      CheckMember("max_decoded_node_bytes", constraints.max_decoded_node_bytes, config.max_decoded_node_bytes));
  CLEAVE_RETURN_IF_ERROR(
      CheckMember("version_tree_arity_log2", constraints.version_tree_arity_log2, config.version_tree_arity_log2));
  return CheckMember("compression", constraints.compression, config.compression);
}

void EncodeConfig(const Config& config, std::string& out) {
  out.append(config.uuid.begin(), config.uuid.end());
  PutU8(out, static_cast<uint8_t>(config.manifest_kind));
  PutVarint(out, config.max_inline_value_bytes);
  PutVarint(out, config.max_decoded_node_bytes);
  PutU8(out, config.version_tree_arity_log2);
  PutVarint(out, config.compression.zstd ? 1 : 0);
  if (config.compression.zstd) {
    PutU32Le(out, static_cast<uint32_t>(config.compression.level));
  }
}

Config DecodeConfig(ByteReader& reader) {
  Config config;
  for (uint8_t& byte : config.uuid) {
    byte = reader.U8();
  }
  const uint8_t kind = reader.U8();
  if (kind > 1) {
    reader.Fail(absl::StrCat("Invalid manifest kind: ", kind));
  }
  config.manifest_kind = static_cast<ManifestKind>(kind);
  config.max_inline_value_bytes = reader.Varint32();
  config.max_decoded_node_bytes = reader.Varint32();
  config.version_tree_arity_log2 = reader.U8();
  if (reader.ok() && (config.version_tree_arity_log2 < 1 || config.version_tree_arity_log2 > kMaxArityLog2)) {
    reader.Fail(absl::StrCat("Invalid version_tree_arity_log2: ", static_cast<int>(config.version_tree_arity_log2)));
  }
  const uint32_t method = reader.Varint32();
  if (method > 1) {
    reader.Fail(absl::StrCat("Invalid compression method: ", method));
  }
  config.compression = {method == 1, method == 1 ? static_cast<int32_t>(reader.U32Le()) : 0};
  if (reader.ok() && (config.compression.level < kMinZstdLevel || config.compression.level > kMaxZstdLevel)) {
    reader.Fail(absl::StrCat("Invalid zstd level: ", config.compression.level));
  }
  return config;
}

std::string ConfigJson(const Config& config) {
  return absl::StrCat(R"({"compression":)", JsonText(config.compression), R"(,"manifest_kind":)",
                      JsonText(config.manifest_kind), R"(,"max_decoded_node_bytes":)", config.max_decoded_node_bytes,
                      R"(,"max_inline_value_bytes":)", config.max_inline_value_bytes, R"(,"uuid":)",
                      JsonText(config.uuid), R"(,"version_tree_arity_log2":)",
                      static_cast<int>(config.version_tree_arity_log2), "}");
}

}  // namespace cleave::ocdbt
