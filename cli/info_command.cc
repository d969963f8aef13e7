#include <optional>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "cli/project_size.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/apply.h"
#include "edit/operation_log.h"
#include "graph/scales.h"
#include "volume/volume.h"

namespace cleave::cli {
namespace {

Json LayersJson(const graph::IdLayout& layout) {
  Json layers = Json::array();
  for (int layer = graph::kL2Layer; layer <= layout.layer_count(); ++layer) {
    const ChunkPoint counts = layout.ChunkCounts(layer);
    layers.push_back({{"layer", layer}, {"chunks", ToJson(counts)}});
  }
  return layers;
}

Json OperationsJson(const std::vector<edit::OperationRecord>& records) {
  int64_t successes = 0;
  for (const edit::OperationRecord& record : records) {
    successes += record.status == edit::OperationStatus::kSuccess ? 1 : 0;
  }
  return {{"total", records.size()}, {"success", successes}};
}

// The specification as JSON, or as it is where it is none.
Json KvStoreJson(const std::string& spec) {
  const Json json = Json::parse(spec, nullptr, /*allow_exceptions=*/false);
  return json.is_discarded() ? Json(spec) : json;
}

std::string MegabytesText(int64_t bytes) { return absl::StrFormat("%.1f MB", 1e-6 * static_cast<double>(bytes)); }

// Finest first. Only the finest has voxels so far; in the others readers find background.
// `kept`: whether the coarser scales were filled and follow the edits.
Json ScalesJson(const volume::Info& info, bool kept) {
  Json scales = Json::array();
  for (const volume::Scale& scale : info.scales) {
    scales.push_back({{"key", scale.key},
                      {"voxel_size_nm", ToJson(scale.resolution)},
                      {"bounds", ToJson(scale.bounds())},
                      {"filled", kept || scales.empty()}});
  }
  return scales;
}

std::string ScalesText(const volume::Info& info, bool kept) {
  std::string text = info.scales.front().key;
  for (size_t i = 1; i < info.scales.size(); ++i) {
    absl::StrAppend(&text, i == 1 && !kept ? "; declared but never filled: " : ", ", info.scales[i].key);
  }
  return text;
}

class InfoCommand final : public Command {
 public:
  CommandText text() const override {
    return {"info", "Project", "Say how large a project is, and how TensorStore opens its voxels",
            "cleave info demo\ncleave info demo --json | python3 -c 'import json, sys; "
            "print(json.load(sys.stdin)[\"kvstore\"])'"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_flag("--brief", brief_, "Do not count nodes, which reads the whole table");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    graph::Dataset& dataset = *project.dataset;
    CLEAVE_ASSIGN_OR_RETURN(Json json, Describe(dataset));
    std::string text = TextOf(dataset, json);
    if (!brief_) {
      CLEAVE_ASSIGN_OR_RETURN(const NodeCounts counts, CountNodes(dataset, console.progress()));
      json["counts"] = {{"supervoxels", counts.supervoxels},
                        {"l2_nodes", counts.l2_nodes},
                        {"roots", counts.roots},
                        {"past_roots", counts.past_roots}};
      absl::StrAppend(&text, "objects        ", CountText(counts.roots), " now, ", CountText(counts.past_roots),
                      " replaced\nsupervoxels    ", CountText(counts.supervoxels), "\n");
    }
    AddKvStore(dataset, json, text);
    console.Show(json, text);
    return absl::OkStatus();
  }

 private:
  // Of an overlay the specification shows one version, and there is none when too many chunks were edited.
  static void AddKvStore(const graph::Dataset& dataset, Json& json, std::string& text) {
    const std::string kvstore = dataset.KvStoreSpec();
    json["kvstore"] = kvstore.empty() ? Json() : KvStoreJson(kvstore);
    if (kvstore.empty()) {
      json["kvstore_missing"] =
          "TensorStore has no driver that reads what one store lacks from another, and more chunks were edited than a "
          "specification can name one by one";
      absl::StrAppend(&text, "\nTensorStore cannot open the voxels: ", json["kvstore_missing"].get<std::string>(),
                      "\n");
      return;
    }
    const Json spec = {{"driver", "neuroglancer_precomputed"}, {"kvstore", json["kvstore"]}};
    absl::StrAppend(&text, "\nTensorStore opens the voxels ",
                    dataset.meta().original.has_value() ? "of this generation, read-only, " : "",
                    "with this specification:\n", spec.dump(2), "\n");
  }

  absl::StatusOr<Json> Describe(graph::Dataset& dataset) const {
    const graph::GraphMeta& meta = dataset.meta();
    CLEAVE_ASSIGN_OR_RETURN(const auto records, edit::OperationLog(dataset.table()).ReadAll());
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t generation, edit::VoxelGeneration(dataset));
    const int64_t table_bytes = FolderBytes(project_ + "/table");
    const int64_t voxel_bytes = FolderBytes(project_ + "/ocdbt");
    const int64_t edge_bytes = FolderBytes(project_ + "/edges");
    const volume::Scale& scale = dataset.segmentation().info().scales.front();
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<absl::Time> filled, graph::ReadScalesFilled(dataset.table()));
    return Json{{"project", project_},
                {"graph_id", meta.graph_id},
                {"volume", ToJson(meta.volume)},
                {"voxel_size_nm", ToJson(meta.voxel_size_nm)},
                {"chunk_size", ToJson(meta.chunk_size)},
                {"storage_chunk_size", ToJson(scale.chunk_size)},
                {"encoding", std::string(volume::EncodingName(scale.encoding))},
                {"scales", ScalesJson(dataset.segmentation().info(), filled.has_value())},
                {"layer_count", dataset.layout().layer_count()},
                {"layers", LayersJson(dataset.layout())},
                {"base", meta.original.has_value() ? "overlay" : "copy"},
                {"original", meta.original.has_value() ? Json(meta.original->url) : Json()},
                {"ingested", TimeText(meta.ingested)},
                {"generation", generation},
                {"operations", OperationsJson(records)},
                {"bytes", {{"table", table_bytes}, {"voxels", voxel_bytes}, {"edges", edge_bytes}}}};
  }

