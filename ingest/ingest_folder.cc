#include "ingest/ingest_folder.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "ingest/staged_store.h"
#include "store/file_store.h"
#include "store/posix_file.h"

namespace cleave::ingest {
namespace {

namespace fs = std::filesystem;

constexpr char kDatasetFile[] = "dataset.json";

}  // namespace

std::string ScaleQueue(int tier) { return absl::StrCat("scales-", tier); }

IngestFolder::IngestFolder(const std::string& project_folder)
    : project_(fs::absolute(project_folder).lexically_normal().string()),
      path_(project_ + "/ingest"),
      project_store_(std::make_shared<store::FileStore>(project_)),
      store_(std::make_shared<store::FileStore>(path_)),
      spool_(std::make_shared<StagedStore>(path_, staging_path())) {}

bool IngestFolder::exists() const {
  std::error_code error;
  return fs::is_directory(path_, error);
}

absl::Status IngestFolder::Create() const {
  for (const std::string& folder : {path_, path_ + "/queues", workers_path()}) {
    CLEAVE_RETURN_IF_ERROR(store::MakeFolder(folder).status());
  }
  return store::SyncFolder(project_);
}

absl::Status IngestFolder::Remove() const {
  std::error_code error;
  fs::remove_all(path_, error);
  return error ? absl::UnavailableError(absl::StrCat("cannot remove ", path_, ": ", error.message()))
               : absl::OkStatus();
}

absl::Status IngestFolder::WritePlan(const std::vector<std::string>& queues) {
  return store_->Write("plan", absl::StrJoin(queues, "\n")).status();
}

absl::StatusOr<std::vector<std::string>> IngestFolder::ReadPlan() const {
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store_->Read("plan"));
  return std::vector<std::string>(absl::StrSplit(read.value.value_or(""), '\n', absl::SkipEmpty()));
}

absl::Status IngestFolder::WriteDataset(const DatasetFile& dataset) {
  return project_store_->Write(kDatasetFile, EncodeDatasetFile(dataset)).status();
}

absl::StatusOr<DatasetFile> IngestFolder::ReadDataset() const {
  const std::string path = absl::StrCat(project_, "/", kDatasetFile);
  absl::StatusOr<DatasetFile> dataset = ReadDatasetFile(path);
  if (absl::IsNotFound(dataset.status())) {
    return absl::NotFoundError(
        absl::StrCat(project_, " is no project of `cleave ingest graph` (no ", kDatasetFile, ")"));
  }
  if (dataset.ok()) {
    dataset->options.base.project_folder = project_;  // it may have been moved
  }
  return dataset;
}

absl::StatusOr<std::optional<std::string>> IngestFolder::ReadRedis() const {
  CLEAVE_ASSIGN_OR_RETURN(store::ReadResult read, store_->Read("redis"));
  return std::move(read.value);
}

absl::Status IngestFolder::WriteRedisIfNone(const std::string& text) {
  const absl::Status written = store_->Write("redis", text, {.if_generation = store::Generation::Absent()}).status();
  return absl::IsAborted(written) || absl::IsAlreadyExists(written) ? absl::OkStatus() : written;
}

absl::Status IngestFolder::WriteStage(const std::string& text) const {
  const std::string path = path_ + "/stage";
  std::ofstream(path + ".new") << text;
  return store::RenameFile(path + ".new", path);
}

std::optional<std::string> IngestFolder::ReadStage() const {
  std::ifstream file(path_ + "/stage", std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  return file && !text.empty() ? std::optional(text) : std::nullopt;
}

}  // namespace cleave::ingest
