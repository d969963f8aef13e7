// Writes data files: appends values and nodes to open files, and finishes each file that is full.
//
// A data file is named PREFIX followed by 32 hex digits of random bytes, and holds values, B+tree nodes and
// version-tree nodes one after the other, in any mixture. There is no index: only who has a reference finds anything.
// A file of more than 4 MiB is filled with zeros to a multiple of 4096 bytes, as readers with direct input need.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/clock.h"
#include "ocdbt/data_file.h"
#include "ocdbt/data_prefixes.h"
#include "store/store.h"

namespace cleave::ocdbt {

enum class DataKind { kValue, kBtreeNode, kVersionTreeNode };

// Not thread-safe: one per commit, or per thread of a bulk fill.
class DataFileWriter {
 public:
  // `store` and `random` must outlive the writer.
  DataFileWriter(store::Store& store, const DataPrefixes& prefixes, RandomSource& random, uint64_t target_file_bytes);

  // Adds bytes to the open file of the kind's prefix; the reference is final at once, the bytes are durable after
  // Flush(). Kinds with equal prefixes share a file. Empty bytes are stored nowhere.
  [[nodiscard]] absl::StatusOr<DataReference> Append(DataKind kind, absl::string_view bytes);
  // Bytes that Flush() still has to write or to make durable.
  [[nodiscard]] uint64_t open_bytes() const;
  // Writes every open file. When it returns OK, everything appended is durable.
  [[nodiscard]] absl::Status Flush();

  // Forgets the nodes appended so far: the attempt to commit them was lost.
  void ForgetNodes();
  // From now on all files written so far stay: something unknown may refer to them.
  void KeepAll();
  [[nodiscard]] bool kept_all() const { return kept_all_; }
  // The keys of the files written so far.
  [[nodiscard]] std::vector<std::string> WrittenFiles() const;
  // Removes the written files in which there is neither a node that counts nor a value of `used`; nothing refers to
  // them.
  void RemoveUnused(const std::set<DataFileId>& used);

 private:
  struct OpenFile {
    DataFileId id;
    std::unique_ptr<store::NewValue> contents;  // none: no file is open
    uint64_t bytes = 0;
    uint64_t value_bytes = 0;  // up to the end of the last value; only nodes lie behind
    bool has_nodes = false;
  };
  struct WrittenFile {
    DataFileId id;
    bool has_nodes = false;
  };
  [[nodiscard]] const std::string& PrefixOf(DataKind kind) const;
  [[nodiscard]] std::string NewName(const std::string& prefix);
  [[nodiscard]] absl::Status WriteFile(OpenFile& file);

  store::Store& store_;
  const DataPrefixes prefixes_;
  RandomSource& random_;
  const uint64_t target_file_bytes_;
  std::map<std::string, OpenFile> open_;  // by prefix
  std::vector<WrittenFile> written_;
  bool kept_all_ = false;
};

}  // namespace cleave::ocdbt
