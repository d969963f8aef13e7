#include "volume/plain_folder.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/array.h"
#include "base/status.h"

namespace cleave::volume {
namespace {

// The chunk of the finest scale whose file this is.
std::optional<ChunkPoint> FinestChunkOf(const Volume& volume, absl::string_view key) {
  if (!absl::ConsumePrefix(&key, absl::StrCat(volume.info().scales[kFinestScale].key, "/"))) {
    return std::nullopt;
  }
  const std::vector<absl::string_view> axes = absl::StrSplit(key, '_');
  VoxelPoint corner;
  for (int axis = 0; axis < 3; ++axis) {
    const absl::string_view range = axes.size() == 3 ? axes[static_cast<size_t>(axis)] : absl::string_view();
    // A '-' in front is a sign.
    if (!absl::SimpleAtoi(range.substr(0, range.find('-', 1)), &corner[axis])) {
      return std::nullopt;
    }
  }
  const ChunkGrid& grid = volume.grid(kFinestScale);
  if (!grid.bounds.Contains(corner)) {
    return std::nullopt;
  }
  const ChunkPoint chunk = grid.ChunkOf(corner);
  return grid.ChunkName(chunk) == key ? std::optional(chunk) : std::nullopt;
}

absl::StatusOr<std::string> FullKey(const Volume& volume, absl::string_view key) {
  std::string name = absl::StrCat(volume.prefix(), key);
  CLEAVE_RETURN_IF_ERROR(store::ValidateKey(name));
  return name;
}

}  // namespace

absl::StatusOr<std::optional<PlainFile>> ReadPlainFile(const Volume& volume, absl::string_view key) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string name, FullKey(volume, key));
  CLEAVE_ASSIGN_OR_RETURN(store::ReadResult read, volume.store().Read(name));
  if (read.value.has_value()) {
    return PlainFile{*std::move(read.value), std::move(read.generation)};
  }
  const std::optional<ChunkPoint> chunk = FinestChunkOf(volume, key);
  if (!chunk.has_value()) {
    return std::nullopt;
  }
  const Array3<uint64_t> zeros(volume.grid(kFinestScale).BoxOf(*chunk).extent());
  CLEAVE_ASSIGN_OR_RETURN(std::string bytes, volume.codec(kFinestScale).Encode(zeros.view()));
  return PlainFile{std::move(bytes), store::Generation::Absent()};
}

absl::StatusOr<std::optional<store::Generation>> PlainFileGeneration(const Volume& volume, absl::string_view key) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string name, FullKey(volume, key));
  CLEAVE_ASSIGN_OR_RETURN(store::ReadResult read, volume.store().Read(name, {.range = {.begin = 0, .end = 0}}));
  if (read.value.has_value()) {
    return std::move(read.generation);
  }
  return FinestChunkOf(volume, key).has_value() ? std::optional(store::Generation::Absent()) : std::nullopt;
}

}  // namespace cleave::volume
