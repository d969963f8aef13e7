#include "volume/info.h"

#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::volume {
namespace {

using nlohmann::json;

constexpr absl::string_view kFormatName = "neuroglancer_multiscale_volume";

// Sizes and coordinates stay below this, so that sums and single products of them cannot overflow.
constexpr int64_t kCoordinateMax = int64_t{1} << 40;
constexpr int64_t kChunkVoxelsMax = int64_t{1} << 31;
constexpr int kDepthMax = 64;  // of nested JSON values; writing them back recurses

struct NamedType {
  DataType type;
  absl::string_view name;
  int64_t byte_count;
};
constexpr std::array<NamedType, 8> kTypes = {{{DataType::kUint8, "uint8", 1},
                                              {DataType::kInt8, "int8", 1},
                                              {DataType::kUint16, "uint16", 2},
                                              {DataType::kInt16, "int16", 2},
                                              {DataType::kUint32, "uint32", 4},
                                              {DataType::kInt32, "int32", 4},
                                              {DataType::kUint64, "uint64", 8},
                                              {DataType::kFloat32, "float32", 4}}};

const NamedType& TypeRow(DataType type) { return kTypes[static_cast<size_t>(type)]; }

// A JSON object whose members are taken out one by one; what is left over is kept as it was. `where` names the object
// in errors, such as "info" or "info: scale 0 (8_8_40)".
class Members {
 public:
  Members(json object, std::string where) : object_(std::move(object)), where_(std::move(where)) {}

  absl::Status Error(absl::string_view member, absl::string_view expected) const {
    return absl::InvalidArgumentError(absl::StrCat(where_, ": member \"", member, "\" ", expected));
  }
  void set_where(std::string where) { where_ = std::move(where); }
  const std::string& where() const { return where_; }

  // Removes a member and returns it; null counts as absent.
  std::optional<json> Take(const std::string& member) {
    const auto found = object_.find(member);
    if (found == object_.end()) {
      return std::nullopt;
    }
    json value = std::move(*found);
    object_.erase(found);
    return value.is_null() ? std::nullopt : std::optional<json>(std::move(value));
  }

  absl::StatusOr<std::string> TakeString(const std::string& member) {
    const std::optional<json> value = Take(member);
    if (!value || !value->is_string()) {
      return Error(member, value ? absl::StrCat("must be a string, not ", Show(*value)) : "is missing");
    }
    return value->get<std::string>();
  }

  // Three integers within [least, kCoordinateMax].
  template <typename Vector>
  absl::StatusOr<Vector> TakeVector(const std::string& member, int64_t least) {
    const std::optional<json> value = Take(member);
    return value ? ParseVector<Vector>(member, *value, least) : Error(member, "is missing");
  }

  template <typename Vector>
  absl::StatusOr<Vector> ParseVector(const std::string& member, const json& value, int64_t least) const {
    const std::string expected = absl::StrCat("must be three integers [x, y, z], each at least ", least,
                                              " and at most ", kCoordinateMax, ", not ", Show(value));
    if (!value.is_array() || value.size() != 3) {
      return Error(member, expected);
    }
    Vector vector;
    for (int axis = 0; axis < 3; ++axis) {
      const json& element = value[static_cast<size_t>(axis)];
      const double number = element.is_number() ? element.get<double>() : std::nan("");
      if (!(number >= static_cast<double>(least) && number <= static_cast<double>(kCoordinateMax)) ||
          number != std::floor(number)) {
        return Error(member, expected);
      }
      vector[axis] = static_cast<int64_t>(number);
    }
    return vector;
  }

  absl::StatusOr<VoxelSizeNm> TakeResolution(const std::string& member) {
    const std::optional<json> value = Take(member);
    if (!value) {
      return Error(member, "is missing");
    }
    std::array<double, 3> nm{};
    bool valid = value->is_array() && value->size() == 3;
    for (size_t axis = 0; valid && axis < 3; ++axis) {
      valid = (*value)[axis].is_number();
      nm[axis] = valid ? (*value)[axis].get<double>() : 0;
      valid = std::isfinite(nm[axis]) && nm[axis] > 0;
    }
    if (!valid) {
      return Error(member, absl::StrCat("must be three positive numbers of nanometres, not ", Show(*value)));
    }
    return VoxelSizeNm{nm[0], nm[1], nm[2]};
  }

