// Edges between supervoxels, and the files that hold those of a segmentation as it was ingested.
//
// Each L2 chunk has one immutable file, edges_X_Y_Z.proto.zst, in the field's format: a zstd frame around the protobuf
// message ChunkEdges (edges.proto), whose arrays are raw little-endian bytes. A missing file means no edges.
//   in       both ends in this chunk
//   between  ends in two chunks, finite affinity
//   cross    two pieces of one supervoxel that a chunk border divides: affinity infinite, area 1, never to be cut
// For between and cross, node1 lies in this chunk; so each such edge is stored twice, once per side.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/geometry.h"
#include "graph/ids.h"

namespace cleave::store {
class Store;
}

namespace cleave::graph {

inline constexpr float kInfiniteAffinity = std::numeric_limits<float>::infinity();
// What an edge without a measured affinity has (a user's merge): the smallest normal float, as the field does.
inline constexpr float kDefaultAffinity = std::numeric_limits<float>::min();

// The area of a touching pair counts voxel faces. Edges are undirected; the order of ends carries no meaning but where
// said above.
struct Edge {
  NodeId node1{};
  NodeId node2{};
  float affinity = kDefaultAffinity;
  uint64_t area = 0;
  friend bool operator==(const Edge&, const Edge&) = default;
};

// Two ends, without weights.
struct EdgeEnds {
  NodeId node1{};
  NodeId node2{};
  friend constexpr auto operator<=>(const EdgeEnds&, const EdgeEnds&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const EdgeEnds& e) {
    return H::combine(std::move(state), e.node1, e.node2);
  }
  // The same pair with the smaller id first.
  [[nodiscard]] EdgeEnds Sorted() const { return node1 <= node2 ? *this : EdgeEnds{node2, node1}; }
  [[nodiscard]] EdgeEnds Reversed() const { return {node2, node1}; }
};

struct ChunkEdges {
  std::vector<Edge> in;
  std::vector<Edge> between;
  std::vector<Edge> cross;
};

// The edge files under one prefix of a store. Thread-safe.
class EdgeFiles {
 public:
  explicit EdgeFiles(std::shared_ptr<store::Store> store) : store_(std::move(store)) {}

  // The edges of one L2 chunk. DATA_LOSS naming the file when it is damaged.
  [[nodiscard]] absl::StatusOr<ChunkEdges> Read(ChunkPoint chunk) const;
  // Several chunks, read in parallel; one result per chunk, in order.
  [[nodiscard]] absl::StatusOr<std::vector<ChunkEdges>> ReadMany(std::span<const ChunkPoint> chunks) const;
  // Replaces a chunk's file; writes none when there are no edges.
  [[nodiscard]] absl::Status Write(ChunkPoint chunk, const ChunkEdges& edges);
  // The same with the bytes of a file that DecodeChunkEdges has read.
  [[nodiscard]] absl::Status WriteEncoded(ChunkPoint chunk, absl::string_view bytes);
  // Removes a chunk's file, if there is one.
  [[nodiscard]] absl::Status Remove(ChunkPoint chunk);

  [[nodiscard]] static std::string FileName(ChunkPoint chunk);

 private:
  std::shared_ptr<store::Store> store_;
};

// The bytes of one file, and back. Decode errors are DATA_LOSS.
[[nodiscard]] std::string EncodeChunkEdges(const ChunkEdges& edges);
[[nodiscard]] absl::StatusOr<ChunkEdges> DecodeChunkEdges(absl::string_view bytes);

}  // namespace cleave::graph
