#include "volume/volume.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/parallel.h"
#include "base/status.h"

namespace cleave::volume {
namespace {

std::string AsFolder(absl::string_view prefix) {
  return prefix.empty() || absl::EndsWith(prefix, "/") ? std::string(prefix) : absl::StrCat(prefix, "/");
}

// The folder `key` relative to `prefix`; each "../" in front of the key goes up one folder.
absl::StatusOr<std::string> ResolveFolder(absl::string_view prefix, absl::string_view key) {
  absl::string_view base = prefix;
  absl::string_view rest = key;
  while (absl::ConsumePrefix(&rest, "../")) {
    if (base.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("info: scale key \"", key, "\" leads out of the store from \"", prefix, "\""));
    }
    base.remove_suffix(1);
    base = base.substr(0, base.rfind('/') == absl::string_view::npos ? 0 : base.rfind('/') + 1);
  }
  return absl::StrCat(base, rest, "/");
}

bool IsAllZero(ArrayView3<const uint64_t> labels) {
  for (int64_t z = 0; z < labels.extent().z; ++z) {
    for (int64_t y = 0; y < labels.extent().y; ++y) {
      const uint64_t* row = labels.Row(y, z);
      if (std::any_of(row, row + labels.extent().x, [](uint64_t label) { return label != 0; })) {
        return false;
      }
    }
  }
  return true;
}

template <typename Out>
void FillRows(ArrayView3<Out> out, Out value) {
  for (int64_t z = 0; z < out.extent().z; ++z) {
    for (int64_t y = 0; y < out.extent().y; ++y) {
      std::fill_n(out.Row(y, z), out.extent().x, value);
    }
  }
}

Box Relative(const Box& box, VoxelPoint origin) { return {box.lo - origin, box.hi - origin}; }

}  // namespace

Volume::Volume(std::shared_ptr<store::Store> store, std::string prefix, Info info, Background background)
    : store_(std::move(store)), prefix_(std::move(prefix)), info_(std::move(info)), background_(background) {}

absl::StatusOr<std::unique_ptr<Volume>> Volume::Over(std::shared_ptr<store::Store> store, absl::string_view prefix,
                                                     const Info& info, Background background) {
  CLEAVE_RETURN_IF_ERROR(ValidateInfo(info));
  std::unique_ptr<Volume> volume(new Volume(std::move(store), AsFolder(prefix), info, background));
  for (const Scale& scale : volume->info_.scales) {
    StoredScale stored{.grid = {scale.bounds(), scale.chunk_size}, .key_prefix = {}, .codec = nullptr};
    CLEAVE_ASSIGN_OR_RETURN(stored.key_prefix, ResolveFolder(volume->prefix_, scale.key));
    CLEAVE_ASSIGN_OR_RETURN(stored.codec, MakeChunkCodec(info.data_type, scale));
    volume->scales_.push_back(std::move(stored));
  }
  return volume;
}

absl::StatusOr<std::unique_ptr<Volume>> Volume::Open(std::shared_ptr<store::Store> store, absl::string_view prefix) {
  const std::string key = absl::StrCat(AsFolder(prefix), "info");
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store->Read(key));
  if (!read.value) {
    return absl::NotFoundError(absl::StrCat("no precomputed volume: ", store->Describe(key), " does not exist"));
  }
  const absl::StatusOr<Info> info = ParseInfo(*read.value);
  if (!info.ok()) {
    return Annotate(info.status(), store->Describe(key));
  }
  absl::StatusOr<std::unique_ptr<Volume>> volume = Over(store, prefix, *info);
  return volume.ok() ? std::move(volume) : Annotate(volume.status(), store->Describe(key));
}

absl::StatusOr<std::unique_ptr<Volume>> Volume::Create(std::shared_ptr<store::Store> store, absl::string_view prefix,
                                                       const Info& info) {
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Volume> volume, Over(store, prefix, info));
  const std::string key = absl::StrCat(volume->prefix_, "info");
  const absl::Status status =
      store->Write(key, FormatInfo(info), {.if_generation = store::Generation::Absent()}).status();
  if (absl::IsAborted(status)) {
    return absl::FailedPreconditionError(
        absl::StrCat("a precomputed volume exists already: ", store->Describe(key), "; open it instead"));
  }
  CLEAVE_RETURN_IF_ERROR(status);
  return volume;
}

const ChunkGrid& Volume::grid(int scale) const {
  assert(scale >= 0 && scale < scale_count());
  return scales_[static_cast<size_t>(scale)].grid;
}

const ChunkCodec& Volume::codec(int scale) const {
  assert(scale >= 0 && scale < scale_count());
  return *scales_[static_cast<size_t>(scale)].codec;
}

std::string Volume::ChunkKey(int scale, ChunkPoint chunk) const {
  assert(grid(scale).Contains(chunk));
  return absl::StrCat(scales_[static_cast<size_t>(scale)].key_prefix, grid(scale).ChunkName(chunk));
}

