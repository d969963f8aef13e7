#include "ocdbt/bulk_runs.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <queue>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/byte_coding.h"

namespace cleave::ocdbt {
namespace {

absl::Status FileError(absl::string_view action) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot ", action, " a temporary file of a bulk fill"));
}

absl::StatusOr<std::FILE*> OpenUnnamed(const std::string& folder) {
  const char* tmpdir = std::getenv("TMPDIR");
  const std::string parent = !folder.empty() ? folder : tmpdir != nullptr && *tmpdir != '\0' ? tmpdir : "/tmp";
  std::string path = absl::StrCat(parent, "/cleave_bulk_XXXXXX");
  const int descriptor = mkstemp(path.data());
  std::FILE* file = descriptor < 0 ? nullptr : fdopen(descriptor, "w+b");
  if (file == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot make a temporary file in ", parent));
  }
  unlink(path.c_str());
  return file;
}

absl::Status PutEntry(std::FILE* file, const OwnedEntry& entry) {
  std::string bytes;
  AppendRunEntry(entry, bytes);
  return std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() ? absl::OkStatus() : FileError("write");
}

// Nothing at the end of the file.
std::optional<uint64_t> GetVarint(std::FILE* file) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const int byte = std::getc(file);
    if (byte == EOF) {
      return std::nullopt;
    }
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      return value;
    }
  }
  return std::nullopt;
}

bool GetString(std::FILE* file, std::string& out, uint64_t length) {
  out.resize(length);
  return std::fread(out.data(), 1, length, file) == length;
}

bool GetValue(std::FILE* file, OwnedEntry& entry) {
  const int kind = std::getc(file);
  const std::optional<uint64_t> length = GetVarint(file);
  entry.indirect = kind == 1;
  if (kind == EOF || !length || !entry.indirect) {
    return kind != EOF && length && GetString(file, entry.inline_bytes, *length);
  }
  const std::optional<uint64_t> offset = GetVarint(file), base = GetVarint(file), relative = GetVarint(file);
  std::string path;
  if (!offset || !base || !relative || !GetString(file, path, *base + *relative)) {
    return false;
  }
  entry.inline_bytes.clear();
  if (entry.reference.file.path() != path) {  // neighbours share a file, and then its name
    entry.reference.file = DataFileId(path.substr(0, *base), path.substr(*base));
  }
  entry.reference.offset = *offset;
  entry.reference.length = *length;
  return true;
}

}  // namespace

size_t OwnedEntry::memory_bytes() const { return sizeof(*this) + key.capacity() + inline_bytes.capacity(); }

void SortRun(std::vector<OwnedEntry>& entries) {
  // From the back, so that of equal keys the last one comes first.
  std::reverse(entries.begin(), entries.end());
  std::stable_sort(entries.begin(), entries.end(),
                   [](const OwnedEntry& a, const OwnedEntry& b) { return a.key < b.key; });
  entries.erase(std::unique(entries.begin(), entries.end(),
                            [](const OwnedEntry& a, const OwnedEntry& b) { return a.key == b.key; }),
                entries.end());
}

void AppendRunEntry(const OwnedEntry& entry, std::string& out) {
  PutVarint(out, entry.key.size());
  out += entry.key;
  PutU8(out, entry.indirect ? 1 : 0);
  PutVarint(out, entry.value().length());
  if (entry.indirect) {
    PutVarint(out, entry.reference.offset);
    PutVarint(out, entry.reference.file.base_path().size());
    PutVarint(out, entry.reference.file.relative_path().size());
    out += entry.reference.file.path();
  } else {
    out += entry.inline_bytes;
  }
}

OwnedEntry DecodeRunEntry(ByteReader& reader) {
  OwnedEntry entry;
  entry.key = std::string(reader.Bytes(reader.Varint()));
  const uint8_t kind = reader.U8();
  if (kind > 1) {
    reader.Fail("a run has an entry of an unknown kind");
  }
  entry.indirect = kind == 1;
  const uint64_t length = reader.Varint();
  if (!entry.indirect) {
    entry.inline_bytes = std::string(reader.Bytes(length));
    return entry;
  }
  entry.reference.length = length;
  entry.reference.offset = reader.Varint();
  const uint64_t base = reader.Varint();
  const uint64_t relative = reader.Varint();
  const absl::string_view base_path = reader.Bytes(base);
  entry.reference.file = DataFileId(base_path, reader.Bytes(relative));
  return entry;
}

absl::StatusOr<RunFile> RunFile::Write(std::vector<OwnedEntry>& entries, const std::string& folder) {
  SortRun(entries);
  CLEAVE_ASSIGN_OR_RETURN(std::FILE* const file, OpenUnnamed(folder));
  RunFile run(file);
  for (const OwnedEntry& entry : entries) {
    CLEAVE_RETURN_IF_ERROR(PutEntry(file, entry));
  }
  return std::fflush(file) == 0 ? absl::StatusOr<RunFile>(std::move(run)) : FileError("write");
}

absl::Status RunFile::Rewind() {
  return std::fseek(file_.get(), 0, SEEK_SET) == 0 ? absl::OkStatus() : FileError("read");
}

absl::StatusOr<bool> RunFile::Next(OwnedEntry& entry) {
  const std::optional<uint64_t> key_length = GetVarint(file_.get());
  if (!key_length) {
    return std::ferror(file_.get()) == 0 ? absl::StatusOr<bool>(false) : FileError("read");
  }
  if (!GetString(file_.get(), entry.key, *key_length) || !GetValue(file_.get(), entry)) {
    return FileError("read");
  }
  return true;
}

absl::Status MergeSources(std::vector<EntrySource>& sources, const std::function<absl::Status(OwnedEntry&&)>& take) {
  std::vector<OwnedEntry> heads(sources.size());
  // The smallest key is on top, and of equal keys the one of the last source.
  const auto later = [&](size_t a, size_t b) {
    return heads[a].key != heads[b].key ? heads[a].key > heads[b].key : a < b;
  };
  std::priority_queue<size_t, std::vector<size_t>, decltype(later)> queue(later);
  const auto advance = [&](size_t source) -> absl::Status {
    CLEAVE_ASSIGN_OR_RETURN(const bool more, sources[source](heads[source]));
    if (more) {
      queue.push(source);
    }
    return absl::OkStatus();
  };
  for (size_t source = 0; source < sources.size(); ++source) {
    CLEAVE_RETURN_IF_ERROR(advance(source));
  }
  while (!queue.empty()) {
    const size_t winner = queue.top();
    queue.pop();
    const std::string key = heads[winner].key;
    CLEAVE_RETURN_IF_ERROR(take(std::move(heads[winner])));
    CLEAVE_RETURN_IF_ERROR(advance(winner));
    while (!queue.empty() && queue.top() != winner && heads[queue.top()].key == key) {
      const size_t overruled = queue.top();
      queue.pop();
      CLEAVE_RETURN_IF_ERROR(advance(overruled));
    }
  }
  return absl::OkStatus();
}

}  // namespace cleave::ocdbt
