#include "cli/npy_slab_writer.h"

#include <cassert>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "volume/npy_header.h"

namespace cleave::cli {

NpySlabWriter::NpySlabWriter(std::string path, Extent3 extent)
    : path_(std::move(path)), part_path_(path_ + ".part"), extent_(extent), file_(part_path_, std::ios::binary) {
  file_ << volume::FormatNpyHeader({.type = {.is_signed = false, .byte_count = 8}, .extent = extent});
}

NpySlabWriter::~NpySlabWriter() { std::remove(part_path_.c_str()); }

void NpySlabWriter::Append(const Array3<uint64_t>& slab) {
  assert(slab.extent().x == extent_.x && slab.extent().y == extent_.y);
  // Elements of a .npy file of type '<u8' are little-endian, as this machine's are (checked where volumes are read).
  file_.write(reinterpret_cast<const char*>(slab.data()), slab.size() * static_cast<int64_t>(sizeof(uint64_t)));
  planes_ += slab.extent().z;
}

absl::Status NpySlabWriter::status() const {
  if (!file_) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write ", path_, "; does its folder exist, and is there room on the disk?"));
  }
  return absl::OkStatus();
}

absl::Status NpySlabWriter::Finish() {
  assert(planes_ == extent_.z);
  file_.close();
  CLEAVE_RETURN_IF_ERROR(status());
  if (std::rename(part_path_.c_str(), path_.c_str()) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot give ", part_path_, " the name ", path_));
  }
  return absl::OkStatus();
}

}  // namespace cleave::cli