absl::Status Volume::CheckScale(int scale) const {
  if (scale >= 0 && scale < scale_count()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("scale ", scale, " does not exist; the volume has ", scale_count()));
}

absl::Status Volume::CheckBox(int scale, const Box& box) const {
  CLEAVE_RETURN_IF_ERROR(CheckScale(scale));
  if (box.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("box ", ToString(box), " is empty"));
  }
  if (!grid(scale).bounds.Contains(box)) {
    return absl::OutOfRangeError(absl::StrCat("box ", ToString(box), " reaches beyond scale ", scale,
                                              " of the volume, which is ", ToString(grid(scale).bounds)));
  }
  return absl::OkStatus();
}

absl::Status Volume::CheckChunk(int scale, ChunkPoint chunk) const {
  CLEAVE_RETURN_IF_ERROR(CheckScale(scale));
  if (!grid(scale).Contains(chunk)) {
    return absl::OutOfRangeError(absl::StrCat("chunk ", ToString(chunk), " lies outside of scale ", scale,
                                              ", whose grid is ", ToString(grid(scale).count()), " chunks"));
  }
  return absl::OkStatus();
}

// decode(bytes, chunk's extent, part inside the chunk, target).
template <typename Out, typename Decode>
absl::Status Volume::ReadChunks(int scale, const Box& box, ArrayView3<Out> out, Out zero, Decode decode) const {
  CLEAVE_RETURN_IF_ERROR(CheckBox(scale, box));
  if (out.extent() != box.extent()) {
    return absl::InvalidArgumentError(
        absl::StrCat("an array of ", ToString(out.extent()), " voxels cannot take the box ", ToString(box)));
  }
  const std::vector<ChunkPoint> chunks = grid(scale).ChunksOver(box);
  return ParallelFor(static_cast<int64_t>(chunks.size()), DefaultThreadCount(), [&](int64_t i) -> absl::Status {
    const ChunkPoint chunk = chunks[static_cast<size_t>(i)];
    const Box chunk_box = grid(scale).BoxOf(chunk);
    const Box part = Intersect(chunk_box, box);
    const ArrayView3<Out> target = out.Crop(Relative(part, box.lo));
    const std::string key = ChunkKey(scale, chunk);
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store_->Read(key));
    if (!read.value) {
      FillRows(target, zero);
      return absl::OkStatus();
    }
    const absl::Status status = decode(*read.value, chunk_box.extent(), Relative(part, chunk_box.lo), target);
    return status.ok() ? status : Annotate(status, store_->Describe(key));
  });
}

absl::StatusOr<Array3<uint64_t>> Volume::ReadBox(int scale, const Box& box) const {
  CLEAVE_RETURN_IF_ERROR(CheckBox(scale, box));
  Array3<uint64_t> labels(box.extent());
  CLEAVE_RETURN_IF_ERROR(ReadBoxInto(scale, box, labels.view()));
  return labels;
}

absl::Status Volume::ReadBoxInto(int scale, const Box& box, ArrayView3<uint64_t> out) const {
  return ReadChunks<uint64_t>(
      scale, box, out, 0, [&](absl::string_view bytes, Extent3 extent, const Box& part, ArrayView3<uint64_t> target) {
        return codec(scale).Decode(bytes, extent, part, target);
      });
}

absl::Status Volume::ReadBoxMapped(int scale, const Box& box, absl::FunctionRef<uint8_t(uint64_t)> lookup,
                                   ArrayView3<uint8_t> out) const {
  return ReadChunks<uint8_t>(scale, box, out, lookup(0),
                             [&](absl::string_view bytes, Extent3 extent, const Box& part, ArrayView3<uint8_t> target) {
                               return codec(scale).DecodeMapped(bytes, extent, part, lookup, target);
                             });
}

absl::Status Volume::ReadBoxMapped(int scale, const Box& box, absl::FunctionRef<uint32_t(uint64_t)> lookup,
                                   ArrayView3<uint32_t> out) const {
  return ReadChunks<uint32_t>(
      scale, box, out, lookup(0),
      [&](absl::string_view bytes, Extent3 extent, const Box& part, ArrayView3<uint32_t> target) {
        return codec(scale).DecodeMapped(bytes, extent, part, lookup, target);
      });
}

