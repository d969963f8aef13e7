// A disk for tests, which forgets at a power cut what was not synced.
//
//   PowerCutDisk disk(folder.path());
//   disk.SetHook([&] {                      // after every effect of this process on files below the folder
//     const auto found = disk.AfterPowerCut({.names = Kept::kSynced, .contents = Kept::kSynced});
//     ...                                   // what a new process would find if the power failed now
//   });
//
// What the file system promises (POSIX, and no more): the bytes of a file are there once the file was synced, and a
// name appears, changes or vanishes for good once its folder was synced. What was not synced may be there or not, names
// and bytes independent of each other. What is in the folder when the disk is made is taken for synced. Effects of
// several threads come one after the other. One disk at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>

#include "store/posix_file.h"

namespace cleave::store {

class PowerCutDisk {
 public:
  // What is there of the changes that were not synced.
  enum class Kept {
    kSynced,  // nothing: the worst case
    kHalf,    // of a file's bytes the first half; of names, all
    kAll,     // everything: the process died, the power did not fail
    kRandom,  // of each folder and of each file one of the above, by chance
  };
  struct Luck {
    Kept names = Kept::kSynced;
    Kept contents = Kept::kSynced;
  };

  explicit PowerCutDisk(std::string folder);
  PowerCutDisk(const PowerCutDisk&) = delete;
  PowerCutDisk& operator=(const PowerCutDisk&) = delete;
  ~PowerCutDisk();

  // Calls `hook` after every effect; it must not touch files below the folder itself. nullptr removes it.
  void SetHook(std::function<void()> hook) { hook_ = std::move(hook); }

  // Paths below the folder, and their bytes, if the power failed now. Lock files are among them.
  [[nodiscard]] std::map<std::string, std::string> AfterPowerCut(const Luck& luck, std::mt19937& random) const;

 private:
  // The bytes of one file, whatever its names.
  struct Contents {
    std::string now;
    std::string synced;  // empty before the first sync
  };
  using Names = std::map<std::string, std::shared_ptr<Contents>>;  // full paths

  void Apply(const FileEffect& effect);

  const std::string folder_;
  std::mutex mutex_;  // one effect at a time, with its hook
  std::function<void()> hook_;
  Names names_;
  Names synced_names_;
  std::set<std::string> synced_folders_;
};

}  // namespace cleave::store
