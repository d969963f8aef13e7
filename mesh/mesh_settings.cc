#include "mesh/mesh_settings.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "graph/table_dump.h"
#include "volume/volume.h"

namespace cleave::mesh {
namespace {

using SettingsJson = nlohmann::json;

constexpr int kLayerMaxByDefault = 6;
constexpr double kMaxErrorNmByDefault = 40;

absl::Status WrongSetting(absl::string_view key, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat("mesh: ", key, " is to be ", expected));
}

// Numbers that YAML hands on as text.
SettingsJson Unquoted(const SettingsJson& value) {
  int64_t number = 0;
  if (value.is_string() && absl::SimpleAtoi(value.get_ref<const std::string&>(), &number)) {
    return number;
  }
  if (value.is_object()) {
    SettingsJson map = SettingsJson::object();
    for (const auto& [name, item] : value.items()) {
      map[name] = Unquoted(item);
    }
    return map;
  }
  return value;
}

absl::StatusOr<std::string> TextSetting(absl::string_view key, const SettingsJson& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty()
             ? absl::StatusOr<std::string>(value.get<std::string>())
             : WrongSetting(key, "a text");
}

absl::StatusOr<int> IntegerSetting(absl::string_view key, const SettingsJson& value) {
  const SettingsJson number = Unquoted(value);
  return number.is_number_integer() && number >= 0 && number <= 1000 ? absl::StatusOr<int>(number.get<int>())
                                                                     : WrongSetting(key, "a whole number");
}

absl::StatusOr<double> NumberSetting(absl::string_view key, const SettingsJson& value) {
  double number = 0;
  if (value.is_number()) {
    number = value.get<double>();
  } else if (!value.is_string() || !absl::SimpleAtod(value.get_ref<const std::string&>(), &number)) {
    number = -1;
  }
  return number >= 0 && number < 1e9 ? absl::StatusOr<double>(number) : WrongSetting(key, "a number of nm");
}

absl::StatusOr<absl::Time> TimeSetting(absl::string_view key, const SettingsJson& value) {
  absl::Time time;
  std::string error;
  if (!value.is_string() || !absl::ParseTime(absl::RFC3339_full, value.get<std::string>(), &time, &error) ||
      time < absl::UnixEpoch() || time > absl::FromUnixSeconds(int64_t{1} << 36)) {
    return WrongSetting(key, "a time like 2026-01-31T12:00:00Z");
  }
  return absl::FromUnixMillis(absl::ToUnixMillis(time));
}

absl::StatusOr<std::map<int, ShardingSpec>> ShardingSetting(const SettingsJson& value) {
  std::map<int, ShardingSpec> sharding;
  if (!value.is_object()) {
    return WrongSetting("sharding", "a map of layers");
  }
  for (const auto& [name, item] : value.items()) {
    int layer = 0;
    if (!absl::SimpleAtoi(name, &layer) || layer < graph::kL2Layer || !item.is_object()) {
      return WrongSetting("sharding", "a map of layers from 2 on, each a map");
    }
    SettingsJson members = FormatShardingSpec({});
    const SettingsJson asked = Unquoted(item);
    for (const auto& [member, number] : asked.items()) {
      if (!members.contains(member)) {
        return WrongSetting(absl::StrCat("sharding ", layer), absl::StrCat("without '", member, "'"));
      }
      members[member] = number;
    }
    CLEAVE_ASSIGN_OR_RETURN(sharding[layer], ParseShardingSpec(members));
    if (sharding[layer].gzip_data) {
      return WrongSetting("data_encoding", "'raw': clients read meshes by ranges and inflate nothing");
    }
  }
  return sharding;
}

// The record as asked, on top of what stands there or the defaults.
absl::StatusOr<MeshMeta> ResolveMeta(graph::Dataset& dataset, const MeshSettings& settings,
                                     const std::optional<MeshMeta>& stored) {
  const int layer_count = dataset.layout().layer_count();
  const VoxelSizeNm voxel = dataset.meta().voxel_size_nm;
  MeshMeta meta = stored.value_or(
      MeshMeta{.folder = "",
               .dir = "mesh",
               .dynamic_dir = absl::StrCat("dynamic_", dataset.meta().graph_id),
               .max_layer = std::clamp(layer_count - 1, graph::kL2Layer, kLayerMaxByDefault),
               .max_error_nm = kMaxErrorNmByDefault,
               .initial_time = settings.initial_time.value_or(dataset.meta().ingested + absl::Milliseconds(1)),
               .draco_grid_size_nm = std::min({voxel.x, voxel.y, voxel.z}) / 2});
  meta.folder = settings.folder.value_or(meta.folder);
  meta.dir = settings.dir.value_or(meta.dir);
  meta.dynamic_dir = settings.dynamic_dir.value_or(meta.dynamic_dir);
  meta.max_layer = settings.max_layer.value_or(meta.max_layer);
  meta.mip = settings.mip.value_or(meta.mip);
  meta.max_error_nm = settings.max_error_nm.value_or(meta.max_error_nm);
  meta.draco_grid_size_nm = settings.draco_grid_size_nm.value_or(meta.draco_grid_size_nm);
  CLEAVE_RETURN_IF_ERROR(ValidateMeshDir(meta.dir));
  CLEAVE_RETURN_IF_ERROR(ValidateMeshDir(meta.dynamic_dir));
  if (meta.dynamic_dir == "info" || absl::StartsWith(absl::StrCat(meta.dynamic_dir, "/"), "initial/")) {
    return WrongSetting("dynamic-dir", "another name than those of info and the initial meshes");
  }
  if (meta.max_layer < graph::kL2Layer || meta.max_layer > layer_count) {
    return WrongSetting("max-layer", absl::StrCat("from 2 to ", layer_count, ", the layer of roots"));
  }
  const auto scale_count = static_cast<int>(dataset.segmentation().info().scales.size());
  if (meta.mip < 0 || meta.mip >= scale_count) {
    return WrongSetting("mip", absl::StrCat("from 0 to ", scale_count - 1, ", a scale of the segmentation"));
  }
  if (!(meta.draco_grid_size_nm > 0)) {
    return WrongSetting("draco-grid-size", "more than 0 nm");
  }
  return meta;
}

absl::StatusOr<MeshInfo> ResolveInfo(const graph::Dataset& dataset, const MeshSettings& settings, const MeshMeta& meta,
                                     const std::optional<MeshInfo>& stored) {
  MeshInfo info{.mip = meta.mip, .chunk_size = dataset.layout().chunk_size(), .sharding = {}};
  for (int layer = graph::kL2Layer; layer <= meta.max_layer; ++layer) {
    ShardingSpec& spec = info.sharding[layer];
    if (stored.has_value() && stored->sharding.contains(layer)) {
      spec = stored->sharding.at(layer);
    }
    spec.minishard_bits = settings.minishard_bits.value_or(spec.minishard_bits);
    if (const auto asked = settings.sharding.find(layer); asked != settings.sharding.end()) {
      spec = asked->second;
    }
    CLEAVE_RETURN_IF_ERROR(ParseShardingSpec(FormatShardingSpec(spec)).status());
  }
  if (!settings.sharding.empty() && settings.sharding.rbegin()->first > meta.max_layer) {
    return WrongSetting("sharding", absl::StrCat("of layers up to max-layer, ", meta.max_layer));
  }
  return info;
}

void AddChanges(absl::string_view where, const std::string& before, const std::string& now,
                std::vector<MeshChange>& changes) {
  const SettingsJson old_members = SettingsJson::parse(before).flatten();
  const SettingsJson new_members = SettingsJson::parse(now).flatten();
  const auto add = [&](const std::string& path, const std::string& old_value, const std::string& new_value) {
    changes.push_back({std::string(where), absl::StrReplaceAll(path.substr(1), {{"/", "."}}), old_value, new_value});
  };
  for (const auto& [path, value] : old_members.items()) {
    if (!new_members.contains(path)) {
      add(path, value.dump(), "");
    } else if (new_members[path] != value) {
      add(path, value.dump(), new_members[path].dump());
    }
  }
  for (const auto& [path, value] : new_members.items()) {
    if (!old_members.contains(path)) {
      add(path, "", value.dump());
    }
  }
}

}  // namespace

