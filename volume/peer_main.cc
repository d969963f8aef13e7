// The other side of tensorstore_interop_test.py and downsample_peer_test.py: writes and reads volumes in a folder, and
// downsamples labels.
//
//   volume_peer write FOLDER ENCODING CHUNK OFFSET LABELS.npy   makes a uint64 volume of the labels
//   volume_peer read FOLDER LABELS.npy                          writes the finest scale of a volume to LABELS.npy
//   volume_peer downsample FACTOR LABELS.npy COARSE.npy         writes the labels downsampled once
//
// CHUNK, OFFSET and FACTOR are "x,y,z".
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "store/store.h"
#include "volume/downsample.h"
#include "volume/npy.h"
#include "volume/volume.h"

namespace cleave::volume {
namespace {

template <typename Vector>
absl::StatusOr<Vector> ParseVector(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  Vector v;
  for (int axis = 0; axis < 3; ++axis) {
    if (parts.size() != 3 || !absl::SimpleAtoi(parts[static_cast<size_t>(axis)], &v[axis])) {
      return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not x,y,z"));
    }
  }
  return v;
}

absl::Status Write(const std::vector<std::string>& arguments) {
  Info info;
  Scale scale{.key = "8_8_40", .resolution = {8, 8, 40}, .size = {}, .voxel_offset = {}, .other_members = {}};
  scale.encoding = arguments[1] == "raw" ? Encoding::kRaw : Encoding::kCompressedSegmentation;
  CLEAVE_ASSIGN_OR_RETURN(scale.chunk_size, ParseVector<Extent3>(arguments[2]));
  CLEAVE_ASSIGN_OR_RETURN(scale.voxel_offset, ParseVector<VoxelPoint>(arguments[3]));
  CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, ReadNpy<uint64_t>(arguments[4]));
  scale.size = labels.extent();
  info.scales.push_back(scale);
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store,
                          store::OpenStore(absl::StrCat("file://", arguments[0], "/")));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Volume> volume, Volume::Create(std::move(store), "", info));
  return volume->WriteBox(0, scale.bounds(), labels.view());
}

absl::Status Read(const std::vector<std::string>& arguments) {
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<store::Store> store,
                          store::OpenStore(absl::StrCat("file://", arguments[0], "/")));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Volume> volume, Volume::Open(std::move(store), ""));
  CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, volume->ReadBox(0, volume->grid(0).bounds));
  return WriteNpy<uint64_t>(arguments[1], labels.view());
}

absl::Status Downsample(const std::vector<std::string>& arguments) {
  CLEAVE_ASSIGN_OR_RETURN(const Extent3 factor, ParseVector<Extent3>(arguments[0]));
  CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, ReadNpy<uint64_t>(arguments[1]));
  Array3<uint64_t> coarse(CoarserBox(BoxAt({}, labels.extent()), factor).extent());
  DownsampleLabels(labels.view(), {}, factor, coarse.view());
  return WriteNpy<uint64_t>(arguments[2], std::as_const(coarse).view());
}

absl::Status Run(const std::string& command, const std::vector<std::string>& arguments) {
  if (command == "write" && arguments.size() == 5) {
    return Write(arguments);
  }
  if (command == "read" && arguments.size() == 2) {
    return Read(arguments);
  }
  if (command == "downsample" && arguments.size() == 3) {
    return Downsample(arguments);
  }
  return absl::InvalidArgumentError(
      "usage: volume_peer write FOLDER ENCODING CHUNK OFFSET LABELS | read FOLDER LABELS | downsample FACTOR LABELS "
      "COARSE");
}

}  // namespace
}  // namespace cleave::volume

int main(int argc, char** argv) {
  const absl::Status status =
      cleave::volume::Run(argc > 1 ? argv[1] : "", std::vector<std::string>(argv + std::min(argc, 2), argv + argc));
  if (!status.ok()) {
    std::cerr << status << '\n';
  }
  return status.ok() ? 0 : 1;
}
