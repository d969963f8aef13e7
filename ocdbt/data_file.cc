#include "ocdbt/data_file.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cleave::ocdbt {
namespace {

// Shared prefixes let few bytes stand for many; this bounds what a damaged table can cost.
constexpr size_t kMaxTableBytes = size_t{1} << 28;

// How many bytes a file's path takes over from the one before. The relative paths count only if the base paths are
// equal, because a base path must end inside of the bytes that are its own.
size_t SharedPathBytes(const DataFileId& before, const DataFileId& file) {
  const size_t base = CommonPrefix(before.base_path(), file.base_path());
  return before.base_path() == file.base_path() ? base + CommonPrefix(before.relative_path(), file.relative_path())
                                                : base;
}

}  // namespace

const std::shared_ptr<const DataFileId::Paths>& DataFileId::Empty() {
  static const auto& empty = *new std::shared_ptr<const Paths>(std::make_shared<const Paths>());
  return empty;
}

std::string Describe(const DataReference& reference) {
  return reference.missing() ? "(nothing)"
                             : absl::StrCat(reference.file.path(), "[", reference.offset, ", +", reference.length, ")");
}

void DataFileTable::Encode(std::string& out) {
  std::sort(files_.begin(), files_.end());
  files_.erase(std::unique(files_.begin(), files_.end()), files_.end());
  std::vector<size_t> prefix(files_.size(), 0);
  for (size_t i = 1; i < files_.size(); ++i) {
    prefix[i] = SharedPathBytes(files_[i - 1], files_[i]);
  }
  PutVarint(out, files_.size());
  for (size_t i = 1; i < files_.size(); ++i) {
    PutVarint(out, prefix[i]);
  }
  for (size_t i = 0; i < files_.size(); ++i) {
    PutVarint(out, files_[i].base_path().size() + files_[i].relative_path().size() - prefix[i]);
  }
  for (const DataFileId& file : files_) {
    PutVarint(out, file.base_path().size());
  }
  for (size_t i = 0; i < files_.size(); ++i) {
    absl::StrAppend(&out, files_[i].path().substr(prefix[i]));
  }
}

size_t DataFileTable::IndexOf(const DataFileId& file) const {
  return static_cast<size_t>(std::lower_bound(files_.begin(), files_.end(), file) - files_.begin());
}

std::vector<DataFileId> DecodeDataFileTable(ByteReader& reader, absl::string_view transitive_base) {
  const uint64_t count = reader.Varint();
  std::vector<DataFileId> files;
  if (count == 0 || !reader.CanHold(count)) {
    return files;
  }
  const std::vector<uint16_t> prefix = reader.Column(count - 1, &ByteReader::Varint16);
  const std::vector<uint16_t> suffix = reader.Column(count, &ByteReader::Varint16);
  const std::vector<uint16_t> base = reader.Column(count, &ByteReader::Varint16);
  std::string path;
  size_t total_bytes = 0;
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    const size_t shared = i == 0 ? 0 : prefix[i - 1];
    if (shared > path.size() || shared + suffix[i] + transitive_base.size() > kMaxPathBytes) {
      reader.Fail(absl::StrCat("Path of data file ", i, " has an invalid length"));
    } else if (i > 0 && shared > std::min(base[i - 1], base[i]) && base[i - 1] != base[i]) {
      reader.Fail(absl::StrCat("Base path of data file ", i, " does not end in bytes of its own"));
    }
    const absl::string_view own = reader.Bytes(suffix[i]);
    if (!reader.ok()) {
      break;
    }
    path = absl::StrCat(absl::string_view(path).substr(0, shared), own);
    if (base[i] > path.size()) {
      reader.Fail(absl::StrCat("Base path of data file ", i, " is longer than its path"));
      break;
    }
    total_bytes += path.size();
    if (total_bytes > kMaxTableBytes) {
      reader.Fail("The paths of the data file table are too long together");
      break;
    }
    files.emplace_back(absl::StrCat(transitive_base, path.substr(0, base[i])), path.substr(base[i]));
  }
  return reader.ok() ? files : std::vector<DataFileId>();
}

std::vector<DataReference> DecodeReferences(ByteReader& reader, const std::vector<DataFileId>& files, uint64_t count,
                                            bool allow_missing) {
  const std::vector<uint64_t> index = reader.Column(count, &ByteReader::Varint);
  const std::vector<uint64_t> offset = reader.Column(count, &ByteReader::Varint);
  const std::vector<uint64_t> length = reader.Column(count, &ByteReader::Varint);
  std::vector<DataReference> references;
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    references.push_back(CheckedReference(reader, files, {index[i], offset[i], length[i]}, allow_missing));
  }
  return references;
}

DataReference CheckedReference(ByteReader& reader, const std::vector<DataFileId>& files,
                               const uint64_t (&index_offset_length)[3], bool allow_missing) {
  const auto& [index, offset, length] = index_offset_length;
  if (index >= files.size()) {
    reader.Fail(absl::StrCat("Data file id ", index, " is outside range [0, ", files.size(), ")"));
    return {};
  }
  const bool missing = offset == kMissing && length == kMissing;
  constexpr uint64_t kLimit = INT64_MAX;
  if (!(missing && allow_missing) && (offset > kLimit || length > kLimit - offset)) {
    reader.Fail(absl::StrCat("Invalid offset ", offset, " or length ", length, " in a data file"));
    return {};
  }
  return {files[index], offset, length};
}

}  // namespace cleave::ocdbt