absl::StatusOr<std::string> MeshFolderUrl(absl::string_view folder) {
  std::string url(folder);
  if (!absl::StrContains(folder, "://")) {
    if (!absl::StartsWith(folder, "/")) {
      return absl::InvalidArgumentError(
          absl::StrCat("mesh: folder '", folder, "' is to be an URL or an absolute path"));
    }
    url = absl::StrCat("file://", absl::StrReplaceAll(folder, {{"%", "%25"}}));
  }
  return absl::EndsWith(url, "/") ? url : url + "/";
}

absl::StatusOr<MeshSettings> ParseMeshSettings(absl::string_view text) {
  const SettingsJson json = SettingsJson::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError("mesh: this is no map");
  }
  MeshSettings settings;
  for (const auto& [name, value] : json.items()) {
    const std::string key = absl::StrReplaceAll(name, {{"_", "-"}});
    if (key == "folder") {
      CLEAVE_ASSIGN_OR_RETURN(const std::string folder, TextSetting(key, value));
      CLEAVE_ASSIGN_OR_RETURN(settings.folder, MeshFolderUrl(folder));
    } else if (key == "dir") {
      CLEAVE_ASSIGN_OR_RETURN(settings.dir, TextSetting(key, value));
    } else if (key == "dynamic-dir" || key == "dynamic-mesh-dir") {
      CLEAVE_ASSIGN_OR_RETURN(settings.dynamic_dir, TextSetting(key, value));
    } else if (key == "max-layer") {
      CLEAVE_ASSIGN_OR_RETURN(settings.max_layer, IntegerSetting(key, value));
    } else if (key == "mip") {
      CLEAVE_ASSIGN_OR_RETURN(settings.mip, IntegerSetting(key, value));
    } else if (key == "max-error") {
      CLEAVE_ASSIGN_OR_RETURN(settings.max_error_nm, NumberSetting(key, value));
    } else if (key == "draco-grid-size") {
      CLEAVE_ASSIGN_OR_RETURN(settings.draco_grid_size_nm, NumberSetting(key, value));
    } else if (key == "initial-time") {
      CLEAVE_ASSIGN_OR_RETURN(settings.initial_time, TimeSetting(key, value));
    } else if (key == "minishard-bits") {
      CLEAVE_ASSIGN_OR_RETURN(settings.minishard_bits, IntegerSetting(key, value));
    } else if (key == "sharding") {
      CLEAVE_ASSIGN_OR_RETURN(settings.sharding, ShardingSetting(value));
    } else {
      return absl::InvalidArgumentError(absl::StrCat("mesh: there is no key '", name, "'; docs/cli.md tells them"));
    }
  }
  return settings;
}

