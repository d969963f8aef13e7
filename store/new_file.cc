#include "store/new_file.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/status.h"

namespace cleave::store {
namespace {

constexpr size_t kCollectBytes = size_t{256} << 10;
// Often enough that the disk always has work, seldom enough that it works in long pieces.
constexpr uint64_t kWritebackBytes = uint64_t{8} << 20;

}  // namespace

NewFile::~NewFile() {
  if (file_.is_open() && !finished_) {
    (void)UnlinkFile(path_);  // what stays behind costs space and harms nobody
  }
}

absl::Status NewFile::Append(absl::string_view bytes) {
  if (collected_.size() + bytes.size() < kCollectBytes) {
    collected_.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  return WriteOut(bytes);
}

absl::Status NewFile::Truncate(uint64_t bytes) {
  if (bytes >= written_bytes_) {
    collected_.resize(bytes - written_bytes_);
    return absl::OkStatus();
  }
  CLEAVE_RETURN_IF_ERROR(TruncateFile(file_, bytes, path_));
  collected_.clear();
  written_bytes_ = bytes;
  on_their_way_bytes_ = std::min(on_their_way_bytes_, bytes);
  return absl::OkStatus();
}

absl::Status NewFile::Finish() {
  CLEAVE_RETURN_IF_ERROR(WriteOut(""));
  CrashPoint("file_store.before_new_file_sync");
  CLEAVE_RETURN_IF_ERROR(SyncFileAndFolder(file_, path_, folder()));
  finished_ = true;
  return absl::OkStatus();
}

absl::Status NewFile::Open() {
  constexpr int kFlags = O_CREAT | O_EXCL | O_WRONLY;
  CLEAVE_RETURN_IF_ERROR(folders_.Make(folder()));
  CLEAVE_ASSIGN_OR_RETURN(file_, OpenFile(path_, kFlags));
  if (!file_.is_open()) {  // the folder was removed behind our back; make it once more
    folders_.Forget();
    CLEAVE_RETURN_IF_ERROR(folders_.Make(folder()));
    CLEAVE_ASSIGN_OR_RETURN(file_, OpenFile(path_, kFlags));
  }
  return file_.is_open() ? absl::OkStatus() : absl::NotFoundError(absl::StrCat("the folder of ", path_, " vanished"));
}

absl::Status NewFile::WriteOut(absl::string_view bytes) {
  if (!file_.is_open()) {
    CLEAVE_RETURN_IF_ERROR(Open());
  }
  for (const absl::string_view part : {absl::string_view(collected_), bytes}) {
    if (!part.empty()) {
      CLEAVE_RETURN_IF_ERROR(WriteAt(file_, written_bytes_, part, path_));
      written_bytes_ += part.size();
    }
  }
  collected_.clear();
  if (written_bytes_ - on_their_way_bytes_ >= kWritebackBytes) {
    StartWriteback(file_, on_their_way_bytes_, written_bytes_ - on_their_way_bytes_);
    on_their_way_bytes_ = written_bytes_;
  }
  return absl::OkStatus();
}

}  // namespace cleave::store
