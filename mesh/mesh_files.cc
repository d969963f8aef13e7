// How shards are looked into:
//   1. Nodes are put together by file. Files are looked into on several threads.
//   2. The shard index is read whole, then the index of each minishard that is asked for; each read tells the
//      generation of the file, and when these differ the file was replaced in between: again from the beginning.
//   3. So all that is said of one file is of one generation, and marks of absence can be held against it later.
#include "mesh/mesh_files.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/parallel.h"
#include "base/status.h"

namespace cleave::mesh {

using graph::NodeId;

namespace {

constexpr int kReadThreads = 16;  // waiting for files, not computing
constexpr int kTriesMax = 5;

}  // namespace

std::string DynamicFileName(const graph::IdLayout& layout, NodeId node) {
  const graph::ChunkAddress chunk = layout.ChunkOf(node);
  const int64_t scale = int64_t{1} << (std::max(chunk.layer, graph::kL2Layer) - graph::kL2Layer);
  const Extent3 size = layout.chunk_size();
  const auto range = [&](int64_t position, int64_t voxels) {
    return absl::StrCat(position * voxels * scale, "-", (position + 1) * voxels * scale);
  };
  return absl::StrCat(Value(node), ":0:", range(chunk.position.x, size.x), "_", range(chunk.position.y, size.y), "_",
                      range(chunk.position.z, size.z));
}

// One node that is looked for in a file.
struct MeshFiles::Wanted {
  size_t index = 0;  // among the nodes
  NodeId node{};
  CachedMesh found = {};
};

absl::StatusOr<std::unique_ptr<MeshFiles>> MeshFiles::Open(std::shared_ptr<const store::Store> store, MeshMeta meta,
                                                           const graph::IdLayout& layout) {
  const std::string key = absl::StrCat(meta.dir, "/info");
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store->Read(key));
  if (!read.value.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("there is no ", store->Describe(key), "; run `cleave ingest mesh-meta` again"));
  }
  absl::StatusOr<MeshInfo> info = ParseMeshInfo(*read.value);
  if (!info.ok()) {
    return Annotate(info.status(), store->Describe(key));
  }
  return std::unique_ptr<MeshFiles>(new MeshFiles(std::move(store), std::move(meta), *std::move(info), layout));
}

std::string MeshFiles::InitialKey(absl::string_view shard_file) const {
  return absl::StrCat(meta_.dir, "/initial/", shard_file);
}

std::string MeshFiles::DynamicKey(NodeId node) const {
  return absl::StrCat(meta_.dir, "/", meta_.dynamic_dir, "/", DynamicFileName(layout_, node));
}

absl::StatusOr<bool> MeshFiles::TryToLookInto(const std::string& file, const ShardingSpec& spec,
                                              std::vector<Wanted>& wanted) const {
  const std::string key = InitialKey(file);
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult head,
                          store_->Read(key, {.range = {.begin = 0, .end = ShardIndexBytes(spec)}}));
  std::map<uint64_t, std::vector<Wanted*>> by_minishard;
  for (Wanted& one : wanted) {
    one.found = {CachedMesh::Kind::kAbsent, {file, {}}, head.generation};
    by_minishard[PlaceOf(spec, one.node).minishard].push_back(&one);
  }
  if (!head.value.has_value()) {
    return true;
  }
  for (const auto& [minishard, nodes] : by_minishard) {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<store::Extent> place, DecodeShardIndex(*head.value, spec, minishard));
    if (!place.has_value()) {
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(
        const store::ReadResult read,
        store_->Read(key, {.range = {.begin = place->offset, .end = place->offset + place->length}}));
    if (read.generation != head.generation) {
      return false;
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<ShardedValue> values, DecodeMinishardIndex(*read.value, spec));
    std::map<uint64_t, store::Extent> places;
    for (const ShardedValue& value : values) {
      places.emplace(value.key, value.place);
    }
    for (Wanted* one : nodes) {
      if (const auto found = places.find(Value(one->node)); found != places.end() && found->second.length > 0) {
        one->found = {CachedMesh::Kind::kShard, {file, found->second}, {}};
      }
    }
  }
  return true;
}

absl::Status MeshFiles::LookInto(const std::string& file, const ShardingSpec& spec, std::vector<Wanted>& wanted) const {
  absl::StatusOr<bool> done = false;
  for (int i = 0; i < kTriesMax && done.ok() && !*done; ++i) {
    done = TryToLookInto(file, spec, wanted);
  }
  if (absl::IsOutOfRange(done.status())) {
    done = absl::DataLossError("it ends before its index does");
  }
  if (!done.ok()) {
    return Annotate(done.status(), store_->Describe(InitialKey(file)));
  }
  return *done ? absl::OkStatus()
               : absl::AbortedError(absl::StrCat(store_->Describe(InitialKey(file)), " is being written; ask again"));
}

absl::StatusOr<std::vector<std::optional<CachedMesh>>> MeshFiles::FindInitial(std::span<const NodeId> nodes) const {
  struct File {
    std::string name;
    const ShardingSpec* spec = nullptr;
    std::vector<Wanted> wanted;
  };
  std::map<std::string, size_t> places;
  std::vector<File> files;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const int layer = layout_.LayerOf(nodes[i]);
    const auto spec = info_.sharding.find(layer);
    if (spec == info_.sharding.end()) {
      continue;
    }
    std::string name = absl::StrCat(layer, "/", ShardFileName(layout_, spec->second, nodes[i]));
    const auto [place, is_new] = places.emplace(std::move(name), files.size());
    if (is_new) {
      files.push_back({place->first, &spec->second, {}});
    }
    files[place->second].wanted.push_back({.index = i, .node = nodes[i]});
  }
  CLEAVE_RETURN_IF_ERROR(ParallelFor(std::ssize(files), kReadThreads, [&](int64_t i) {
    File& file = files[static_cast<size_t>(i)];
    return LookInto(file.name, *file.spec, file.wanted);
  }));
  std::vector<std::optional<CachedMesh>> found(nodes.size());
  for (File& file : files) {
    for (Wanted& one : file.wanted) {
      found[one.index] = std::move(one.found);
    }
  }
  return found;
}

absl::StatusOr<std::vector<bool>> MeshFiles::FindDynamic(std::span<const NodeId> nodes) const {
  std::vector<char> found(nodes.size());  // not bool: written by several threads
  CLEAVE_RETURN_IF_ERROR(ParallelFor(std::ssize(nodes), kReadThreads, [&](int64_t i) -> absl::Status {
    const auto index = static_cast<size_t>(i);
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read,
                            store_->Read(DynamicKey(nodes[index]), {.range = {.begin = 0, .end = 0}}));
    found[index] = read.value.has_value() ? 1 : 0;
    return absl::OkStatus();
  }));
  return std::vector<bool>(found.begin(), found.end());
}

absl::StatusOr<std::vector<store::Generation>> MeshFiles::Generations(std::span<const std::string> shard_files) const {
  std::vector<store::Generation> generations(shard_files.size());
  CLEAVE_RETURN_IF_ERROR(ParallelFor(std::ssize(shard_files), kReadThreads, [&](int64_t i) -> absl::Status {
    const auto index = static_cast<size_t>(i);
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read,
                            store_->Read(InitialKey(shard_files[index]), {.range = {.begin = 0, .end = 0}}));
    generations[index] = read.generation;
    return absl::OkStatus();
  }));
  return generations;
}

}  // namespace cleave::mesh
