// project.json, version 1, or 2 with the last member:
//
//   {
//     "format": "cleave-project",
//     "version": 1,
//     "graph_id": "graph",
//     "voxel_offset": [x, y, z],      voxels: the first voxel of the volume
//     "size": [x, y, z],              voxels
//     "chunk_size": [x, y, z],        voxels of an L2 chunk
//     "voxel_size_nm": [x, y, z],
//     "ingested": "2026-01-31T12:00:00.000Z",
//     "original": {"url": "file:///data/seg/", "info": {...}}     volume/original.h
//   }
#include "graph/graph_meta.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "graph/ids.h"

namespace cleave::graph {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormat[] = "cleave-project";
constexpr int64_t kVersionOfCopy = 1;
constexpr int64_t kVersionOfOverlay = 2;
constexpr char kTimeFormat[] = "%Y-%m-%dT%H:%M:%E3SZ";

bool CanNameAFolder(absl::string_view graph_id) {
  for (const char c : graph_id) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-') {
      return false;
    }
  }
  return !graph_id.empty() && graph_id.size() <= 100 && graph_id != "base";
}

bool InRange(int64_t coordinate) { return coordinate >= -kVoxelCoordinateMax && coordinate <= kVoxelCoordinateMax; }

template <typename Vector>
bool AllInRange(const Vector& v) {
  return InRange(v.x) && InRange(v.y) && InRange(v.z);
}

bool IsSize(double nm) { return std::isfinite(nm) && nm > 0; }

absl::Status Wrong(absl::string_view member, absl::string_view expected) {
  return absl::DataLossError(absl::StrCat("member '", member, "' is missing or not ", expected));
}

// Whole numbers are bounded so that sums of them cannot overflow.
bool IsInteger(const Json& json) {
  if (json.is_number_unsigned()) {
    return json.get<uint64_t>() <= uint64_t{kVoxelCoordinateMax};
  }
  return json.is_number_integer() && InRange(json.get<int64_t>());
}

template <typename Number>
absl::StatusOr<std::array<Number, 3>> ReadTriple(const Json& json, const char* member) {
  constexpr bool kIntegers = std::is_integral_v<Number>;
  const auto value = json.find(member);
  const bool fits = value != json.end() && value->is_array() && value->size() == 3 &&
                    std::ranges::all_of(*value, [](const Json& element) {
                      return kIntegers ? IsInteger(element) : element.is_number();
                    });
  if (!fits) {
    return Wrong(member, kIntegers ? "three whole numbers" : "three numbers");
  }
  return value->get<std::array<Number, 3>>();
}

absl::StatusOr<std::string> ReadText(const Json& json, const char* member) {
  const auto value = json.find(member);
  if (value == json.end() || !value->is_string()) {
    return Wrong(member, "a text");
  }
  return value->get<std::string>();
}

absl::Status CheckFormat(const Json& json) {
  if (!json.is_object()) {
    return absl::DataLossError("not a JSON object");
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string format, ReadText(json, "format"));
  if (format != kFormat) {
    return Wrong("format", absl::StrCat("'", kFormat, "'"));
  }
  const auto version = json.find("version");
  if (version == json.end() || !IsInteger(*version)) {
    return Wrong("version", "a whole number");
  }
  if (version->get<int64_t>() != kVersionOfCopy && version->get<int64_t>() != kVersionOfOverlay) {
    return absl::FailedPreconditionError(absl::StrCat("the project has format version ", version->get<int64_t>(),
                                                      ", this program reads versions ", kVersionOfCopy, " and ",
                                                      kVersionOfOverlay));
  }
  return absl::OkStatus();
}

absl::StatusOr<volume::OriginalVolume> ReadOriginal(const Json& json) {
  const auto value = json.find("original");
  if (value == json.end() || !value->is_object() || !value->contains("info")) {
    return Wrong("original", "an object with an info");
  }
  volume::OriginalVolume original;
  CLEAVE_ASSIGN_OR_RETURN(original.url, ReadText(*value, "url"));
  absl::StatusOr<volume::Info> info = volume::ParseInfo((*value)["info"].dump());
  if (!info.ok() || info->scales.size() != 1) {
    return Wrong("original", absl::StrCat("of one scale: ", info.status().message()));
  }
  original.info = *std::move(info);
  return original;
}

bool IsUtf8(const std::string& text) {
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::ignore)) == Json(text);
}

// Chunks of the graph and of the original begin at the same voxel, so none of these lies in two of those when their
// size divides, or when there is but one.
bool Straddles(const GraphMeta& meta, int axis) {
  return meta.chunk_size[axis] % meta.original->scale().chunk_size[axis] != 0 &&
         meta.volume.extent()[axis] > meta.chunk_size[axis];
}