  std::string TakeRest() { return object_.empty() ? "" : Dump(object_); }

  static std::string Dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }
  // A value for an error message, cut when long.
  static std::string Show(const json& value) {
    std::string text = Dump(value);
    return text.size() <= 60 ? text : absl::StrCat(text.substr(0, 60), "...");
  }

 private:
  json object_;
  std::string where_;
};

absl::StatusOr<DataType> ParseDataType(Members& members) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string name, members.TakeString("data_type"));
  std::string known;
  for (const NamedType& row : kTypes) {
    if (absl::EqualsIgnoreCase(row.name, name)) {
      return row.type;
    }
    absl::StrAppend(&known, " ", row.name);
  }
  return members.Error("data_type", absl::StrCat("must be one of", known, ", not \"", name, "\""));
}

absl::StatusOr<Encoding> ParseEncoding(Members& members) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string name, members.TakeString("encoding"));
  if (name == "raw") {
    return Encoding::kRaw;
  }
  if (name == "compressed_segmentation") {
    return Encoding::kCompressedSegmentation;
  }
  return absl::UnimplementedError(absl::StrCat(members.where(), ": encoding \"", name,
                                               "\" is not supported; convert the scale to raw or "
                                               "compressed_segmentation"));
}

absl::StatusOr<Extent3> ParseChunkSize(Members& members) {
  const std::optional<json> sizes = members.Take("chunk_sizes");
  if (!sizes || !sizes->is_array() || sizes->empty() || !sizes->front().is_array()) {
    return members.Error("chunk_sizes", "must be a list of one chunk size [[x, y, z]]");
  }
  if (sizes->size() != 1) {
    return absl::UnimplementedError(
        absl::StrCat(members.where(), ": several chunk_sizes are not supported; keep one of them"));
  }
  return members.ParseVector<Extent3>("chunk_sizes", (*sizes)[0], 1);
}

absl::StatusOr<Scale> ParseScale(const json& object, size_t index) {
  Members members(object, absl::StrCat("info: scale ", index));
  if (!object.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(members.where(), " must be an object"));
  }
  Scale scale;
  CLEAVE_ASSIGN_OR_RETURN(scale.key, members.TakeString("key"));
  members.set_where(absl::StrCat("info: scale ", index, " (", scale.key, ")"));
  if (members.Take("sharding")) {
    return absl::UnimplementedError(absl::StrCat(
        members.where(), " is sharded; sharded scales are not supported: copy it to an unsharded volume first"));
  }
  CLEAVE_ASSIGN_OR_RETURN(scale.resolution, members.TakeResolution("resolution"));
  CLEAVE_ASSIGN_OR_RETURN(scale.size, members.TakeVector<Extent3>("size", 1));
  if (const std::optional<json> offset = members.Take("voxel_offset")) {
    CLEAVE_ASSIGN_OR_RETURN(scale.voxel_offset,
                            members.ParseVector<VoxelPoint>("voxel_offset", *offset, -kCoordinateMax));
  }
  CLEAVE_ASSIGN_OR_RETURN(scale.chunk_size, ParseChunkSize(members));
  CLEAVE_ASSIGN_OR_RETURN(scale.encoding, ParseEncoding(members));
  if (scale.encoding == Encoding::kCompressedSegmentation) {
    CLEAVE_ASSIGN_OR_RETURN(scale.block_size, members.TakeVector<Extent3>("compressed_segmentation_block_size", 1));
  } else if (members.Take("compressed_segmentation_block_size")) {
    return members.Error("compressed_segmentation_block_size", "must be absent when the encoding is raw");
  }
  scale.other_members = members.TakeRest();
  return scale;
}

