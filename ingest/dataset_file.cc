#include "ingest/dataset_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "base/status.h"
#include "graph/graph_meta.h"
#include "store/redis_connection.h"

namespace cleave::ingest {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kTextBytesMax = size_t{1} << 20;
constexpr int kDepthMax = 20;
constexpr int64_t kCountMax = int64_t{1} << 30;

absl::Status Wrong(const YAML::Mark& mark, absl::string_view what) {
  return absl::InvalidArgumentError(mark.is_null() ? std::string(what)
                                                   : absl::StrCat("line ", mark.line + 1, ": ", what));
}

// A reader of one value, which writes into the dataset.
using Reader = std::function<absl::Status(const YAML::Node&)>;
struct Key {
  Reader read;
  bool required = false;
};
using Keys = std::map<std::string, Key>;

absl::Status ReadMap(const YAML::Node& node, absl::string_view where, const Keys& keys) {
  if (!node.IsMap()) {
    return Wrong(node.Mark(), absl::StrCat(where, " is to be a map of 'KEY: VALUE'"));
  }
  std::map<std::string, int> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      return Wrong(entry.first.Mark(), absl::StrCat("a key of ", where, " is to be a word"));
    }
    const std::string& name = entry.first.Scalar();
    const auto key = keys.find(name);
    if (key == keys.end()) {
      return Wrong(entry.first.Mark(), absl::StrCat(where, " has no key '", name, "'"));
    }
    if (++seen[name] > 1) {
      return Wrong(entry.first.Mark(), absl::StrCat("'", name, "' stands there twice"));
    }
    if (const absl::Status status = key->second.read(entry.second); !status.ok()) {
      return absl::StrContains(status.message(), "line ")
                 ? status
                 : Wrong(entry.second.Mark(), absl::StrCat(name, ": ", status.message()));
    }
  }
  for (const auto& [name, key] : keys) {
    if (key.required && !seen.contains(name)) {
      return Wrong(node.Mark(), absl::StrCat(where, " lacks '", name, "'"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Text(const YAML::Node& node) {
  return node.IsScalar() && !node.Scalar().empty() ? absl::StatusOr<std::string>(node.Scalar())
                                                   : absl::InvalidArgumentError("is to be a text");
}

absl::StatusOr<int64_t> Integer(const YAML::Node& node) {
  int64_t value = 0;
  return node.IsScalar() && absl::SimpleAtoi(node.Scalar(), &value)
             ? absl::StatusOr<int64_t>(value)
             : absl::InvalidArgumentError("is to be a whole number");
}

absl::StatusOr<int64_t> Count(const YAML::Node& node, int64_t count_max) {
  CLEAVE_ASSIGN_OR_RETURN(const int64_t value, Integer(node));
  return value >= 1 && value <= count_max ? absl::StatusOr<int64_t>(value)
                                          : absl::InvalidArgumentError(absl::StrCat("is to be from 1 to ", count_max));
}

absl::Status CheckTriple(const YAML::Node& node) {
  return node.IsSequence() && node.size() == 3 ? absl::OkStatus()
                                               : absl::InvalidArgumentError("is to be a list [x, y, z]");
}

absl::StatusOr<VoxelPoint> Point(const YAML::Node& node) {
  CLEAVE_RETURN_IF_ERROR(CheckTriple(node));
  VoxelPoint point;
  for (int axis = 0; axis < 3; ++axis) {
    CLEAVE_ASSIGN_OR_RETURN(point[axis], Integer(node[axis]));
  }
  return point;
}

absl::StatusOr<VoxelSizeNm> VoxelSize(const YAML::Node& node) {
  CLEAVE_RETURN_IF_ERROR(CheckTriple(node));
  double sizes[3];
  for (int axis = 0; axis < 3; ++axis) {
    if (!node[axis].IsScalar() || !absl::SimpleAtod(node[axis].Scalar(), &sizes[axis]) || !std::isfinite(sizes[axis])) {
      return absl::InvalidArgumentError("is to be three numbers, in nm");
    }
  }
  return VoxelSizeNm{sizes[0], sizes[1], sizes[2]};
}

absl::StatusOr<std::vector<FusePair>> Pairs(const YAML::Node& node) {
  std::vector<FusePair> pairs;
  const auto label = [](const YAML::Node& item, uint64_t& value) {
    return item.IsScalar() && absl::SimpleAtoi(item.Scalar(), &value);
  };
  for (size_t i = 0; node.IsSequence() && i < node.size(); ++i) {
    FusePair& pair = pairs.emplace_back();
    const YAML::Node item = node[i];
    if (!item.IsSequence() || item.size() != 2 || !label(item[0], pair.a) || !label(item[1], pair.b)) {
      return absl::InvalidArgumentError("is to be a list of pairs [a, b] of labels");
    }
  }
  return node.IsSequence() ? absl::StatusOr<std::vector<FusePair>>(std::move(pairs))
                           : absl::InvalidArgumentError("is to be a list of pairs [a, b] of labels");
}

absl::StatusOr<Json> ToJson(const YAML::Node& node, int depth) {
  if (depth > kDepthMax) {
    return absl::InvalidArgumentError("is nested too deeply");
  }
  if (node.IsSequence()) {
    Json list = Json::array();
    for (size_t i = 0; i < node.size(); ++i) {
      CLEAVE_ASSIGN_OR_RETURN(Json item, ToJson(node[i], depth + 1));
      list.push_back(std::move(item));
    }
    return list;
  }
  if (node.IsMap()) {
    Json map = Json::object();
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        return absl::InvalidArgumentError("has a key that is no word");
      }
      CLEAVE_ASSIGN_OR_RETURN(map[entry.first.Scalar()], ToJson(entry.second, depth + 1));
    }
    return map;
  }
  return node.IsScalar() ? Json(node.Scalar()) : Json(nullptr);
}

// Reads one file into `dataset_`.
class DatasetReader {
 public:
  explicit DatasetReader(const std::string& folder) : folder_(folder) {}

  absl::StatusOr<DatasetFile> Read(const YAML::Node& file) {
    const Keys keys = {
        {"project", {PathInto(options().project_folder), true}},
        {"time", {[this](const YAML::Node& node) { return ReadTime(node); }}},
        {"graph", {[this](const YAML::Node& node) { return ReadMap(node, "graph", GraphKeys()); }}},
        {"voxels", {[this](const YAML::Node& node) { return ReadMap(node, "voxels", VoxelKeys()); }, true}},
        {"jobs", {[this](const YAML::Node& node) { return ReadMap(node, "jobs", JobKeys()); }}},
        {"mesh", {[this](const YAML::Node& node) { return ReadMesh(node); }}}};
    CLEAVE_RETURN_IF_ERROR(ReadMap(file, "the file", keys));
    return dataset_.from_chunk_files() ? CheckChunkFiles() : CheckLabels();
  }

 private:
  IngestOptions& options() { return dataset_.options.base; }

  template <typename T, typename Read>
  static Reader Into(T& target, Read read) {
    return [&target, read](const YAML::Node& node) -> absl::Status {
      CLEAVE_ASSIGN_OR_RETURN(target, read(node));
      return absl::OkStatus();
    };
  }
  Reader PathInto(std::string& target) const {
    return Into(target, [this](const YAML::Node& node) -> absl::StatusOr<std::string> {
      CLEAVE_ASSIGN_OR_RETURN(const std::string text, Text(node));
      return absl::StrContains(text, "://") ? text
                                            : (std::filesystem::path(folder_) / text).lexically_normal().string();
    });
  }

  Keys GraphKeys() {
    return {{"id", {Into(options().graph_id, Text)}},
            {"chunk-size", {[this](const YAML::Node& node) -> absl::Status {
               CLEAVE_ASSIGN_OR_RETURN(const VoxelPoint size, Point(node));
               options().chunk_size = {size.x, size.y, size.z};
               has_chunk_size_ = true;
               return absl::OkStatus();
             }}},
            {"edges", {PathInto(dataset_.options.edges)}},
            {"components", {PathInto(dataset_.options.components)}},
            {"agglomeration", {PathInto(options().agglomeration_file)}},
            {"pieces", {PathInto(options().pieces_file)}},
            {"fuse", {Into(options().fuse, Pairs)}}};
  }
  Keys VoxelKeys() {
    return {{"segmentation", {PathInto(options().labels), true}},
            {"resolution", {Into(options().voxel_size_nm, VoxelSize)}},
            {"offset", {Into(options().voxel_offset, Point)}},
            {"scales",
             {Into(options().scales,
                   [](const YAML::Node& node) -> absl::StatusOr<int> {
                     CLEAVE_ASSIGN_OR_RETURN(const int64_t scales, Count(node, graph::kScaleCountMax));
                     return static_cast<int>(scales);
                   })}},
            {"base", {Into(options().base, [](const YAML::Node& node) -> absl::StatusOr<BaseKind> {
               CLEAVE_ASSIGN_OR_RETURN(const std::string kind, Text(node));
               if (kind != "copy" && kind != "overlay") {
                 return absl::InvalidArgumentError("is to be 'copy' or 'overlay'");
               }
               return kind == "copy" ? BaseKind::kCopy : BaseKind::kOverlay;
             })}}};
  }
  Keys JobKeys() {
    return {{"chunks", {Into(dataset_.chunks_per_job, [](const YAML::Node& node) { return Count(node, kCountMax); })}},
            {"redis", {Into(dataset_.redis, [](const YAML::Node& node) -> absl::StatusOr<std::string> {
               CLEAVE_ASSIGN_OR_RETURN(const std::string url, Text(node));
               CLEAVE_RETURN_IF_ERROR(store::ParseRedisUrl(url).status());
               return url;
             })}}};
  }

  absl::Status ReadTime(const YAML::Node& node) {
    CLEAVE_ASSIGN_OR_RETURN(const std::string text, Text(node));
    absl::Time time;
    std::string error;
    if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error) || time < absl::UnixEpoch() ||
        time > absl::FromUnixSeconds(int64_t{1} << 40)) {
      return absl::InvalidArgumentError("is to be a time like 2026-01-31T12:00:00Z");
    }
    dataset_.time = absl::FromUnixMillis(absl::ToUnixMillis(time));
    return absl::OkStatus();
  }

  absl::Status ReadMesh(const YAML::Node& node) {
    if (!node.IsMap()) {
      return absl::InvalidArgumentError("is to be a map of 'KEY: VALUE'");
    }
    CLEAVE_ASSIGN_OR_RETURN(const Json json, ToJson(node, 0));
    dataset_.mesh = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return absl::OkStatus();
  }

  absl::StatusOr<DatasetFile> CheckChunkFiles() {
    if (!has_chunk_size_) {
      return absl::InvalidArgumentError(
          "graph lacks 'chunk-size': that with which the ids of the chunk files were made");
    }
    if (!options().agglomeration_file.empty() || !options().pieces_file.empty() || !options().fuse.empty()) {
      return absl::InvalidArgumentError(
          "agglomeration, pieces and fuse are for labels; beside 'edges' they have no meaning");
    }
    return dataset_;
  }
  absl::StatusOr<DatasetFile> CheckLabels() {
    if (!dataset_.options.components.empty()) {
      return absl::InvalidArgumentError("graph has 'components' without 'edges'");
    }
    return dataset_;
  }

  const std::string folder_;
  DatasetFile dataset_;
  bool has_chunk_size_ = false;
};

}  // namespace

