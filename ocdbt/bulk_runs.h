// Entries sorted outside of memory: runs put aside in temporary files, and their merge.
//
// A run is a sequence of entries in key order, of each key the last one:
//   key_length varint, key, value_kind u8 (0 inline, 1 indirect), value_length varint,
//   then the inline bytes, or offset varint, base_path_length varint, relative_path_length varint, both paths.
// The parts of a fill by several processes keep their runs in the same form in data files (fill.h).
#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "ocdbt/btree_node.h"
#include "ocdbt/byte_coding.h"

namespace cleave::ocdbt {

// An entry that owns its bytes.
struct OwnedEntry {
  std::string key;
  bool indirect = false;
  std::string inline_bytes;
  DataReference reference;
  [[nodiscard]] LeafValue value() const { return {indirect, inline_bytes, reference}; }
  [[nodiscard]] size_t memory_bytes() const;
};

// Sorts `entries` by key, and keeps the last one of equal keys.
void SortRun(std::vector<OwnedEntry>& entries);
// Appends an entry in the form above.
void AppendRunEntry(const OwnedEntry& entry, std::string& out);
// Reads one entry off the front. The reader fails where it is none.
[[nodiscard]] OwnedEntry DecodeRunEntry(ByteReader& reader);

// A temporary file of the operating system, which has no name and vanishes with the program.
class RunFile {
 public:
  // Sorts `entries`, keeps the last one of equal keys, and writes them. `folder` "" means $TMPDIR, or /tmp.
  [[nodiscard]] static absl::StatusOr<RunFile> Write(std::vector<OwnedEntry>& entries, const std::string& folder);
  // Goes to the first entry.
  [[nodiscard]] absl::Status Rewind();
  // False after the last entry.
  [[nodiscard]] absl::StatusOr<bool> Next(OwnedEntry& entry);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit RunFile(std::FILE* file) : file_(file) {}
  std::unique_ptr<std::FILE, Close> file_;
};

// Gives the next entry of a sorted sequence; false after the last one.
using EntrySource = std::function<absl::StatusOr<bool>(OwnedEntry&)>;

// Calls `take` with every key of all sources once, in order; of equal keys the entry of the last source that has it.
[[nodiscard]] absl::Status MergeSources(std::vector<EntrySource>& sources,
                                        const std::function<absl::Status(OwnedEntry&&)>& take);

}  // namespace cleave::ocdbt
