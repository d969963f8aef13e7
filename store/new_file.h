// A file that is written piece by piece under its final name.
#pragma once

#include <memory>
#include <string>

#include "store/durable_folders.h"
#include "store/posix_file.h"
#include "store/store.h"

namespace cleave::store {

// Small pieces are collected; what was collected goes to the file, and on to the disk, while more comes. A file of few
// bytes is made only when it is finished. Not thread-safe, but several may be written at once.
class NewFile final : public NewValue {
 public:
  // `path` is absolute; nothing may exist there. `folders` must outlive the file.
  NewFile(std::string path, DurableFolders& folders) : path_(std::move(path)), folders_(folders) {}
  // Removes what was not finished.
  ~NewFile() override;
  [[nodiscard]] absl::Status Append(absl::string_view bytes) override;
  [[nodiscard]] absl::Status Truncate(uint64_t bytes) override;
  [[nodiscard]] absl::Status Finish() override;

 private:
  [[nodiscard]] absl::Status Open();
  // Writes what was collected, then `bytes`.
  [[nodiscard]] absl::Status WriteOut(absl::string_view bytes);
  [[nodiscard]] std::string folder() const { return path_.substr(0, path_.rfind('/')); }

  const std::string path_;
  DurableFolders& folders_;
  FileDescriptor file_;  // none before the first bytes go out
  std::string collected_;
  uint64_t written_bytes_ = 0;
  uint64_t on_their_way_bytes_ = 0;  // to the disk
  bool finished_ = false;
};

}  // namespace cleave::store
