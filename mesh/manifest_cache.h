// What is known of where meshes lie, so that a manifest need not look into shards and folders again. Losing it costs
// time only: whatever an engine forgets, or cannot be asked, is looked up.
//
// Why no answer is wrong:
//   1. A place that was found stays right, since the mesh of a node never changes and files are written once. Whoever
//      writes a shard anew must clear the cache, as in the field.
//   2. "There is no mesh" can become wrong at any moment, without anybody saying so: mesh workers are other programs.
//   So
//      such a mark is kept only with what it was read from: the shard's file and that file's generation, or that there
//      was none. The reader of a mark compares it with the file's generation of now, one look a file however many
//      marks, and a mark of another generation counts for nothing (manifest.h). No mark is kept of a node whose mesh
//      would be a file of its own: looking for the mark's file would be looking for the mesh.
//      So a mark cannot outlive a remesh, as far as the store's generations tell versions apart (store/store.h).
//   3. What is forgotten or cleared does not come back by a look-up that was under way: whoever puts something gives
//      the token of his Get before he looked, and after any Forget or Clear that token is refused.
//   4. Every entry ends kManifestExpiry after it was put, for whatever nobody thought of.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "graph/ids.h"
#include "store/store.h"

namespace cleave::mesh {

inline constexpr absl::Duration kManifestExpiry = absl::Hours(72);

// A mesh in a shard: what a manifest names "~FILE:OFFSET:LENGTH".
struct ShardFragment {
  std::string file = {};  // "LAYER/CHUNK-SHARD.shard", below the folder of initial meshes
  store::Extent place = {};
  friend bool operator==(const ShardFragment&, const ShardFragment&) = default;
};

struct CachedMesh {
  enum class Kind { kShard, kFile, kAbsent };
  Kind kind = Kind::kFile;            // kFile: a file of its own, whose name follows from the node
  ShardFragment shard = {};           // of kShard; of kAbsent its file alone
  store::Generation generation = {};  // of kAbsent: of that file
  friend bool operator==(const CachedMesh&, const CachedMesh&) = default;
};

struct CacheEntry {
  graph::NodeId node{};
  CachedMesh mesh;
};

// The text that engines outside of the process keep:
//   "S" FILE ":" OFFSET ":" LENGTH,   "F",   "X" FILE ":" the generation's bytes in hexadecimal digits
[[nodiscard]] std::string EncodeCachedMesh(const CachedMesh& mesh);
// nullopt for anything else.
[[nodiscard]] std::optional<CachedMesh> DecodeCachedMesh(absl::string_view text);

struct CacheAnswer {
  std::vector<std::optional<CachedMesh>> meshes;  // one for each node
  std::string token;                              // "" when nothing can be put
};

// One graph's. Thread-safe.
class ManifestCache {
 public:
  ManifestCache() = default;
  ManifestCache(const ManifestCache&) = delete;
  ManifestCache& operator=(const ManifestCache&) = delete;
  virtual ~ManifestCache() = default;

  // Never fails: what cannot be asked is unknown.
  [[nodiscard]] virtual CacheAnswer Get(std::span<const graph::NodeId> nodes) = 0;
  // Does nothing when anything was forgotten or cleared since the Get that gave the token, or the engine is away.
  virtual void Put(std::span<const CacheEntry> entries, const std::string& token) = 0;
  // UNAVAILABLE when the engine is away: then entries may still be there, and the call must be made again.
  [[nodiscard]] virtual absl::Status Forget(std::span<const graph::NodeId> nodes) = 0;
  [[nodiscard]] virtual absl::Status Clear() = 0;
  // How often the engine could not be asked.
  [[nodiscard]] virtual int64_t error_count() const { return 0; }
};

}  // namespace cleave::mesh
