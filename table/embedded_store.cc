#include "table/embedded_store.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include "base/parallel.h"
#include "base/status.h"
#include "table/embedded_key.h"

namespace cleave::table {
namespace {

constexpr absl::string_view kFormatKey(
    "\x00\x00"
    "format",
    8);
constexpr absl::string_view kFormat = "cleave.table.1";
constexpr int kMaxOpenFiles = 512;
constexpr uint64_t kFileBytes = uint64_t{64} << 20;

// Bloom filters are over the row's part of a key.
class RowTransform final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "cleave.row.1"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), RowPrefixSize(ToView(key))};
  }
  bool InDomain(const rocksdb::Slice& key) const override { return RowPrefixSize(ToView(key)) > 0; }
};

std::atomic<rocksdb::Env*> store_env = nullptr;

rocksdb::Options StoreOptions(const EmbeddedTableOptions& options) {
  rocksdb::BlockBasedTableOptions blocks;
  blocks.block_size = 16 << 10;
  blocks.block_cache = rocksdb::NewLRUCache(static_cast<size_t>(options.block_cache_bytes));
  blocks.cache_index_and_filter_blocks = true;  // else their memory has no bound
  blocks.pin_l0_filter_and_index_blocks_in_cache = true;
  // In pieces: the whole filter of one file can be larger than the part of the cache that may hold it, and would then
  // be read again with every row.
  blocks.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  blocks.partition_filters = true;
  blocks.metadata_block_size = 16 << 10;
  blocks.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  blocks.whole_key_filtering = false;
  blocks.format_version = 5;

  rocksdb::Options store;
  store.create_if_missing = true;  // whether one may be created is decided before
  store.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
  store.prefix_extractor = std::make_shared<RowTransform>();
  store.memtable_prefix_bloom_size_ratio = 0.05;
  store.write_buffer_size = static_cast<size_t>(options.write_buffer_bytes);
  store.max_write_buffer_number = 4;
  store.target_file_size_base = kFileBytes;
  store.level_compaction_dynamic_level_bytes = true;
  store.compression = rocksdb::kZSTD;
  store.compression_opts.level = 1;
  store.max_open_files = kMaxOpenFiles;
  store.max_background_jobs = std::max(2, DefaultThreadCount());
  store.bytes_per_sync = 1 << 20;
  // The end of the log may be half written; damage anywhere before it is an error, not a quiet loss.
  store.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  store.info_log_level = rocksdb::WARN_LEVEL;
  store.keep_log_file_num = 3;
  store.max_log_file_size = 4 << 20;
  if (rocksdb::Env* const env = store_env) {
    store.env = env;
  }
  return store;
}

// Looks at the folder before RocksDB does: RocksDB would create one, or say less clearly what is wrong.
absl::Status CheckFolder(const std::string& folder, const EmbeddedTableOptions& options) {
  std::error_code error;
  if (std::filesystem::exists(folder + "/CURRENT", error)) {
    return absl::OkStatus();
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, "MANIFEST-") || absl::EndsWith(name, ".sst")) {
      return absl::DataLossError(absl::StrCat(folder, "/CURRENT is missing, but other files of a table are there"));
    }
  }
  if (!options.create_if_missing) {
    return absl::FailedPreconditionError(absl::StrCat("there is no table in ", folder));
  }
  std::filesystem::create_directories(folder, error);
  return error ? absl::UnavailableError(absl::StrCat("cannot create ", folder, ": ", error.message()))
               : absl::OkStatus();
}

// The names of the write-ahead logs in `folder`.
std::string LogNames(const std::string& folder) {
  std::string names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".log") {
      absl::StrAppend(&names, names.empty() ? "" : ", ", entry.path().filename().string());
    }
  }
  return names;
}

absl::Status OpenError(const rocksdb::Status& status, const std::string& folder) {
  const std::string message = status.ToString();
  if (status.IsIOError() && absl::StrContains(message, "/LOCK")) {
    return absl::UnavailableError(absl::StrCat(folder, ": project is in use by another process"));
  }
  if (!status.IsCorruption() && !status.IsPathNotFound() && !status.IsInvalidArgument()) {
    return Annotate(ToStatus(status), folder);
  }
  if (!absl::StrContains(message, folder)) {
    // Of all files it is only the log that RocksDB does not name.
    return absl::DataLossError(absl::StrCat("the log of ", folder, " is damaged (", LogNames(folder), "): ", message));
  }
  // RocksDB looks for a missing file under an older name at last, and names that.
  return absl::DataLossError(absl::StrCat(folder, " is damaged: ", absl::StrReplaceAll(message, {{".ldb:", ".sst:"}})));
}

