#include "mesh/mesh_info.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "base/status.h"

namespace cleave::mesh {
namespace {

constexpr char kMeshType[] = "neuroglancer_legacy_mesh";
constexpr int64_t kChunkSizeMax = int64_t{1} << 32;
constexpr size_t kInfoBytesMax = size_t{1} << 20;

absl::Status WrongInfo(absl::string_view why) { return absl::DataLossError(absl::StrCat("mesh info: ", why)); }

absl::StatusOr<Extent3> ReadChunkSize(const nlohmann::json& json) {
  const auto found = json.find("chunk_size");
  Extent3 size;
  for (size_t axis = 0; axis < 3; ++axis) {
    if (found == json.end() || !found->is_array() || found->size() != 3 || !(*found)[axis].is_number_integer() ||
        (*found)[axis] < 1 || (*found)[axis] > kChunkSizeMax) {
      return WrongInfo("chunk_size is not three numbers of voxels");
    }
    size[static_cast<int>(axis)] = (*found)[axis].get<int64_t>();
  }
  return size;
}

absl::StatusOr<std::map<int, ShardingSpec>> ReadSharding(const nlohmann::json& json) {
  const auto found = json.find("sharding");
  if (found == json.end() || !found->is_object()) {
    return WrongInfo("there is no sharding by layer");
  }
  std::map<int, ShardingSpec> sharding;
  for (const auto& [name, value] : found->items()) {
    int layer = 0;
    if (!absl::SimpleAtoi(name, &layer) || layer < 2 || layer > 255) {
      return WrongInfo("a key of sharding is no layer from 2 on");
    }
    const absl::StatusOr<ShardingSpec> spec = ParseShardingSpec(value);
    if (!spec.ok()) {
      return WrongInfo(absl::StrCat("layer ", layer, ": ", spec.status().message()));
    }
    if (spec->gzip_data) {
      return WrongInfo(absl::StrCat("layer ", layer, ": data_encoding is to be 'raw': clients inflate no meshes"));
    }
    sharding[layer] = *spec;
  }
  return sharding;
}

}  // namespace

std::string FormatMeshInfo(const MeshInfo& info) {
  nlohmann::ordered_json json;
  json["@type"] = kMeshType;
  json["mip"] = info.mip;
  json["chunk_size"] = {info.chunk_size.x, info.chunk_size.y, info.chunk_size.z};
  json["spatial_index"] = nullptr;
  json["sharding"] = nlohmann::ordered_json::object();
  for (const auto& [layer, spec] : info.sharding) {
    json["sharding"][absl::StrCat(layer)] = FormatShardingSpec(spec);
  }
  return json.dump(2) + "\n";
}

absl::StatusOr<MeshInfo> ParseMeshInfo(absl::string_view text) {
  if (text.size() > kInfoBytesMax) {
    return WrongInfo(absl::StrCat("it has more than ", kInfoBytesMax, " bytes"));
  }
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object() || json.value("@type", nlohmann::json()) != kMeshType) {
    return WrongInfo(absl::StrCat("@type is not ", kMeshType));
  }
  MeshInfo info;
  const auto mip = json.find("mip");
  if (mip != json.end() && (!mip->is_number_integer() || *mip < 0 || *mip > 64)) {
    return WrongInfo("mip is no scale");
  }
  info.mip = mip == json.end() ? 0 : mip->get<int>();
  CLEAVE_ASSIGN_OR_RETURN(info.chunk_size, ReadChunkSize(json));
  CLEAVE_ASSIGN_OR_RETURN(info.sharding, ReadSharding(json));
  return info;
}

}  // namespace cleave::mesh
