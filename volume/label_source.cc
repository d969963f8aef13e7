#include "volume/label_source.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "store/store.h"
#include "volume/npy.h"
#include "volume/volume.h"

namespace cleave::volume {
namespace {

absl::Status CheckInside(const Box& box, const LabelSource& source) {
  if (!box.empty() && source.bounds().Contains(box)) {
    return absl::OkStatus();
  }
  return absl::OutOfRangeError(absl::StrCat("box ", ToString(box), " is empty or reaches beyond ", source.Describe(),
                                            ", which is ", ToString(source.bounds())));
}

// An array in memory, in the type it came in.
template <typename Label>
class ArraySource : public LabelSource {
 public:
  ArraySource(Array3<Label> labels, VoxelPoint voxel_offset, std::optional<VoxelSizeNm> voxel_size_nm, std::string name)
      : labels_(std::move(labels)),
        voxel_offset_(voxel_offset),
        voxel_size_nm_(voxel_size_nm),
        name_(std::move(name)) {}

  Box bounds() const override { return BoxAt(voxel_offset_, labels_.extent()); }
  std::optional<VoxelSizeNm> voxel_size_nm() const override { return voxel_size_nm_; }
  std::string Describe() const override { return name_; }

  absl::StatusOr<Array3<uint64_t>> ReadBox(const Box& box) const override {
    CLEAVE_RETURN_IF_ERROR(CheckInside(box, *this));
    Array3<uint64_t> out(box.extent());
    CopyArray(labels_.view().Crop({box.lo - voxel_offset_, box.hi - voxel_offset_}), out.view());
    return out;
  }

 private:
  Array3<Label> labels_;
  VoxelPoint voxel_offset_;
  std::optional<VoxelSizeNm> voxel_size_nm_;
  std::string name_;
};

// The finest scale of a precomputed volume.
class VolumeSource : public LabelSource {
 public:
  VolumeSource(std::unique_ptr<Volume> volume, std::string name) : volume_(std::move(volume)), name_(std::move(name)) {}

  Box bounds() const override { return volume_->grid(0).bounds; }
  std::optional<VoxelSizeNm> voxel_size_nm() const override { return volume_->info().scales[0].resolution; }
  std::string Describe() const override { return name_; }

  absl::StatusOr<Array3<uint64_t>> ReadBox(const Box& box) const override {
    CLEAVE_RETURN_IF_ERROR(CheckInside(box, *this));
    return volume_->ReadBox(0, box);
  }

 private:
  std::unique_ptr<Volume> volume_;
  std::string name_;
};

template <typename Label>
absl::StatusOr<std::unique_ptr<LabelSource>> LoadNpy(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(Array3<Label> labels, ReadNpy<Label>(path));
  return std::make_unique<ArraySource<Label>>(std::move(labels), VoxelPoint{}, std::nullopt, path);
}

absl::StatusOr<std::unique_ptr<LabelSource>> OpenNpySource(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<NpyReader> reader, NpyReader::Open(path));
  switch (reader->header().type.byte_count) {
    case 1:
      return LoadNpy<uint8_t>(path);
    case 2:
      return LoadNpy<uint16_t>(path);
    case 4:
      return LoadNpy<uint32_t>(path);
    default:
      return LoadNpy<uint64_t>(path);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<LabelSource>> OpenLabelSource(absl::string_view path_or_url) {
  absl::string_view url = path_or_url;
  absl::ConsumePrefix(&url, "precomputed://");
  if (absl::EndsWith(url, ".npy") || absl::EndsWith(url, ".npy.zst")) {
    absl::ConsumePrefix(&url, "file://");
    return OpenNpySource(std::string(url));
  }
  if (!absl::StrContains(url, "://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path_or_url,
                     "\" is not a source of labels; expected a path that ends in .npy or .npy.zst, or the URL of a "
                     "precomputed volume, such as file:///data/segmentation/"));
  }
  const std::string folder = absl::EndsWith(url, "/") ? std::string(url) : absl::StrCat(url, "/");
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store, store::OpenStore(folder));
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Volume> volume, Volume::Open(std::move(store), ""));
  return std::make_unique<VolumeSource>(std::move(volume), folder);
}

std::unique_ptr<LabelSource> MakeArraySource(Array3<uint64_t> labels, VoxelPoint voxel_offset,
                                             std::optional<VoxelSizeNm> voxel_size_nm) {
  return std::make_unique<ArraySource<uint64_t>>(std::move(labels), voxel_offset, voxel_size_nm, "labels in memory");
}

}  // namespace cleave::volume