// The log that was written last; empty when there is none.
std::string NewestLog(const std::string& folder) {
  std::string newest;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string path = entry.path().string();
    if (entry.path().extension() == ".log" && newest < path) {
      newest = path;
    }
  }
  return newest;
}

// The bytes of a file up to its last that is not zero.
absl::StatusOr<uintmax_t> BytesBeforeZeros(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> buffer(1 << 16);
  uintmax_t read = 0;
  uintmax_t bytes = 0;
  while (file.read(buffer.data(), std::ssize(buffer)), file.gcount() > 0) {
    const auto end = buffer.begin() + file.gcount();
    const auto last = std::find_if(std::reverse_iterator(end), buffer.rend(), [](char byte) { return byte != 0; });
    if (last != buffer.rend()) {
      bytes = read + static_cast<uintmax_t>(last.base() - buffer.begin());
    }
    read += static_cast<uintmax_t>(file.gcount());
  }
  return file.bad() ? absl::StatusOr<uintmax_t>(absl::UnavailableError(absl::StrCat("cannot read ", path))) : bytes;
}

rocksdb::Status OpenOnce(const std::string& folder, const EmbeddedTableOptions& options,
                         std::unique_ptr<rocksdb::DB>& store) {
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(StoreOptions(options), folder, &opened);
  store.reset(opened);
  return status;
}

// Some file systems leave zeros where a power cut found bytes on their way to the disk, and RocksDB takes a record that
// ends in zeros for a damaged one. So the zeros at the end of the last log are cut off, and then its end is what any
// write that was cut short leaves. Damage before them stays an error, and the file then stays what it was.
rocksdb::Status OpenWithoutZeros(const std::string& folder, const EmbeddedTableOptions& options,
                                 const rocksdb::Status& damage, std::unique_ptr<rocksdb::DB>& store) {
  const std::string log = NewestLog(folder);
  std::error_code error;
  const uintmax_t full_bytes = log.empty() ? 0 : std::filesystem::file_size(log, error);
  const absl::StatusOr<uintmax_t> bytes = BytesBeforeZeros(log);
  if (error || !bytes.ok() || *bytes == full_bytes) {
    return damage;
  }
  std::filesystem::resize_file(log, *bytes, error);
  const rocksdb::Status status = error ? damage : OpenOnce(folder, options, store);
  if (!status.ok() && !error) {
    std::filesystem::resize_file(log, full_bytes, error);
  }
  return status;
}

// A new store gets the mark of this format; any other must have it.
absl::Status CheckFormat(rocksdb::DB& store, const std::string& folder, bool is_new) {
  std::string format;
  const rocksdb::Status status = store.Get({}, ToSlice(kFormatKey), &format);
  if (status.IsNotFound() && is_new) {
    rocksdb::WriteOptions options;
    options.sync = true;
    return Annotate(ToStatus(store.Put(options, ToSlice(kFormatKey), ToSlice(kFormat))), folder);
  }
  if (!status.ok() && !status.IsNotFound()) {
    return Annotate(ToStatus(status), folder);
  }
  if (format != kFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, " holds no table of format ", kFormat, " but \"", absl::CHexEscape(format), "\""));
  }
  return absl::OkStatus();
}

}  // namespace

void SetStoreEnv(rocksdb::Env* env) { store_env = env; }

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  const std::string message = status.ToString();
  if (status.IsCorruption()) {
    return absl::DataLossError(message);
  }
  if (status.IsNoSpace()) {
    return absl::ResourceExhaustedError(message);
  }
  if (status.IsIOError() || status.IsBusy() || status.IsTimedOut() || status.IsTryAgain()) {
    return absl::UnavailableError(message);
  }
  return absl::InternalError(message);
}

absl::StatusOr<std::unique_ptr<rocksdb::DB>> OpenStore(const std::string& folder, const EmbeddedTableOptions& options) {
  CLEAVE_RETURN_IF_ERROR(CheckFolder(folder, options));
  std::unique_ptr<rocksdb::DB> store;
  rocksdb::Status status = OpenOnce(folder, options, store);
  if (status.IsCorruption()) {
    status = OpenWithoutZeros(folder, options, status, store);
  }
  if (!status.ok()) {
    return OpenError(status, folder);
  }
  const bool is_new = store->GetLatestSequenceNumber() == 0;
  CLEAVE_RETURN_IF_ERROR(CheckFormat(*store, folder, is_new));
  return store;
}

}  // namespace cleave::table
