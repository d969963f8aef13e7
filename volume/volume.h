// A multiscale volume of labels in a store, in the neuroglancer-precomputed format: boxes and voxels read and written.
//
//   CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Volume> volume, Volume::Open(store, "seg/"));
//   CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> labels, volume->ReadBox(0, box));
//
// A chunk whose voxels are all zero has no key, as with TensorStore. `scale` is an index into info().scales, 0 the
// finest; points and boxes are in the voxels of that scale, voxel_offset included. A scale index that does not exist
// is INVALID_ARGUMENT, a coordinate outside of the scale OUT_OF_RANGE, a damaged chunk DATA_LOSS naming its object.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/array.h"
#include "base/geometry.h"
#include "store/store.h"
#include "volume/chunk_codec.h"
#include "volume/chunk_grid.h"
#include "volume/info.h"

namespace cleave::volume {

inline constexpr int kFinestScale = 0;

// How a chunk of the finest scale is written whose voxels are all zero; of coarser scales such a chunk has no key.
enum class Background {
  kNoKey,  // not at all: its key is deleted
  kStored  // like any other; for stores in which a missing key would show something else
};

// Keeps the info object as it was when opened, and no voxel. Safe from several threads at once; two writers of
// one chunk are kept apart by generations only (see WriteBox). Reads of many chunks use DefaultThreadCount() threads.
class Volume {
 public:
  // Reads `<prefix>info`; a prefix that is not empty ends in '/' or gets one. NOT_FOUND when there is none.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Volume>> Open(std::shared_ptr<store::Store> store,
                                                                    absl::string_view prefix);
  // Writes `<prefix>info`. FAILED_PRECONDITION when there is one already.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Volume>> Create(std::shared_ptr<store::Store> store,
                                                                      absl::string_view prefix, const Info& info);
  // The same volume in another store, whose info is known to be `info`: another version or a fork of a database.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Volume>> Over(std::shared_ptr<store::Store> store,
                                                                    absl::string_view prefix, const Info& info,
                                                                    Background background = Background::kNoKey);

  [[nodiscard]] const Info& info() const { return info_; }
  [[nodiscard]] Background background() const { return background_; }
  [[nodiscard]] int scale_count() const { return static_cast<int>(scales_.size()); }
  // REQUIRES: 0 <= scale < scale_count().
  [[nodiscard]] const ChunkGrid& grid(int scale) const;
  [[nodiscard]] const ChunkCodec& codec(int scale) const;
  [[nodiscard]] store::Store& store() const { return *store_; }
  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  // The chunk's key in the store. REQUIRES: the chunk is in the grid.
  [[nodiscard]] std::string ChunkKey(int scale, ChunkPoint chunk) const;

  // The labels of `box`, which must lie inside the scale.
  [[nodiscard]] absl::StatusOr<Array3<uint64_t>> ReadBox(int scale, const Box& box) const;
  // The same into elements of the caller's, of the box's extent. After an error their content is not specified.
  [[nodiscard]] absl::Status ReadBoxInto(int scale, const Box& box, ArrayView3<uint64_t> out) const;
  // Every label replaced by lookup(label) on the way, with no copy of the labels: a mask of a few ids over a region.
  // `lookup` is called from several threads at once, seldom more often than once for a block's distinct label.
  [[nodiscard]] absl::Status ReadBoxMapped(int scale, const Box& box, absl::FunctionRef<uint8_t(uint64_t)> lookup,
                                           ArrayView3<uint8_t> out) const;
  [[nodiscard]] absl::Status ReadBoxMapped(int scale, const Box& box, absl::FunctionRef<uint32_t(uint64_t)> lookup,
                                           ArrayView3<uint32_t> out) const;

  // The label at each point, in the order of the points. Each chunk is read once, however many points it holds, and
  // is not decoded. OUT_OF_RANGE names the first point outside.
  [[nodiscard]] absl::StatusOr<std::vector<uint64_t>> ReadVoxels(int scale, std::span<const VoxelPoint> points) const;

  // A chunk's stored bytes and their generation; no value means that all its voxels are zero.
  [[nodiscard]] absl::StatusOr<store::ReadResult> ReadChunk(int scale, ChunkPoint chunk) const;
  // The labels of what ReadChunk returned.
  [[nodiscard]] absl::StatusOr<Array3<uint64_t>> DecodeChunk(int scale, ChunkPoint chunk,
                                                             const store::ReadResult& read) const;

  // Writes `labels` to `box` in one batch. Chunks partly covered are read first, and written only if they are still
  // what was read: ABORTED when another writer came between (the batch is then undone or cut short as the store says;
  // writing again is safe). Chunks wholly covered are written whatever they are.
  [[nodiscard]] absl::Status WriteBox(int scale, const Box& box, ArrayView3<const uint64_t> labels) const;
  // One chunk's write, for callers that batch themselves. `labels` has the extent of grid(scale).BoxOf(chunk); when all
  // are zero the write deletes the key, unless background() is kStored and the scale the finest.
  [[nodiscard]] absl::StatusOr<store::KeyedWrite> EncodeChunkWrite(
      int scale, ChunkPoint chunk, ArrayView3<const uint64_t> labels,
      std::optional<store::Generation> if_generation) const;

 private:
  struct StoredScale {
    ChunkGrid grid;
    std::string key_prefix;  // of its chunks, ends in '/'
    std::unique_ptr<const ChunkCodec> codec;
  };

  Volume(std::shared_ptr<store::Store> store, std::string prefix, Info info, Background background);
  [[nodiscard]] absl::Status CheckScale(int scale) const;
  [[nodiscard]] absl::Status CheckBox(int scale, const Box& box) const;
  [[nodiscard]] absl::Status CheckChunk(int scale, ChunkPoint chunk) const;
  // Decodes the part of one chunk that `box` covers into `out`, the box's elements, by decode(codec, bytes, ...).
  template <typename Out, typename Decode>
  [[nodiscard]] absl::Status ReadChunks(int scale, const Box& box, ArrayView3<Out> out, Out zero, Decode decode) const;
  [[nodiscard]] absl::StatusOr<store::KeyedWrite> MergeIntoChunk(int scale, ChunkPoint chunk, const Box& box,
                                                                 ArrayView3<const uint64_t> labels) const;

  std::shared_ptr<store::Store> store_;
  std::string prefix_;
  Info info_;
  Background background_;
  std::vector<StoredScale> scales_;
};

}  // namespace cleave::volume
