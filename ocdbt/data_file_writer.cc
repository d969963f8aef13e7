#include "ocdbt/data_file_writer.h"

#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/crash_point.h"
#include "base/status.h"

namespace cleave::ocdbt {
namespace {

constexpr size_t kPaddedAboveBytes = size_t{4} << 20;
constexpr size_t kPaddingUnitBytes = 4096;

}  // namespace

DataPrefixes DataPrefixes::All(absl::string_view prefix) {
  return {std::string(prefix), std::string(prefix), std::string(prefix)};
}

absl::Status ValidatePrefixes(const DataPrefixes& prefixes) {
  constexpr size_t kMaxPrefixBytes = 1024;
  for (const std::string& prefix : {prefixes.value, prefixes.btree_node, prefixes.version_tree_node}) {
    const absl::Status status = store::ValidateKey(absl::StrCat(prefix, "0"));
    if (!status.ok() || prefix.size() > kMaxPrefixBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("data file prefix \"", absl::CHexEscape(prefix), "\" cannot begin the name of a data file"));
    }
  }
  return absl::OkStatus();
}

DataFileWriter::DataFileWriter(store::Store& store, const DataPrefixes& prefixes, RandomSource& random,
                               uint64_t target_file_bytes)
    : store_(store), prefixes_(prefixes), random_(random), target_file_bytes_(target_file_bytes) {}

absl::StatusOr<DataReference> DataFileWriter::Append(DataKind kind, absl::string_view bytes) {
  if (bytes.empty()) {
    return DataReference{};
  }
  const std::string& prefix = PrefixOf(kind);
  OpenFile& file = open_[prefix];
  if (file.contents == nullptr) {
    file = OpenFile();
    file.id = DataFileId("", NewName(prefix));
    CLEAVE_ASSIGN_OR_RETURN(file.contents, store_.WriteNew(file.id.path()));
  }
  const DataReference reference{file.id, file.bytes, bytes.size()};
  CLEAVE_RETURN_IF_ERROR(file.contents->Append(bytes));
  file.bytes += bytes.size();
  if (kind == DataKind::kValue) {
    file.value_bytes = file.bytes;
  } else {
    file.has_nodes = true;
  }
  if (file.bytes >= target_file_bytes_) {
    CLEAVE_RETURN_IF_ERROR(WriteFile(file));
  }
  return reference;
}

uint64_t DataFileWriter::open_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [prefix, file] : open_) {
    bytes += file.bytes;
  }
  return bytes;
}

absl::Status DataFileWriter::Flush() {
  for (auto& [prefix, file] : open_) {
    CLEAVE_RETURN_IF_ERROR(WriteFile(file));
  }
  return absl::OkStatus();
}

absl::Status DataFileWriter::WriteFile(OpenFile& file) {
  if (file.contents == nullptr) {
    return absl::OkStatus();
  }
  const OpenFile taken = std::exchange(file, OpenFile());
  written_.push_back({taken.id, taken.has_nodes});  // before it is tried: an error may mean that it was done
  CrashPoint("ocdbt.before_data_file");
  if (taken.bytes > kPaddedAboveBytes) {
    const std::string padding((kPaddingUnitBytes - taken.bytes % kPaddingUnitBytes) % kPaddingUnitBytes, '\0');
    CLEAVE_RETURN_IF_ERROR(taken.contents->Append(padding));
  }
  return Annotate(taken.contents->Finish(), "writing a data file");
}

void DataFileWriter::ForgetNodes() {
  for (WrittenFile& file : written_) {
    file.has_nodes = false;
  }
  for (auto& [prefix, file] : open_) {
    file.has_nodes = false;
    if (file.value_bytes == 0) {
      file = OpenFile();
    } else if (file.contents->Truncate(file.value_bytes).ok()) {  // otherwise they stay, and nothing refers to them
      file.bytes = file.value_bytes;
    }
  }
}

void DataFileWriter::KeepAll() {
  written_.clear();
  kept_all_ = true;
}

std::vector<std::string> DataFileWriter::WrittenFiles() const {
  std::vector<std::string> keys;
  keys.reserve(written_.size());
  for (const WrittenFile& file : written_) {
    keys.push_back(file.id.path());
  }
  return keys;
}

void DataFileWriter::RemoveUnused(const std::set<DataFileId>& used) {
  std::erase_if(written_, [&](const WrittenFile& file) {
    if (file.has_nodes || used.contains(file.id)) {
      return false;
    }
    (void)store_.Delete(file.id.path());  // what stays behind costs space and harms nobody
    return true;
  });
}

const std::string& DataFileWriter::PrefixOf(DataKind kind) const {
  switch (kind) {
    case DataKind::kBtreeNode:
      return prefixes_.btree_node;
    case DataKind::kVersionTreeNode:
      return prefixes_.version_tree_node;
    case DataKind::kValue:
      break;
  }
  return prefixes_.value;
}

std::string DataFileWriter::NewName(const std::string& prefix) {
  std::array<uint8_t, 16> bytes{};
  random_.Fill(bytes);
  return absl::StrCat(
      prefix, absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())));
}

}  // namespace cleave::ocdbt
