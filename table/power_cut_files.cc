#include "table/power_cut_files.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <utility>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "table/embedded_store.h"

namespace cleave::table {
namespace {

namespace fs = std::filesystem;

std::string BytesOfFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct FileState {
  uint64_t synced_bytes = 0;
  bool named = false;                 // its folder was synced since it got its name
  std::optional<std::string> former;  // what the name stood for before, until `named`
};

struct FileStates {
  std::mutex mutex;
  std::map<std::string, FileState> by_path;  // of files that were made meanwhile
};

class WatchedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WatchedFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::string path, FileStates& states)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)), states_(states) {}

  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return Note(target()->Sync(options, debug), options, debug);
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return Note(target()->Fsync(options, debug), options, debug);
  }

 private:
  rocksdb::IOStatus Note(rocksdb::IOStatus status, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) {
    const std::lock_guard lock(states_.mutex);
    if (const auto found = states_.by_path.find(path_); status.ok() && found != states_.by_path.end()) {
      found->second.synced_bytes = target()->GetFileSize(options, debug);
    }
    return status;
  }

  const std::string path_;
  FileStates& states_;
};

class WatchedFolder final : public rocksdb::FSDirectoryWrapper {
 public:
  WatchedFolder(std::unique_ptr<rocksdb::FSDirectory> folder, std::string path, FileStates& states)
      : FSDirectoryWrapper(folder.get()), folder_(std::move(folder)), path_(std::move(path)), states_(states) {}

  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return Note(folder_->Fsync(options, debug));
  }
  rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
                                        const rocksdb::DirFsyncOptions& which) override {
    return Note(folder_->FsyncWithDirOptions(options, debug, which));
  }

 private:
  rocksdb::IOStatus Note(rocksdb::IOStatus status) {
    const std::lock_guard lock(states_.mutex);
    for (auto& [path, state] : states_.by_path) {
      if (status.ok() && fs::path(path).parent_path() == fs::path(path_)) {
        state.named = true;
        state.former.reset();
      }
    }
    return status;
  }

  const std::unique_ptr<rocksdb::FSDirectory> folder_;
  const std::string path_;
  FileStates& states_;
};

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') {
    path.pop_back();
  }
  return path;
}

class WatchedFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit WatchedFileSystem(FileStates& states) : FileSystemWrapper(rocksdb::FileSystem::Default()), states_(states) {}
  const char* Name() const override { return "cleave.power_cut_files"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status = target()->NewWritableFile(path, options, file, debug);
    if (status.ok()) {
      const std::lock_guard lock(states_.mutex);
      states_.by_path[path] = {};
      *file = std::make_unique<WatchedFile>(std::move(*file), path, states_);
    }
    return status;
  }
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    std::optional<std::string> former;
    if (fs::exists(to)) {
      former = BytesOfFile(to);
    }
    const rocksdb::IOStatus status = target()->RenameFile(from, to, options, debug);
    const std::lock_guard lock(states_.mutex);
    if (const auto found = states_.by_path.find(from); status.ok() && found != states_.by_path.end()) {
      FileState state = found->second;
      state.named = false;
      state.former = std::move(former);
      states_.by_path.erase(found);
      states_.by_path[to] = std::move(state);
    }
    return status;
  }
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status = target()->DeleteFile(path, options, debug);
    const std::lock_guard lock(states_.mutex);
    states_.by_path.erase(path);
    return status;
  }
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status = target()->NewDirectory(path, options, folder, debug);
    if (status.ok()) {
      *folder = std::make_unique<WatchedFolder>(std::move(*folder), WithoutSlash(path), states_);
    }
    return status;
  }

 private:
  FileStates& states_;
};

}  // namespace

class PowerCutFiles::Files {
 public:
  Files() : env_(rocksdb::NewCompositeEnv(std::make_shared<WatchedFileSystem>(states_))) { SetStoreEnv(env_.get()); }
  ~Files() { SetStoreEnv(nullptr); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  FileStates& states() { return states_; }

 private:
  FileStates states_;
  const std::unique_ptr<rocksdb::Env> env_;
};

PowerCutFiles::PowerCutFiles() : files_(std::make_unique<Files>()) {}
PowerCutFiles::~PowerCutFiles() = default;

std::map<std::string, std::string> PowerCutFiles::AfterPowerCut(const std::string& folder) const {
  FileStates& states = files_->states();
  const std::lock_guard lock(states.mutex);
  std::map<std::string, std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const auto state = states.by_path.find(entry.path().string());
    if (state == states.by_path.end()) {
      found[name] = BytesOfFile(entry.path().string());
    } else if (state->second.named) {
      found[name] = BytesOfFile(entry.path().string()).substr(0, state->second.synced_bytes);
    } else if (state->second.former.has_value()) {
      found[name] = *state->second.former;
    }
  }
  return found;
}

}  // namespace cleave::table