absl::Status ValidateOriginal(const GraphMeta& meta) {
  const volume::OriginalVolume& original = *meta.original;
  if (original.url.empty() || !IsUtf8(original.url) || original.info.scales.size() != 1) {
    return absl::InvalidArgumentError("an original has a URL that is text, and one scale");
  }
  CLEAVE_RETURN_IF_ERROR(volume::ValidateInfo(original.info));
  if (original.scale().bounds() != meta.volume) {
    return absl::InvalidArgumentError(absl::StrCat("the volume ", ToString(meta.volume), " is not that of ",
                                                   original.url, ", which is ", ToString(original.scale().bounds()),
                                                   "; an overlay reads its voxels where they are"));
  }
  for (int axis = 0; axis < 3; ++axis) {
    if (Straddles(meta, axis)) {
      return absl::InvalidArgumentError(
          absl::StrCat("chunks of ", original.url, ", which are ", ToString(original.scale().chunk_size),
                       " voxels, would lie in two chunks of the graph, which are ", ToString(meta.chunk_size),
                       "; choose a chunk size of which theirs is a divisor along every axis"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateGraphMeta(const GraphMeta& meta) {
  if (!CanNameAFolder(meta.graph_id)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", meta.graph_id,
                     "' cannot be a graph id: it names a folder, so use up to 100 letters, digits, "
                     "'_' and '-', and not 'base'"));
  }
  const VoxelSizeNm& size = meta.voxel_size_nm;
  if (!IsSize(size.x) || !IsSize(size.y) || !IsSize(size.z)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the voxel size ", size.x, ",", size.y, ",", size.z, " nm must be positive on every axis"));
  }
  if (meta.ingested < absl::UnixEpoch() ||
      meta.ingested >= absl::FromCivil(absl::CivilYear(10000), absl::UTCTimeZone())) {
    return absl::InvalidArgumentError("the time of ingest must lie in the years 1970 to 9999");
  }
  if (!AllInRange(meta.volume.lo) || !AllInRange(meta.volume.hi) || !AllInRange(meta.chunk_size)) {
    return absl::InvalidArgumentError(absl::StrCat("the volume ", ToString(meta.volume), " or the chunk size ",
                                                   ToString(meta.chunk_size), " reaches beyond ", kVoxelCoordinateMax));
  }
  if (meta.scale_count < 0 || meta.scale_count > kScaleCountMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a volume cannot have ", meta.scale_count, " scales; at most ", kScaleCountMax, " are possible"));
  }
  CLEAVE_RETURN_IF_ERROR(IdLayout::Create(meta.volume, meta.chunk_size).status());
  return meta.original.has_value() ? ValidateOriginal(meta) : absl::OkStatus();
}

std::string EncodeGraphMeta(const GraphMeta& meta) {
  const auto triple = [](const auto& v) { return Json::array({v.x, v.y, v.z}); };
  Json json;
  json["format"] = kFormat;
  json["version"] = meta.original.has_value() ? kVersionOfOverlay : kVersionOfCopy;
  json["graph_id"] = meta.graph_id;
  json["voxel_offset"] = triple(meta.volume.lo);
  json["size"] = triple(meta.volume.extent());
  json["chunk_size"] = triple(meta.chunk_size);
  json["voxel_size_nm"] = triple(meta.voxel_size_nm);
  json["ingested"] = absl::FormatTime(kTimeFormat, meta.ingested, absl::UTCTimeZone());
  if (meta.scale_count != 0) {
    json["scale_count"] = meta.scale_count;
  }
  if (meta.original.has_value()) {
    json["original"] = {{"url", meta.original->url}, {"info", Json::parse(volume::FormatInfo(meta.original->info))}};
  }
  std::string text = "{\n";
  for (auto member = json.begin(); member != json.end(); ++member) {
    absl::StrAppend(&text, "  ", Json(member.key()).dump(), ": ", member.value().dump(),
                    std::next(member) == json.end() ? "\n" : ",\n");
  }
  return text + "}\n";
}

absl::StatusOr<GraphMeta> DecodeGraphMeta(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return absl::DataLossError("not JSON");
  }
  CLEAVE_RETURN_IF_ERROR(CheckFormat(json));
  GraphMeta meta;
  CLEAVE_ASSIGN_OR_RETURN(meta.graph_id, ReadText(json, "graph_id"));
  CLEAVE_ASSIGN_OR_RETURN(const auto offset, ReadTriple<int64_t>(json, "voxel_offset"));
  CLEAVE_ASSIGN_OR_RETURN(const auto size, ReadTriple<int64_t>(json, "size"));
  CLEAVE_ASSIGN_OR_RETURN(const auto chunk, ReadTriple<int64_t>(json, "chunk_size"));
  CLEAVE_ASSIGN_OR_RETURN(const auto voxel, ReadTriple<double>(json, "voxel_size_nm"));
  CLEAVE_ASSIGN_OR_RETURN(const std::string ingested, ReadText(json, "ingested"));
  meta.volume = BoxAt({offset[0], offset[1], offset[2]}, {size[0], size[1], size[2]});
  meta.chunk_size = {chunk[0], chunk[1], chunk[2]};
  meta.voxel_size_nm = {voxel[0], voxel[1], voxel[2]};
  std::string time_error;
  if (!absl::ParseTime(absl::RFC3339_full, ingested, &meta.ingested, &time_error)) {
    return Wrong("ingested", absl::StrCat("a time such as 2026-01-31T12:00:00.000Z: ", time_error));
  }
  meta.ingested = absl::FromUnixMillis(absl::ToUnixMillis(meta.ingested));
  if (const auto count = json.find("scale_count"); count != json.end()) {
    if (!IsInteger(*count) || count->get<int64_t>() < 0 || count->get<int64_t>() > kScaleCountMax) {
      return Wrong("scale_count", absl::StrCat("a whole number up to ", kScaleCountMax));
    }
    meta.scale_count = static_cast<int>(count->get<int64_t>());
  }
  if (json["version"].get<int64_t>() == kVersionOfOverlay) {
    CLEAVE_ASSIGN_OR_RETURN(meta.original, ReadOriginal(json));
  }
  if (const absl::Status valid = ValidateGraphMeta(meta); !valid.ok()) {
    return absl::DataLossError(valid.message());
  }
  return meta;
}

}  // namespace cleave::graph
