#include "ocdbt/bulk_values.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "store/key_text.h"

namespace cleave::ocdbt {

std::unique_ptr<DataFileWriter> NewDataFileWriter(const Database& database) {
  const OpenOptions& open = database.options();
  return std::make_unique<DataFileWriter>(*database.store(), open.prefixes, *open.random, open.target_data_file_bytes);
}

absl::StatusOr<std::unique_ptr<Lease>> LeaseForWriter(const Database& database) {
  LeaseOptions options;
  options.clock = database.options().clock;
  options.random = database.options().random;
  return Lease::ForWriter(database.store(), options);
}

absl::Status CheckWritable(const Database& database) {
  return database.read_only() ? absl::InvalidArgumentError(absl::StrCat(database.Describe(), " was opened read-only"))
                              : absl::OkStatus();
}

absl::StatusOr<OwnedEntry> BulkValues::Place(absl::string_view key, absl::string_view value) {
  if (key.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat("key ", store::Quoted(key.substr(0, 100)), "... has ", key.size(),
                                                   " bytes, the most is ", kMaxKeyBytes));
  }
  OwnedEntry entry;
  entry.key = std::string(key);
  entry.indirect = value.size() > database_.config().max_inline_value_bytes;
  if (entry.indirect) {
    CLEAVE_ASSIGN_OR_RETURN(DataFileWriter* const writer, WriterOfThisThread());
    CLEAVE_ASSIGN_OR_RETURN(entry.reference, writer->Append(DataKind::kValue, value));
  } else {
    entry.inline_bytes = std::string(value);
  }
  return entry;
}

absl::StatusOr<DataFileWriter*> BulkValues::WriterOfThisThread() {
  const std::lock_guard lock(mutex_);
  if (lease_ == nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(lease_, LeaseForWriter(database_));
  }
  std::unique_ptr<DataFileWriter>& writer = writers_[std::this_thread::get_id()];
  if (writer == nullptr) {
    writer = NewDataFileWriter(database_);
  }
  return writer.get();
}

absl::Status BulkValues::Flush() {
  for (auto& [thread, writer] : writers_) {
    CLEAVE_RETURN_IF_ERROR(writer->Flush());
  }
  return absl::OkStatus();
}

std::vector<std::string> BulkValues::WrittenFiles() const {
  std::vector<std::string> files;
  for (const auto& [thread, writer] : writers_) {
    const std::vector<std::string> written = writer->WrittenFiles();
    files.insert(files.end(), written.begin(), written.end());
  }
  return files;
}

void BulkValues::KeepAll() {
  for (auto& [thread, writer] : writers_) {
    writer->KeepAll();
  }
}

void BulkValues::RemoveAll() {
  for (auto& [thread, writer] : writers_) {
    writer->RemoveUnused({});
  }
}

}  // namespace cleave::ocdbt
