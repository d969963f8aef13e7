#include "mesh/mesh_meta.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "store/store.h"
#include "table/columns.h"
#include "table/pickled_custom.h"
#include "table/row_keys.h"

namespace cleave::mesh {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kSecondsMax = 1e11;
constexpr int kLayerMax = 64;

// Reads members of one dict.
class MetaReader {
 public:
  explicit MetaReader(const Json& json) : json_(json) {}

  absl::StatusOr<std::string> Text(const char* member, const char* otherwise) const {
    const Json* value = Find(member);
    if (value == nullptr && otherwise != nullptr) {
      return std::string(otherwise);
    }
    return value != nullptr && value->is_string() ? absl::StatusOr<std::string>(value->get<std::string>())
                                                  : Wrong(member, "a text");
  }
  absl::StatusOr<int> Integer(const char* member, int min, int max) const {
    const Json* value = Find(member);
    if (value == nullptr || !value->is_number_integer() || *value < min || *value > max) {
      return Wrong(member, absl::StrCat("a whole number from ", min, " to ", max));
    }
    return value->get<int>();
  }
  absl::StatusOr<double> Number(const char* member, std::optional<double> otherwise) const {
    const Json* value = Find(member);
    if (value == nullptr && otherwise.has_value()) {
      return *otherwise;
    }
    const double number = value != nullptr && value->is_number() ? value->get<double>() : -1;
    return number >= 0 && number < kSecondsMax ? absl::StatusOr<double>(number) : Wrong(member, "a number");
  }
  absl::StatusOr<bool> Flag(const char* member, bool otherwise) const {
    const Json* value = Find(member);
    if (value == nullptr) {
      return otherwise;
    }
    return value->is_boolean() ? absl::StatusOr<bool>(value->get<bool>()) : Wrong(member, "true or false");
  }

 private:
  [[nodiscard]] const Json* Find(const char* member) const {
    const auto found = json_.find(member);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  static absl::Status Wrong(absl::string_view member, absl::string_view expected) {
    return absl::DataLossError(absl::StrCat("the graph's mesh record: ", member, " is not ", expected,
                                            "; `cleave ingest mesh-meta` writes it"));
  }

  const Json& json_;
};

absl::Status DirsAsDataLoss(const MeshMeta& meta) {
  for (const std::string& dir : {meta.dir, meta.dynamic_dir}) {
    if (const absl::Status status = ValidateMeshDir(dir); !status.ok()) {
      return absl::DataLossError(absl::StrCat("the graph's mesh record: ", status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string FormatMeshMeta(const MeshMeta& meta) {
  const int64_t initial_ms = absl::ToUnixMillis(meta.initial_time);
  Json json;
  json["dir"] = meta.dir;
  json["dynamic_mesh_dir"] = meta.dynamic_dir;
  json["max_layer"] = meta.max_layer;
  json["mip"] = meta.mip;
  json["max_error"] = meta.max_error_nm;
  json["verify"] = meta.verify;
  json["initial_ts"] = initial_ms % 1000 == 0 ? Json(initial_ms / 1000) : Json(static_cast<double>(initial_ms) / 1000);
  json["uniform_draco_grid_size"] = meta.draco_grid_size_nm;
  if (!meta.folder.empty()) {
    json["folder"] = meta.folder;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<MeshMeta> ParseMeshMeta(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) {
    return absl::DataLossError("the graph's mesh record is no dict");
  }
  const MetaReader reader(json);
  MeshMeta meta;
  CLEAVE_ASSIGN_OR_RETURN(meta.folder, reader.Text("folder", ""));
  CLEAVE_ASSIGN_OR_RETURN(meta.dir, reader.Text("dir", nullptr));
  CLEAVE_ASSIGN_OR_RETURN(meta.dynamic_dir, reader.Text("dynamic_mesh_dir", "dynamic"));
  CLEAVE_ASSIGN_OR_RETURN(meta.max_layer, reader.Integer("max_layer", 2, kLayerMax));
  CLEAVE_ASSIGN_OR_RETURN(meta.mip, reader.Integer("mip", 0, kLayerMax));
  CLEAVE_ASSIGN_OR_RETURN(meta.max_error_nm, reader.Number("max_error", 0));
  CLEAVE_ASSIGN_OR_RETURN(meta.verify, reader.Flag("verify", true));
  CLEAVE_ASSIGN_OR_RETURN(const double seconds, reader.Number("initial_ts", std::nullopt));
  meta.initial_time = absl::FromUnixMillis(std::llround(seconds * 1000));
  CLEAVE_ASSIGN_OR_RETURN(meta.draco_grid_size_nm, reader.Number("uniform_draco_grid_size", 1));
  CLEAVE_RETURN_IF_ERROR(DirsAsDataLoss(meta));
  return meta;
}

absl::StatusOr<std::optional<MeshMeta>> ReadMeshMeta(const table::TableReader& table) {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row, table.ReadRow(table::kMetaRowKey, {.columns = {table::columns::kMeta},
                                                                                   .cells_per_column = 1}));
  const table::Cell* cell = row.Newest(table::columns::kMeta);
  if (cell == nullptr) {
    return std::nullopt;
  }
  const absl::StatusOr<std::string> json = table::ReadCustomData(cell->value, "mesh");
  if (!json.ok()) {
    return Annotate(json.status(), "row 'meta'");
  }
  if (json->empty() || *json == "null" || *json == "{}") {
    return std::nullopt;
  }
  CLEAVE_ASSIGN_OR_RETURN(MeshMeta meta, ParseMeshMeta(*json));
  return meta;
}

absl::Status WriteMeshMeta(table::Table& table, const MeshMeta& meta, const std::string& record) {
  const table::Column& column = table::columns::kMeta;
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                          table.ReadRow(table::kMetaRowKey, {.columns = {column}, .cells_per_column = 1}));
  const table::Cell* cell = row.Newest(column);
  CLEAVE_ASSIGN_OR_RETURN(std::string pickle,
                          table::WithCustomData(cell != nullptr ? cell->value : record, "mesh", FormatMeshMeta(meta)));
  const table::RowMutation rows[] = {
      {table::kMetaRowKey,
       {table::DeleteCells{column, std::nullopt}, table::SetCell{column, std::nullopt, std::move(pickle)}}}};
  return table.Apply(rows);
}

absl::Status ValidateMeshDir(absl::string_view dir) {
  const auto is_plain = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == '/';
  };
  if (dir.size() > 200 || !std::ranges::all_of(dir, is_plain) || !store::ValidateKey(dir).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", dir.substr(0, 200),
                     "' cannot be a folder of meshes: use letters, digits, '_', '-' and '.', and '/' between names"));
  }
  return absl::OkStatus();
}

}  // namespace cleave::mesh