absl::StatusOr<std::vector<uint64_t>> Volume::ReadVoxels(int scale, std::span<const VoxelPoint> points) const {
  CLEAVE_RETURN_IF_ERROR(CheckScale(scale));
  absl::flat_hash_map<ChunkPoint, std::vector<size_t>> points_of_chunk;
  for (size_t i = 0; i < points.size(); ++i) {
    if (!grid(scale).bounds.Contains(points[i])) {
      return absl::OutOfRangeError(absl::StrCat("point ", ToString(points[i]), " lies outside of scale ", scale,
                                                " of the volume, which is ", ToString(grid(scale).bounds)));
    }
    points_of_chunk[grid(scale).ChunkOf(points[i])].push_back(i);
  }
  using Group = std::pair<ChunkPoint, std::vector<size_t>>;
  const std::vector<Group> groups(points_of_chunk.begin(), points_of_chunk.end());
  std::vector<uint64_t> labels(points.size());
  CLEAVE_RETURN_IF_ERROR(
      ParallelFor(static_cast<int64_t>(groups.size()), DefaultThreadCount(), [&](int64_t i) -> absl::Status {
        const auto& [chunk, members] = groups[static_cast<size_t>(i)];
        const Box chunk_box = grid(scale).BoxOf(chunk);
        CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, ReadChunk(scale, chunk));
        for (const size_t member : members) {
          if (read.value) {
            const VoxelPoint inside = points[member] - chunk_box.lo;
            const absl::StatusOr<uint64_t> label = codec(scale).At(*read.value, chunk_box.extent(), inside);
            if (!label.ok()) {
              return Annotate(label.status(), store_->Describe(ChunkKey(scale, chunk)));
            }
            labels[member] = *label;
          }
        }
        return absl::OkStatus();
      }));
  return labels;
}

absl::StatusOr<store::ReadResult> Volume::ReadChunk(int scale, ChunkPoint chunk) const {
  CLEAVE_RETURN_IF_ERROR(CheckChunk(scale, chunk));
  return store_->Read(ChunkKey(scale, chunk));
}

absl::StatusOr<Array3<uint64_t>> Volume::DecodeChunk(int scale, ChunkPoint chunk, const store::ReadResult& read) const {
  CLEAVE_RETURN_IF_ERROR(CheckChunk(scale, chunk));
  const Extent3 extent = grid(scale).BoxOf(chunk).extent();
  Array3<uint64_t> labels(extent);
  if (read.value) {
    const absl::Status status = codec(scale).Decode(*read.value, extent, BoxAt({}, extent), labels.view());
    if (!status.ok()) {
      return Annotate(status, store_->Describe(ChunkKey(scale, chunk)));
    }
  }
  return labels;
}

absl::StatusOr<store::KeyedWrite> Volume::EncodeChunkWrite(int scale, ChunkPoint chunk,
                                                           ArrayView3<const uint64_t> labels,
                                                           std::optional<store::Generation> if_generation) const {
  CLEAVE_RETURN_IF_ERROR(CheckChunk(scale, chunk));
  const Box box = grid(scale).BoxOf(chunk);
  if (labels.extent() != box.extent()) {
    return absl::InvalidArgumentError(absl::StrCat("chunk ", ToString(chunk), " is ", ToString(box.extent()),
                                                   " voxels, not ", ToString(labels.extent())));
  }
  store::KeyedWrite write{ChunkKey(scale, chunk), std::nullopt, std::move(if_generation)};
  const bool is_stored = background_ == Background::kStored && scale == kFinestScale;
  if (is_stored || !IsAllZero(labels)) {
    absl::StatusOr<std::string> bytes = codec(scale).Encode(labels);
    if (!bytes.ok()) {
      return Annotate(bytes.status(), store_->Describe(write.key));
    }
    write.value = *std::move(bytes);
  }
  return write;
}

// `labels` are those of `box`, which covers the chunk in part or whole.
absl::StatusOr<store::KeyedWrite> Volume::MergeIntoChunk(int scale, ChunkPoint chunk, const Box& box,
                                                         ArrayView3<const uint64_t> labels) const {
  const Box chunk_box = grid(scale).BoxOf(chunk);
  const Box part = Intersect(chunk_box, box);
  const ArrayView3<const uint64_t> fresh = labels.Crop(Relative(part, box.lo));
  if (part == chunk_box) {
    return EncodeChunkWrite(scale, chunk, fresh, std::nullopt);
  }
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, ReadChunk(scale, chunk));
  CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> merged, DecodeChunk(scale, chunk, read));
  CopyArray(fresh, merged.view().Crop(Relative(part, chunk_box.lo)));
  return EncodeChunkWrite(scale, chunk, std::as_const(merged).view(), read.generation);
}

absl::Status Volume::WriteBox(int scale, const Box& box, ArrayView3<const uint64_t> labels) const {
  CLEAVE_RETURN_IF_ERROR(CheckBox(scale, box));
  if (labels.extent() != box.extent()) {
    return absl::InvalidArgumentError(
        absl::StrCat("an array of ", ToString(labels.extent()), " voxels does not fill the box ", ToString(box)));
  }
  const std::vector<ChunkPoint> chunks = grid(scale).ChunksOver(box);
  std::vector<store::KeyedWrite> writes(chunks.size());
  CLEAVE_RETURN_IF_ERROR(
      ParallelFor(static_cast<int64_t>(chunks.size()), DefaultThreadCount(), [&](int64_t i) -> absl::Status {
        const auto at = static_cast<size_t>(i);
        CLEAVE_ASSIGN_OR_RETURN(writes[at], MergeIntoChunk(scale, chunks[at], box, labels));
        return absl::OkStatus();
      }));
  return store_->WriteBatch(writes);
}

}  // namespace cleave::volume