  static std::string TextOf(graph::Dataset& dataset, const Json& json) {
    const graph::GraphMeta& meta = dataset.meta();
    std::string text = absl::StrCat("graph          ", meta.graph_id, ", made ", TimeText(meta.ingested), "\n");
    const Extent3 extent = meta.volume.extent();
    absl::StrAppend(&text, "volume         ", ToString(meta.volume), ", ", CountText(Count(extent)), " voxels of ",
                    SizeText(meta.voxel_size_nm), "\n");
    const ChunkPoint chunks = dataset.layout().ChunkCounts(graph::kL2Layer);
    absl::StrAppend(&text, "chunks         ", chunks.x, " x ", chunks.y, " x ", chunks.z, " of ",
                    ToString(meta.chunk_size), " voxels; ", dataset.layout().layer_count(), " layers\n");
    if (meta.original.has_value()) {
      absl::StrAppend(&text, "overlay of     ", meta.original->url, "\n");
    }
    absl::StrAppend(&text, "voxel store    generation ", json["generation"].get<uint64_t>(), ", ",
                    MegabytesText(json["bytes"]["voxels"].get<int64_t>()), "; table ",
                    MegabytesText(json["bytes"]["table"].get<int64_t>()), "; edges ",
                    MegabytesText(json["bytes"]["edges"].get<int64_t>()), "\n");
    absl::StrAppend(&text, "scales         ",
                    ScalesText(dataset.segmentation().info(), json["scales"].back()["filled"].get<bool>()), "\n");
    absl::StrAppend(&text, "operations     ", json["operations"]["total"].get<int64_t>(), ", of which ",
                    json["operations"]["success"].get<int64_t>(), " succeeded\n");
    return text;
  }

  std::string project_;
  bool brief_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeInfoCommand() { return std::make_unique<InfoCommand>(); }

}  // namespace cleave::cli