json ToJson(const Extent3& v) { return json::array({v.x, v.y, v.z}); }
json ToJson(const VoxelPoint& v) { return json::array({v.x, v.y, v.z}); }

// 8.0 is written as 8, as everybody writes it.
json ToJson(double nm) {
  const bool whole = nm == std::floor(nm) && nm < static_cast<double>(kCoordinateMax);
  return whole ? json(static_cast<int64_t>(nm)) : json(nm);
}

json ObjectOf(const std::string& other_members) {
  return other_members.empty() ? json::object() : json::parse(other_members);
}

json ToJson(const Scale& scale) {
  json object = ObjectOf(scale.other_members);
  object["key"] = scale.key;
  object["resolution"] =
      json::array({ToJson(scale.resolution.x), ToJson(scale.resolution.y), ToJson(scale.resolution.z)});
  object["size"] = ToJson(scale.size);
  object["voxel_offset"] = ToJson(scale.voxel_offset);
  object["chunk_sizes"] = json::array({ToJson(scale.chunk_size)});
  object["encoding"] = std::string(EncodingName(scale.encoding));
  if (scale.encoding == Encoding::kCompressedSegmentation) {
    object["compressed_segmentation_block_size"] = ToJson(scale.block_size);
  }
  return object;
}

// A vector whose axes are within [least, kCoordinateMax].
template <typename Vector>
absl::Status CheckVector(const std::string& where, absl::string_view member, const Vector& v, int64_t least) {
  for (int axis = 0; axis < 3; ++axis) {
    if (v[axis] < least || v[axis] > kCoordinateMax) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": ", member, " is ", ToString(v),
                                                     "; each axis must be in [", least, ", ", kCoordinateMax, "]"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOtherMembers(const std::string& where, const std::string& text) {
  if (text.empty() || json::parse(text, nullptr, false).is_object()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(where, ": other_members is not the text of a JSON object"));
}

// A chunk of `size` voxels of at most kChunkVoxelsMax; the product cannot overflow on the way.
bool IsChunkSmall(const Extent3& size) {
  return size.x <= kChunkVoxelsMax && size.y <= kChunkVoxelsMax / size.x &&
         size.z <= kChunkVoxelsMax / (size.x * size.y);
}

// Chunk folders lie below the folder of the info object or beside it: "../" may stand in front only.
bool IsScaleKey(absl::string_view key) {
  while (absl::StartsWith(key, "../")) {
    key.remove_prefix(3);
  }
  for (const absl::string_view part : absl::StrSplit(key, '/')) {
    if (part.empty() || part == "." || part == ".." || absl::StrContains(part, '\0')) {
      return false;
    }
  }
  return true;
}

absl::Status ValidateScale(const Scale& scale, size_t index, DataType type) {
  const std::string where = absl::StrCat("info: scale ", index, " (", scale.key, ")");
  const auto invalid = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": ", what));
  };
  if (!IsScaleKey(scale.key)) {
    return invalid("key must be a relative path of named folders");
  }
  for (const double nm : {scale.resolution.x, scale.resolution.y, scale.resolution.z}) {
    if (!(std::isfinite(nm) && nm > 0)) {
      return invalid("resolution must be three positive numbers of nanometres");
    }
  }
  CLEAVE_RETURN_IF_ERROR(CheckVector(where, "size", scale.size, 1));
  CLEAVE_RETURN_IF_ERROR(CheckVector(where, "voxel_offset", scale.voxel_offset, -kCoordinateMax));
  CLEAVE_RETURN_IF_ERROR(CheckVector(where, "chunk_sizes", scale.chunk_size, 1));
  if (!IsChunkSmall(scale.chunk_size)) {
    return invalid(
        absl::StrCat("chunk_sizes ", ToString(scale.chunk_size), " is more than ", kChunkVoxelsMax, " voxels"));
  }
  if (scale.encoding == Encoding::kCompressedSegmentation) {
    CLEAVE_RETURN_IF_ERROR(CheckVector(where, "compressed_segmentation_block_size", scale.block_size, 1));
    if (!IsChunkSmall(scale.block_size)) {
      return invalid("compressed_segmentation_block_size is too large");
    }
    if (type != DataType::kUint32 && type != DataType::kUint64) {
      return invalid(absl::StrCat("encoding compressed_segmentation holds uint32 or uint64, not ", DataTypeName(type)));
    }
  }
  return CheckOtherMembers(where, scale.other_members);
}

}  // namespace