absl::StatusOr<std::shared_ptr<store::Store>> OpenMeshStore(graph::Dataset& dataset, const MeshMeta& meta) {
  if (meta.folder.empty()) {
    return dataset.meshes();
  }
  absl::StatusOr<std::unique_ptr<store::Store>> opened = store::OpenStore(meta.folder);
  if (!opened.ok()) {
    return Annotate(opened.status(), "the folder of meshes");
  }
  return std::shared_ptr<store::Store>(*std::move(opened));
}

absl::StatusOr<MeshMetaReport> StoreMeshMeta(graph::Dataset& dataset, const MeshSettings& settings) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<MeshMeta> stored, ReadMeshMeta(dataset.table()));
  MeshMetaReport report;
  report.is_first = !stored.has_value();
  CLEAVE_ASSIGN_OR_RETURN(report.meta, ResolveMeta(dataset, settings, stored));
  report.kept_initial_time = settings.initial_time.has_value() && *settings.initial_time != report.meta.initial_time;
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<store::Store> store, OpenMeshStore(dataset, report.meta));
  const std::string key = absl::StrCat(report.meta.dir, "/info");
  report.info_file = store->Describe(key);
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store->Read(key));
  std::optional<MeshInfo> stored_info;
  if (read.value.has_value()) {
    absl::StatusOr<MeshInfo> parsed = ParseMeshInfo(*read.value);
    if (!parsed.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(report.info_file, ": ", parsed.status().message(), "; delete it, or name another dir"));
    }
    stored_info = *std::move(parsed);
  }
  CLEAVE_ASSIGN_OR_RETURN(report.info, ResolveInfo(dataset, settings, report.meta, stored_info));
  if (stored_info != report.info) {
    if (stored_info.has_value()) {
      AddChanges("info", FormatMeshInfo(*stored_info), FormatMeshInfo(report.info), report.changes);
    }
    CLEAVE_RETURN_IF_ERROR(store->Write(key, FormatMeshInfo(report.info), {.if_generation = read.generation}).status());
  }
  if (stored != report.meta) {
    if (stored.has_value()) {
      AddChanges("record", FormatMeshMeta(*stored), FormatMeshMeta(report.meta), report.changes);
    }
    CLEAVE_RETURN_IF_ERROR(WriteMeshMeta(dataset.table(), report.meta, graph::EncodePeerRecord(dataset)));
  }
  return report;
}

}  // namespace cleave::mesh
