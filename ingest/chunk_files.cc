#include "ingest/chunk_files.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <filesystem>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "graph/edges.h"
#include "ingest/chunk_components.h"
#include "store/file_store.h"
#include "store/store.h"

namespace cleave::ingest {
namespace {

using graph::ChunkEdges;
using graph::Edge;
using graph::EdgeEnds;
using graph::IdLayout;
using graph::NodeId;

absl::StatusOr<std::shared_ptr<store::Store>> OpenFolder(const std::string& path_or_url) {
  if (absl::StrContains(path_or_url, "://")) {
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<store::Store> opened, store::OpenStore(path_or_url));
    return std::shared_ptr<store::Store>(std::move(opened));
  }
  return std::make_shared<store::FileStore>(std::filesystem::absolute(path_or_url).lexically_normal().string());
}

// "PREFIX x _ y _ z SUFFIX"; nothing for any other name.
std::optional<ChunkPoint> ParseFileName(absl::string_view name, absl::string_view prefix, absl::string_view suffix) {
  if (!absl::ConsumePrefix(&name, prefix) || !absl::ConsumeSuffix(&name, suffix)) {
    return std::nullopt;
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '_');
  ChunkPoint chunk;
  for (int axis = 0; axis < 3; ++axis) {
    if (parts.size() != 3 || !absl::SimpleAtoi(parts[static_cast<size_t>(axis)], &chunk[axis])) {
      return std::nullopt;
    }
  }
  return chunk;
}

// All files of one kind lie inside the lattice, and there is one at least.
absl::Status CheckNames(const IdLayout& layout, const store::Store& folder, absl::string_view prefix,
                        absl::string_view suffix) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, folder.List(store::KeyRange::Prefix(prefix)));
  const ChunkPoint counts = layout.ChunkCounts(graph::kL2Layer);
  bool found = false;
  for (const std::string& name : names) {
    const std::optional<ChunkPoint> chunk = ParseFileName(name, prefix, suffix);
    if (!chunk.has_value()) {
      continue;
    }
    found = true;
    for (int axis = 0; axis < 3; ++axis) {
      if ((*chunk)[axis] < 0 || (*chunk)[axis] >= counts[axis]) {
        return absl::InvalidArgumentError(absl::StrCat(folder.Describe(name), ": chunk ", ToString(*chunk),
                                                       " is outside of the volume, which has ", counts.x, "x", counts.y,
                                                       "x", counts.z, " chunks of ", ToString(layout.chunk_size()),
                                                       " voxels; is the chunk size or the segmentation another one?"));
      }
    }
  }
  if (!found) {
    return absl::NotFoundError(absl::StrCat(folder.Describe(absl::StrCat(prefix, "X_Y_Z", suffix)),
                                            ": there is no such file for any chunk X, Y, Z"));
  }
  return absl::OkStatus();
}

// Refuses what cannot be an edge of the chunk.
class EdgeCheck {
 public:
  EdgeCheck(const IdLayout& layout, ChunkPoint chunk, const std::vector<NodeId>& supervoxels)
      : layout_(layout), chunk_(chunk), supervoxels_(supervoxels) {}

  absl::Status Check(const ChunkEdges& edges) const {
    CLEAVE_RETURN_IF_ERROR(CheckList(edges.in, "in-chunk", /*leaves=*/false));
    CLEAVE_RETURN_IF_ERROR(CheckList(edges.between, "between-chunk", /*leaves=*/true));
    return CheckList(edges.cross, "cross-chunk", /*leaves=*/true);
  }

 private:
  absl::Status CheckList(const std::vector<Edge>& edges, absl::string_view list, bool leaves) const {
    for (size_t i = 0; i < edges.size(); ++i) {
      if (const std::string wrong = WhatIsWrong(edges[i], leaves); !wrong.empty()) {
        return absl::DataLossError(
            absl::StrCat(list, " edge ", i, ", ", Value(edges[i].node1), " - ", Value(edges[i].node2), ": ", wrong));
      }
    }
    return absl::OkStatus();
  }

