// The field's own input of an ingest, chunk by chunk: an edge file (graph/edges.h) and a component file
// (chunk_components.h) for each L2 chunk, over supervoxels whose ids already name their chunks.
//
// What is active (the field's rule): in-chunk and between-chunk edges whose ends one component of this chunk's file
// joins, and all cross-chunk edges.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "graph/ids.h"
#include "ingest/hierarchy_layers.h"

namespace cleave::store {
class Store;
}

namespace cleave::ingest {

// Opens a folder of edge files: a path, or the URL of a store. Errors as ChunkFolders::Open.
[[nodiscard]] absl::StatusOr<std::shared_ptr<store::Store>> OpenEdgeFolder(const graph::IdLayout& layout,
                                                                           const std::string& path_or_url);

struct ChunkInput {
  AtomicChunk chunk;
  std::string edge_file;  // its bytes; empty where there is none
};

// Two folders of files. Thread-safe.
class ChunkFolders {
 public:
  // Opens paths or URLs of stores, and looks through their names. NOT_FOUND when `edges` holds no edge file, or
  // `components` (which may be "": nothing is joined) no component file; INVALID_ARGUMENT names a file whose chunk is
  // outside of the layout's lattice. `layout` must outlive this.
  [[nodiscard]] static absl::StatusOr<ChunkFolders> Open(const graph::IdLayout& layout, const std::string& edges,
                                                         const std::string& components);

  // The input of one chunk whose voxels hold `supervoxels` (ascending). DATA_LOSS, naming the file, the edge and what
  // is wrong: a file that is cut short or damaged; an id that can be no supervoxel; an edge in the wrong list, or of
  // the wrong orientation; one whose end in this chunk has no voxel; an affinity that is negative or no number.
  [[nodiscard]] absl::StatusOr<ChunkInput> Read(ChunkPoint chunk, std::vector<graph::NodeId> supervoxels) const;

 private:
  ChunkFolders(const graph::IdLayout& layout, std::shared_ptr<store::Store> edges,
               std::shared_ptr<store::Store> components);

  const graph::IdLayout* layout_;
  std::shared_ptr<store::Store> edges_;
  std::shared_ptr<store::Store> components_;  // nullptr: none
};

// What a chunk says of the edges to one of its neighbours, in a form that both sides must agree on.
struct BorderSummary {
  uint64_t count = 0;
  uint64_t digest = 0;  // a sum over edges, so that their order does not matter
  friend bool operator==(const BorderSummary&, const BorderSummary&) = default;
};
using BorderSummaries = std::map<graph::NodeId, BorderSummary>;  // by the neighbour's L2 chunk id

// The digest covers ends, weights, the list an edge stands in, and whether it is active.
[[nodiscard]] BorderSummaries SummarizeBorders(const graph::IdLayout& layout, const AtomicChunk& chunk);

// The first thing on which two neighbours disagree, for a person to read: an edge that one side lacks, or that has
// another weight, list or activity there. "" when they agree.
[[nodiscard]] std::string DescribeDisagreement(const graph::IdLayout& layout, const AtomicChunk& a,
                                               const AtomicChunk& b);

}  // namespace cleave::ingest