absl::StatusOr<Info> ParseInfo(absl::string_view json_text) {
  bool is_too_deep = false;
  const auto check_depth = [&is_too_deep](int depth, json::parse_event_t, const json&) {
    is_too_deep |= depth > kDepthMax;
    return !is_too_deep;
  };
  json object = json::parse(json_text.begin(), json_text.end(), check_depth, /*allow_exceptions=*/false);
  if (is_too_deep || !object.is_object()) {
    return absl::InvalidArgumentError(is_too_deep
                                          ? absl::StrCat("info: values are nested more than ", kDepthMax, " deep")
                                          : "info: not a JSON object");
  }
  Members members(std::move(object), "info");
  if (const std::optional<json> format = members.Take("@type"); format && *format != std::string(kFormatName)) {
    return members.Error("@type", absl::StrCat("must be \"", kFormatName, "\", not ", Members::Show(*format)));
  }
  Info info;
  CLEAVE_ASSIGN_OR_RETURN(info.type, members.TakeString("type"));
  CLEAVE_ASSIGN_OR_RETURN(info.data_type, ParseDataType(members));
  if (const std::optional<json> channels = members.Take("num_channels"); !channels || *channels != 1) {
    if (!channels || !channels->is_number_unsigned() || *channels == 0) {
      return members.Error("num_channels", "must be a positive integer");
    }
    return absl::UnimplementedError("info: volumes of several channels are not supported");
  }
  const std::optional<json> scales = members.Take("scales");
  if (!scales || !scales->is_array()) {
    return members.Error("scales", "must be a list of scales");
  }
  for (size_t i = 0; i < scales->size(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(Scale scale, ParseScale((*scales)[i], i));
    info.scales.push_back(std::move(scale));
  }
  info.other_members = members.TakeRest();
  CLEAVE_RETURN_IF_ERROR(ValidateInfo(info));
  return info;
}

std::string FormatInfo(const Info& info) {
  json object = ObjectOf(info.other_members);
  object["@type"] = std::string(kFormatName);
  object["type"] = info.type;
  object["data_type"] = std::string(DataTypeName(info.data_type));
  object["num_channels"] = 1;
  json& scales = object["scales"] = json::array();
  for (const Scale& scale : info.scales) {
    scales.push_back(ToJson(scale));
  }
  return Members::Dump(object);
}

absl::Status ValidateInfo(const Info& info) {
  if (info.type != "segmentation" && info.type != "image") {
    return absl::InvalidArgumentError(
        absl::StrCat("info: type must be \"segmentation\" or \"image\", not \"", info.type, "\""));
  }
  if (info.scales.empty()) {
    return absl::InvalidArgumentError("info: member \"scales\" must hold at least one scale");
  }
  std::set<std::string> keys;
  for (size_t i = 0; i < info.scales.size(); ++i) {
    CLEAVE_RETURN_IF_ERROR(ValidateScale(info.scales[i], i, info.data_type));
    if (!keys.insert(info.scales[i].key).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("info: scale ", i, " has the key \"", info.scales[i].key, "\" of an earlier scale"));
    }
  }
  return CheckOtherMembers("info", info.other_members);
}

std::string DefaultScaleKey(const VoxelSizeNm& resolution) {
  return absl::StrFormat("%g_%g_%g", resolution.x, resolution.y, resolution.z);
}

absl::string_view DataTypeName(DataType type) { return TypeRow(type).name; }

int64_t DataTypeSize(DataType type) { return TypeRow(type).byte_count; }

absl::string_view EncodingName(Encoding encoding) {
  return encoding == Encoding::kRaw ? "raw" : "compressed_segmentation";
}

}  // namespace cleave::volume
