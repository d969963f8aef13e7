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

absl::Status CopyMeshes(const graph::IdLayout& layout, const std::string& folder, table::Table& table,
                        absl::string_view graph_id) {
  namespace fs = std::filesystem;
  CLEAVE_ASSIGN_OR_RETURN(std::optional<MeshMeta> meta, ReadMeshMeta(table));
  const std::string name = absl::StrCat("dynamic_", graph_id);
  if (!meta.has_value() || meta->dynamic_dir == name) {
    return absl::OkStatus();
  }
  const auto occupied = [&](const store::Store& store) -> absl::Status {
    const std::string prefix = absl::StrCat(meta->dir, "/", name, "/");
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, store.List(store::KeyRange::Prefix(prefix)));
    return keys.empty() ? absl::OkStatus()
                        : absl::FailedPreconditionError(absl::StrCat(
                              store.Describe(prefix), " has meshes of another graph; choose another graph id"));
  };
  if (!meta->folder.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<store::Store> shared, store::OpenStore(meta->folder));
    CLEAVE_RETURN_IF_ERROR(occupied(*shared));
  } else {
    const std::string own = fs::absolute(folder).lexically_normal().string() + "/meshes";
    store::FileStore store(own);
    CLEAVE_RETURN_IF_ERROR(occupied(store));
    CLEAVE_RETURN_IF_ERROR(RemoveFilesOfOthers(layout, *meta, table, store));
    const fs::path before = fs::path(own) / meta->dir / meta->dynamic_dir;
    std::error_code error;
    if (fs::exists(before, error)) {
      fs::rename(before, fs::path(own) / meta->dir / name, error);
    }
    if (error) {
      return absl::UnavailableError(
          absl::StrCat(before.string(), " cannot be renamed to ", name, ": ", error.message()));
    }
  }
  meta->dynamic_dir = name;
  return WriteMeshMeta(table, *meta, "");
}

}  // namespace cleave::mesh