absl::StatusOr<DatasetFile> ParseDatasetFile(absl::string_view text, const std::string& folder) {
  if (text.size() > kTextBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("is longer than ", kTextBytesMax, " bytes"));
  }
  try {
    return DatasetReader(folder).Read(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& error) {
    return Wrong(error.mark, error.msg);
  }
}

absl::StatusOr<DatasetFile> ReadDatasetFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file) {
    return absl::NotFoundError(absl::StrCat("cannot read ", path));
  }
  absl::StatusOr<DatasetFile> dataset =
      ParseDatasetFile(text, std::filesystem::absolute(path).parent_path().lexically_normal().string());
  return dataset.ok() ? dataset : absl::StatusOr<DatasetFile>(Annotate(dataset.status(), path));
}

std::string EncodeDatasetFile(const DatasetFile& dataset) {
  const IngestOptions& options = dataset.options.base;
  Json json;
  json["project"] = options.project_folder;
  if (dataset.time.has_value()) {
    json["time"] = absl::FormatTime(absl::RFC3339_full, *dataset.time, absl::UTCTimeZone());
  }
  Json& graph = json["graph"];
  graph["id"] = options.graph_id;
  graph["chunk-size"] = {options.chunk_size.x, options.chunk_size.y, options.chunk_size.z};
  const auto put = [](Json& section, const char* key, const std::string& value) {
    if (!value.empty()) {
      section[key] = value;
    }
  };
  put(graph, "edges", dataset.options.edges);
  put(graph, "components", dataset.options.components);
  put(graph, "agglomeration", options.agglomeration_file);
  put(graph, "pieces", options.pieces_file);
  for (const FusePair& pair : options.fuse) {
    graph["fuse"].push_back({pair.a, pair.b});
  }
  Json& voxels = json["voxels"];
  voxels["segmentation"] = options.labels;
  if (options.voxel_size_nm.has_value()) {
    voxels["resolution"] = {options.voxel_size_nm->x, options.voxel_size_nm->y, options.voxel_size_nm->z};
  }
  if (options.voxel_offset.has_value()) {
    voxels["offset"] = {options.voxel_offset->x, options.voxel_offset->y, options.voxel_offset->z};
  }
  voxels["base"] = options.base == BaseKind::kOverlay ? "overlay" : "copy";
  if (options.scales != 0) {
    voxels["scales"] = options.scales;
  }
  if (dataset.chunks_per_job != 0) {
    json["jobs"]["chunks"] = dataset.chunks_per_job;
  }
  if (!dataset.redis.empty()) {
    json["jobs"]["redis"] = dataset.redis;
  }
  if (!dataset.mesh.empty()) {
    json["mesh"] = Json::parse(dataset.mesh);
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cleave::ingest