  std::string WhatIsWrong(const Edge& edge, bool leaves) const {
    for (const NodeId end : {edge.node1, edge.node2}) {
      if (const absl::Status valid = layout_.Validate(end); !valid.ok()) {
        return std::string(valid.message());
      }
      if (layout_.LayerOf(end) != graph::kSupervoxelLayer) {
        return absl::StrCat(Value(end), " is no supervoxel: its layer is ", layout_.LayerOf(end));
      }
    }
    if (edge.node1 == edge.node2) {
      return "it joins a supervoxel with itself";
    }
    const bool own1 = layout_.ChunkOf(edge.node1).position == chunk_;
    const bool own2 = layout_.ChunkOf(edge.node2).position == chunk_;
    if (!own1) {
      return absl::StrCat("its first end lies in chunk ", ToString(layout_.ChunkOf(edge.node1).position),
                          own2 ? "; its ends stand in the wrong order" : "");
    }
    if (own2 == leaves) {
      return leaves ? "it does not leave the chunk"
                    : absl::StrCat("its second end lies in chunk ", ToString(layout_.ChunkOf(edge.node2).position));
    }
    for (const NodeId end : {edge.node1, edge.node2}) {
      if ((end == edge.node1 || own2) && !std::ranges::binary_search(supervoxels_, end)) {
        return absl::StrCat("the segmentation has no voxel of supervoxel ", Value(end));
      }
    }
    return std::isnan(edge.affinity) || edge.affinity < 0 ? absl::StrCat("its affinity is ", edge.affinity)
                                                          : std::string();
  }

  const IdLayout& layout_;
  const ChunkPoint chunk_;
  const std::vector<NodeId>& supervoxels_;
};

AtomicEdges Activate(ChunkEdges edges, const ChunkComponents& components) {
  AtomicEdges result;
  for (const Edge& edge : edges.in) {
    if (components.Join(edge.node1, edge.node2)) {
      result.active_inside.push_back({edge.node1, edge.node2});
    }
  }
  for (const Edge& edge : edges.cross) {
    result.active_leaving.push_back({edge.node1, edge.node2});
  }
  for (const Edge& edge : edges.between) {
    if (components.Join(edge.node1, edge.node2)) {
      result.active_leaving.push_back({edge.node1, edge.node2});
    }
  }
  std::ranges::sort(result.active_leaving);
  result.active_leaving.erase(std::ranges::unique(result.active_leaving).begin(), result.active_leaving.end());
  result.all = std::move(edges);
  return result;
}

// An edge across a border as both sides must tell it.
struct BorderEdge {
  EdgeEnds ends;  // sorted
  float affinity = 0;
  uint64_t area = 0;
  bool cross = false;
  bool active = false;
};

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

uint64_t Digest(const BorderEdge& edge) {
  uint64_t digest = 0x9E3779B97F4A7C15;
  for (const uint64_t part :
       {Value(edge.ends.node1), Value(edge.ends.node2), uint64_t{std::bit_cast<uint32_t>(edge.affinity)}, edge.area,
        uint64_t{edge.cross} * 2 + uint64_t{edge.active}}) {
    digest = Mix(digest + part);
  }
  return digest;
}

// Calls visit(neighbour's chunk, edge) for every edge that leaves the chunk.
template <typename Visit>
void ForBorderEdges(const IdLayout& layout, const AtomicChunk& chunk, Visit visit) {
  for (const bool cross : {false, true}) {
    for (const Edge& edge : cross ? chunk.edges.all.cross : chunk.edges.all.between) {
      const EdgeEnds ends{edge.node1, edge.node2};
      const bool active = cross || std::ranges::binary_search(chunk.edges.active_leaving, ends);
      visit(layout.ChunkOf(edge.node2).position, BorderEdge{ends.Sorted(), edge.affinity, edge.area, cross, active});
    }
  }
}

using BorderEdges = absl::flat_hash_map<EdgeEnds, BorderEdge>;

BorderEdges EdgesTo(const IdLayout& layout, const AtomicChunk& chunk, ChunkPoint neighbour) {
  BorderEdges edges;
  ForBorderEdges(layout, chunk, [&](ChunkPoint other, const BorderEdge& edge) {
    if (other == neighbour) {
      edges.emplace(edge.ends, edge);
    }
  });
  return edges;
}

std::string EdgeText(const EdgeEnds& ends) {
  return absl::StrCat("edge ", Value(ends.node1), " - ", Value(ends.node2));
}

std::string WhatDiffers(const BorderEdge& a, const BorderEdge& b) {
  if (a.cross != b.cross) {
    return "a cross-chunk edge on one side, a between-chunk edge on the other";
  }
  if (std::bit_cast<uint32_t>(a.affinity) != std::bit_cast<uint32_t>(b.affinity)) {
    return absl::StrCat("of affinity ", a.affinity, " on one side, ", b.affinity, " on the other");
  }
  return absl::StrCat("of area ", a.area, " on one side, ", b.area, " on the other");
}

}  // namespace

absl::StatusOr<std::shared_ptr<store::Store>> OpenEdgeFolder(const IdLayout& layout, const std::string& path_or_url) {
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> folder, OpenFolder(path_or_url));
  CLEAVE_RETURN_IF_ERROR(CheckNames(layout, *folder, "edges_", ".proto.zst"));
  return folder;
}

