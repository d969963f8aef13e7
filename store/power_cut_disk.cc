#include "store/power_cut_disk.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"

namespace cleave::store {
namespace {

namespace fs = std::filesystem;

std::string ParentFolder(const std::string& path) { return fs::path(path).parent_path().string(); }

std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

PowerCutDisk::PowerCutDisk(std::string folder) : folder_(std::move(folder)) {
  synced_folders_.insert(folder_);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_)) {
    const std::string path = entry.path().string();
    if (entry.is_directory()) {
      synced_folders_.insert(path);
    } else {
      const std::string bytes = BytesOf(path);
      synced_names_[path] = names_[path] = std::make_shared<Contents>(Contents{bytes, bytes});
    }
  }
  SetFileEffectObserver([this](const FileEffect& effect) {
    if (effect.path != folder_ && !absl::StartsWith(effect.path, folder_ + "/")) {
      return;
    }
    const std::lock_guard lock(mutex_);
    Apply(effect);
    if (hook_) {
      hook_();
    }
  });
}

PowerCutDisk::~PowerCutDisk() { SetFileEffectObserver(nullptr); }

void PowerCutDisk::Apply(const FileEffect& effect) {
  switch (effect.kind) {
    case FileEffect::Kind::kWrite: {
      std::shared_ptr<Contents>& contents = names_[effect.path];  // a new name, perhaps
      contents = contents == nullptr ? std::make_shared<Contents>() : contents;
      contents->now = BytesOf(effect.path);
      break;
    }
    case FileEffect::Kind::kSyncFile:
      if (const auto found = names_.find(effect.path); found != names_.end()) {
        found->second->synced = found->second->now;
      }
      break;
    case FileEffect::Kind::kRename:
      names_[effect.to] = names_[effect.path];
      names_.erase(effect.path);
      break;
    case FileEffect::Kind::kUnlink:
      names_.erase(effect.path);
      break;
    case FileEffect::Kind::kMakeFolder:
      break;  // its name is there for good when the folder above is synced
    case FileEffect::Kind::kSyncFolder:
      std::erase_if(synced_names_, [&](const auto& name) { return ParentFolder(name.first) == effect.path; });
      for (const auto& [path, contents] : names_) {
        if (ParentFolder(path) == effect.path) {
          synced_names_[path] = contents;
        }
      }
      for (const fs::directory_entry& entry : fs::directory_iterator(effect.path)) {
        if (entry.is_directory()) {
          synced_folders_.insert(entry.path().string());
        }
      }
      break;
  }
}

std::map<std::string, std::string> PowerCutDisk::AfterPowerCut(const Luck& luck, std::mt19937& random) const {
  const auto choose = [&](Kept kept) { return kept == Kept::kRandom ? static_cast<Kept>(random() % 3) : kept; };
  std::map<std::string, Kept> names_of_folder;
  const auto keeps = [&](const std::string& path, bool synced) {
    const auto [chosen, first] = names_of_folder.try_emplace(ParentFolder(path), Kept::kSynced);
    if (first) {
      chosen->second = choose(luck.names);
    }
    if (chosen->second != Kept::kSynced) {
      return !synced;
    }
    bool reachable = synced;
    for (std::string folder = ParentFolder(path); folder.size() > folder_.size(); folder = ParentFolder(folder)) {
      reachable &= synced_folders_.contains(folder);
    }
    return reachable;
  };
  std::map<std::string, std::string> found;
  for (const bool synced : {true, false}) {
    for (const auto& [path, contents] : synced ? synced_names_ : names_) {
      if (!absl::StartsWith(path, folder_ + "/") || !keeps(path, synced)) {
        continue;
      }
      const Kept kept = choose(luck.contents);
      const std::string& now = contents->now;
      // A file that was synced since it was written has its bytes in any case.
      found[path.substr(folder_.size() + 1)] = kept == Kept::kAll || now == contents->synced ? now
                                               : kept == Kept::kHalf ? now.substr(0, now.size() / 2)
                                                                     : contents->synced;
    }
  }
  return found;
}

}  // namespace cleave::store
