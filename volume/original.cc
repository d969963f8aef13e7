#include "volume/original.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "volume/volume.h"

namespace cleave::volume {
namespace {

Info Remembered(const Info& info) {
  Info remembered;
  remembered.data_type = info.data_type;
  remembered.scales = {info.scales.front()};
  return remembered;
}

absl::StatusOr<Info> ReadInfo(const std::shared_ptr<store::Store>& store) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Volume> volume, Volume::Open(store, ""));
  return Remembered(volume->info());
}

}  // namespace

store::KeyRange OriginalChunkKeys(const OriginalVolume& original) {
  return store::KeyRange::Prefix(absl::StrCat(original.scale().key, "/"));
}

absl::StatusOr<OriginalVolume> FindOriginal(absl::string_view url) {
  absl::string_view folder = url;
  absl::ConsumePrefix(&folder, "precomputed://");
  if (!absl::StrContains(folder, "://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", url,
                     "\" cannot lie under a project: only the URL of a precomputed volume's folder can, such "
                     "as file:///data/segmentation/"));
  }
  OriginalVolume original;
  original.url = absl::EndsWith(folder, "/") ? std::string(folder) : absl::StrCat(folder, "/");
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<store::Store> store, store::OpenStore(original.url));
  CLEAVE_ASSIGN_OR_RETURN(original.info, ReadInfo(store));
  const absl::Status plain_key = store::ValidateKey(original.scale().key);
  if (!plain_key.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(store->Describe("info"), ": the finest scale \"",
                                                   original.scale().key, "\" is no folder of the volume's own"));
  }
  if (original.info.data_type != DataType::kUint64) {
    return absl::InvalidArgumentError(absl::StrCat(store->Describe("info"), ": its labels are ",
                                                   DataTypeName(original.info.data_type),
                                                   "; supervoxel ids are uint64"));
  }
  return original;
}

absl::StatusOr<std::shared_ptr<store::Store>> OpenOriginal(const OriginalVolume& original) {
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store, store::OpenStore(original.url));
  const absl::StatusOr<Info> present = ReadInfo(store);
  if (absl::IsNotFound(present.status())) {
    return absl::NotFoundError(absl::StrCat(present.status().message(),
                                            "; the project shows this volume where nothing was edited, and cannot be "
                                            "read without it"));
  }
  CLEAVE_RETURN_IF_ERROR(present.status());
  if (*present != original.info) {
    return absl::FailedPreconditionError(
        absl::StrCat(store->Describe("info"), " has changed under the project: it was ", FormatInfo(original.info),
                     ", it is ", FormatInfo(*present), "; put the volume back as it was"));
  }
  return store;
}

}  // namespace cleave::volume