ChunkFolders::ChunkFolders(const IdLayout& layout, std::shared_ptr<store::Store> edges,
                           std::shared_ptr<store::Store> components)
    : layout_(&layout), edges_(std::move(edges)), components_(std::move(components)) {}

absl::StatusOr<ChunkFolders> ChunkFolders::Open(const IdLayout& layout, const std::string& edges,
                                                const std::string& components) {
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> edge_folder, OpenEdgeFolder(layout, edges));
  std::shared_ptr<store::Store> component_folder;
  if (!components.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(component_folder, OpenFolder(components));
    CLEAVE_RETURN_IF_ERROR(CheckNames(layout, *component_folder, "components_", ".proto"));
  }
  return ChunkFolders(layout, std::move(edge_folder), std::move(component_folder));
}

absl::StatusOr<ChunkInput> ChunkFolders::Read(ChunkPoint chunk, std::vector<NodeId> supervoxels) const {
  ChunkInput input{{chunk, std::move(supervoxels), {}}, {}};
  const std::string edge_name = graph::EdgeFiles::FileName(chunk);
  CLEAVE_ASSIGN_OR_RETURN(store::ReadResult edge_file, edges_->Read(edge_name));
  ChunkEdges edges;
  if (edge_file.value.has_value()) {
    absl::StatusOr<ChunkEdges> decoded = graph::DecodeChunkEdges(*edge_file.value);
    absl::Status status = decoded.status();
    if (status.ok()) {
      status = EdgeCheck(*layout_, chunk, input.chunk.supervoxels).Check(*decoded);
    }
    CLEAVE_RETURN_IF_ERROR(Annotate(status, edges_->Describe(edge_name)));
    edges = *std::move(decoded);
    input.edge_file = *std::move(edge_file.value);
  }
  ChunkComponents lookup;
  if (components_ != nullptr) {
    const std::string name = ComponentsFileName(chunk);
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult file, components_->Read(name));
    if (file.value.has_value()) {
      const absl::StatusOr<std::vector<Component>> components = DecodeComponents(*file.value);
      CLEAVE_RETURN_IF_ERROR(Annotate(components.status(), components_->Describe(name)));
      absl::StatusOr<ChunkComponents> created = ChunkComponents::Create(*layout_, *components);
      CLEAVE_RETURN_IF_ERROR(Annotate(created.status(), components_->Describe(name)));
      lookup = *std::move(created);
    }
  }
  input.chunk.edges = Activate(std::move(edges), lookup);
  return input;
}

BorderSummaries SummarizeBorders(const IdLayout& layout, const AtomicChunk& chunk) {
  BorderSummaries summaries;
  std::optional<ChunkPoint> last;
  BorderSummary* summary = nullptr;
  ForBorderEdges(layout, chunk, [&](ChunkPoint neighbour, const BorderEdge& edge) {
    if (last != neighbour) {
      last = neighbour;
      summary = &summaries[layout.MakeNode({graph::kL2Layer, neighbour}, graph::Segment{0})];
    }
    ++summary->count;
    summary->digest += Digest(edge);
  });
  return summaries;
}

std::string DescribeDisagreement(const IdLayout& layout, const AtomicChunk& a, const AtomicChunk& b) {
  const BorderEdges of_a = EdgesTo(layout, a, b.position);
  const BorderEdges of_b = EdgesTo(layout, b, a.position);
  for (const auto& [mine, theirs, side, other] :
       {std::tuple(&of_a, &of_b, a.position, b.position), std::tuple(&of_b, &of_a, b.position, a.position)}) {
    std::optional<EdgeEnds> missing;
    for (const auto& [ends, edge] : *mine) {
      if (!theirs->contains(ends) && (!missing.has_value() || ends < *missing)) {
        missing = ends;
      }
    }
    if (missing.has_value()) {
      return absl::StrCat(EdgeText(*missing), " stands in ", graph::EdgeFiles::FileName(side), ", but not in ",
                          graph::EdgeFiles::FileName(other));
    }
  }
  for (const auto& [ends, edge] : of_a) {
    const BorderEdge& other = of_b.at(ends);
    if (Digest(edge) == Digest(other)) {
      continue;
    }
    if (edge.active != other.active && edge.cross == other.cross) {
      return absl::StrCat(ComponentsFileName((edge.active ? a : b).position), " joins the ends of ", EdgeText(ends),
                          ", but ", ComponentsFileName((edge.active ? b : a).position), " does not");
    }
    return absl::StrCat(EdgeText(ends), " is ", WhatDiffers(edge, other));
  }
  return of_a.size() == of_b.size() ? "" : absl::StrCat("an edge stands twice in one of their files");
}

}  // namespace cleave::ingest
