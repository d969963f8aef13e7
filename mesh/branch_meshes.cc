#include "mesh/branch_meshes.h"

#include <filesystem>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "graph/graph_view.h"
#include "graph/node_times.h"
#include "mesh/mesh_meta.h"
#include "store/file_store.h"

namespace cleave::mesh {
namespace {

// The node of a single file, 0 for what is none.
graph::NodeId NodeOfKey(absl::string_view key, const std::string& prefix) {
  const std::vector<absl::string_view> words = absl::StrSplit(key.substr(prefix.size()), ':');
  uint64_t id = 0;
  return absl::SimpleAtoi(words[0], &id) ? graph::NodeId{id} : graph::NodeId{};
}

absl::Status RemoveFilesOfOthers(const graph::IdLayout& layout, const MeshMeta& meta, const table::Table& table,
                                 store::Store& store) {
  const std::string prefix = absl::StrCat(meta.dir, "/", meta.dynamic_dir, "/");
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, store.List(store::KeyRange::Prefix(prefix)));
  std::vector<graph::NodeId> nodes;
  nodes.reserve(keys.size());
  for (const std::string& key : keys) {
    nodes.push_back(NodeOfKey(key, prefix));
  }
  const graph::GraphView view(layout, table, absl::InfiniteFuture());
  CLEAVE_ASSIGN_OR_RETURN(const auto created, graph::CreationTimes(view, nodes));
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!created[i].has_value()) {
      CLEAVE_RETURN_IF_ERROR(store.Delete(keys[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BranchMeshes(const graph::IdLayout& layout, const std::string& folder, table::Table& table,
                          absl::Time now) {
  CLEAVE_ASSIGN_OR_RETURN(std::optional<MeshMeta> meta, ReadMeshMeta(table));
  if (!meta.has_value()) {
    return absl::OkStatus();
  }
  if (meta->folder.empty()) {
    store::FileStore store(std::filesystem::absolute(folder).lexically_normal().string() + "/meshes");
    return RemoveFilesOfOthers(layout, *meta, table, store);
  }
  absl::StrAppend(&meta->dynamic_dir, "_", absl::ToUnixMillis(now));
  return WriteMeshMeta(table, *meta, "");
}

}  // namespace cleave::mesh
