// Names of data files, and references into them.
//
// A data file is a pair of paths. Resolved, its key in the store is `base_path + relative_path`. In an encoded object a
// base path is relative to the base path of the file in which the object lies; in memory it is always resolved.
//
// The data file table, at the head of every object that holds references:
//   num_files = n       varint; 0: nothing follows
//   path_prefix_length  varint16[n-1], for files 1 to n-1: bytes shared with the path before
//   path_suffix_length  varint16[n]
//   base_path_length    varint16[n]
//   path_suffix         bytes, one after the other
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "ocdbt/byte_coding.h"

namespace cleave::ocdbt {

// Cheap to copy: equal names that came from one table share their bytes. It has no move, so that what was moved from
// still has a name.
class DataFileId {
 public:
  DataFileId() : paths_(Empty()) {}
  DataFileId(const DataFileId&) = default;
  DataFileId& operator=(const DataFileId&) = default;
  DataFileId(absl::string_view base_path, absl::string_view relative_path)
      : paths_(std::make_shared<const Paths>(Paths{std::string(base_path), std::string(relative_path)})) {}
  [[nodiscard]] const std::string& base_path() const { return paths_->base; }
  [[nodiscard]] const std::string& relative_path() const { return paths_->relative; }
  // The key of the file in the store.
  [[nodiscard]] std::string path() const { return paths_->base + paths_->relative; }

  friend bool operator==(const DataFileId& a, const DataFileId& b) {
    return a.paths_ == b.paths_ || *a.paths_ == *b.paths_;
  }
  friend std::strong_ordering operator<=>(const DataFileId& a, const DataFileId& b) {
    return a.paths_ == b.paths_ ? std::strong_ordering::equal : *a.paths_ <=> *b.paths_;
  }

 private:
  struct Paths {
    std::string base;
    std::string relative;
    friend auto operator<=>(const Paths&, const Paths&) = default;
  };
  static const std::shared_ptr<const Paths>& Empty();

  std::shared_ptr<const Paths> paths_;
};

inline constexpr uint64_t kMissing = UINT64_MAX;
inline constexpr size_t kMaxPathBytes = 65535;

// Where some bytes lie: in which file, from which byte, how many.
struct DataReference {
  DataFileId file;
  uint64_t offset = 0;
  uint64_t length = 0;

  // Refers to nothing: the root of an empty version.
  [[nodiscard]] static DataReference Missing() { return {DataFileId(), kMissing, kMissing}; }
  [[nodiscard]] bool missing() const { return offset == kMissing && length == kMissing; }
  friend bool operator==(const DataReference&, const DataReference&) = default;
};

// "d/0123abcd[0, +153)", for messages.
[[nodiscard]] std::string Describe(const DataReference& reference);

// Collects the files of an object that is about to be encoded.
class DataFileTable {
 public:
  void Add(const DataFileId& file) { files_.push_back(file); }
  // Sorts the files, drops repetitions, and appends the table to `out`.
  void Encode(std::string& out);
  // Position of `file` in the encoded table. REQUIRES: it was added before Encode().
  [[nodiscard]] size_t IndexOf(const DataFileId& file) const;

 private:
  std::vector<DataFileId> files_;
};

// Reads a table of an object that lies in a file whose resolved base path is `transitive_base`.
[[nodiscard]] std::vector<DataFileId> DecodeDataFileTable(ByteReader& reader, absl::string_view transitive_base);

// Reads the columns file, offset, length of `count` references. Missing() is accepted only if `allow_missing`.
[[nodiscard]] std::vector<DataReference> DecodeReferences(ByteReader& reader, const std::vector<DataFileId>& files,
                                                          uint64_t count, bool allow_missing);
// Checks one reference whose file index has been read; the reader fails when it is out of bounds.
[[nodiscard]] DataReference CheckedReference(ByteReader& reader, const std::vector<DataFileId>& files,
                                             const uint64_t (&index_offset_length)[3], bool allow_missing);

}  // namespace cleave::ocdbt
