#include "ocdbt/garbage.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/crash_point.h"
#include "base/status.h"
#include "ocdbt/back_off.h"
#include "ocdbt/branch.h"
#include "ocdbt/file_size.h"
#include "ocdbt/fill_record.h"
#include "ocdbt/garbage_list.h"
#include "ocdbt/lease.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/reachable.h"
#include "ocdbt/seal.h"
#include "ocdbt/version_select.h"
#include "ocdbt/version_tree.h"
#include "store/memory_store.h"
#include "store/stack_store.h"

namespace cleave::ocdbt {
namespace {

constexpr size_t kCacheBytes = size_t{64} << 20;
constexpr uint64_t kDataFileBytes = uint64_t{64} << 20;
constexpr size_t kRandomDigits = 32;
constexpr absl::string_view kScratchPrefix = "cleave/scratch/";

// The database or a branch.
struct Line {
  std::string branch;  // "" is the database
  std::shared_ptr<store::Store> store;
  DataPrefixes prefixes;
  bool sealed = false;
  std::shared_ptr<const StoredManifest> stored;
  Manifest left;  // of step 4
};

// A dry run keeps what it would write in memory.
std::shared_ptr<store::Store> WithScratch(const std::shared_ptr<store::Store>& store) {
  auto stack = store::StackStore::Create(
      {store::StackLayer::Everything(store),
       store::StackLayer::Prefix(kScratchPrefix, std::make_shared<store::MemoryStore>(), "")});
  return *std::move(stack);  // layers that are always right
}

bool IsRandomName(absl::string_view digits) {
  return digits.size() == kRandomDigits && digits.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

// Whether `key` is a data file of any branch there is or was.
bool IsFileOfBranch(absl::string_view key) {
  const size_t name_end = absl::ConsumePrefix(&key, kBranchesPrefix) ? key.find('/') : absl::string_view::npos;
  if (name_end == absl::string_view::npos) {
    return false;
  }
  key.remove_prefix(name_end);
  return absl::ConsumePrefix(&key, "/d/") && IsRandomName(key);
}

class Collection {
 public:
  Collection(const Database& database, const GarbageOptions& options, Progress& progress)
      : store_(WithScratch(database.store())),
        prefixes_(database.options().prefixes),
        options_(options),
        progress_(progress),
        reader_(store_, kCacheBytes),
        needed_(reader_),
        needed_now_(reader_) {}

  absl::StatusOr<GarbageReport> Run() {
    CLEAVE_RETURN_IF_ERROR(RefuseIfSealed(*store_));
    now_ = options_.clock->Now();
    CLEAVE_RETURN_IF_ERROR(ListDataFiles());
    CLEAVE_RETURN_IF_ERROR(ReadLeases());
    CLEAVE_RETURN_IF_ERROR(ReadFills());
    CLEAVE_RETURN_IF_ERROR(ReadLines());
    CLEAVE_RETURN_IF_ERROR(ChooseVersions());
    CLEAVE_RETURN_IF_ERROR(WalkAll());
    CLEAVE_ASSIGN_OR_RETURN(garbage_, ReadGarbageList(*store_));
    Judge();
    if (options_.dry_run) {
      for (const auto& [file, since] : next_.condemned) {
        CLEAVE_ASSIGN_OR_RETURN(const uint64_t bytes, SizeOf(*store_, file));
        report_.removed.push_back(file);
        report_.removed_bytes += bytes;
      }
      return std::move(report_);
    }
    CLEAVE_RETURN_IF_ERROR(RemoveOldLeases());
    if (next_.condemned.empty() && next_.marked == garbage_.list.marked && garbage_.list.condemned.empty() &&
        !versions_go_) {
      return std::move(report_);
    }
    CLEAVE_RETURN_IF_ERROR(StoreList());
    CLEAVE_RETURN_IF_ERROR(ReplaceManifests());
    CLEAVE_RETURN_IF_ERROR(LookAgain());
    CLEAVE_RETURN_IF_ERROR(RemoveCondemned());
    return std::move(report_);
  }

 private:
  // --- step 1 ---

  absl::Status ListDataFiles() {
    std::set<std::string> prefixes = {prefixes_.value, prefixes_.btree_node, prefixes_.version_tree_node};
    prefixes.insert(options_.more_prefixes.begin(), options_.more_prefixes.end());
    for (const std::string& prefix : prefixes) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, store_->List(store::KeyRange::Prefix(prefix)));
      for (const std::string& key : keys) {
        if (IsRandomName(absl::StripPrefix(key, prefix))) {
          files_.insert(key);
        }
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                            store_->List(store::KeyRange::Prefix(kBranchesPrefix)));
    for (const std::string& key : keys) {
      if (IsFileOfBranch(key)) {
        files_.insert(key);
      }
    }
    report_.files = files_.size();
    return absl::OkStatus();
  }

  absl::Status ReadLeases() {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<LeaseRecord> leases, ListLeases(*store_));
    for (const LeaseRecord& lease : leases) {
      if (lease.expires + kClockTolerance < now_) {
        old_leases_.push_back(lease.key);
      } else if (lease.version) {
        ++report_.pins;
        named_.push_back(*lease.version);
      } else {
        ++report_.writers;
        first_writer_ = std::min(first_writer_, lease.begun - kClockTolerance);
      }
    }
    return absl::OkStatus();
  }

  // After the leases: a part writes its marker before it gives its lease back.
  absl::Status ReadFills() {
    CLEAVE_ASSIGN_OR_RETURN(OpenFills fills, FindOpenFills(*store_));
    fill_files_.insert(fills.files.begin(), fills.files.end());
    report_.open_fills = std::move(fills.names);
    return absl::OkStatus();
  }

  absl::Status ReadLines() {
    lines_.push_back({"", store_, prefixes_, false, nullptr, {}});
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListNames(*store_, NameKind::kBranch));
    for (const std::string& name : names) {
      Line line{name, nullptr, BranchPrefixes(name), false, nullptr, {}};
      CLEAVE_ASSIGN_OR_RETURN(line.store, StackName(store_, NameKind::kBranch, name));
      CLEAVE_ASSIGN_OR_RETURN(line.sealed, IsSealed(*line.store));
      lines_.push_back(std::move(line));
    }
    for (Line& line : lines_) {
      absl::StatusOr<std::shared_ptr<const StoredManifest>> stored = ManifestStore(line.store).Read();
      if (stored.ok()) {
        line.stored = *std::move(stored);
        line.left = line.stored->manifest;
      } else if (line.branch.empty() || !absl::IsNotFound(stored.status())) {
        return stored.status();
      }
    }
    std::erase_if(lines_, [](const Line& line) { return line.stored == nullptr; });  // deleted meanwhile
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedVersion> tags, ListNamedVersions(store_, NameKind::kTag));
    report_.tags = tags.size();
    for (const NamedVersion& tag : tags) {
      named_.push_back(tag.version);
    }
    return absl::OkStatus();
  }

  // Works out what is left of every version tree. New nodes are written at once, in a dry run to memory: nothing refers
  // to them before step 4, and they are not in the list of step 1.
  absl::Status ChooseVersions() {
    for (Line& line : lines_) {
      CLEAVE_RETURN_IF_ERROR(ChooseVersions(line));
    }
    return absl::OkStatus();
  }

  absl::Status ChooseVersions(Line& line) {
    const Manifest& manifest = line.stored->manifest;
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Version> versions,
                            FindVersions(manifest, reader_, {1}, kMaxGenerationNumber));
    GarbageReport::Versions told{line.branch, versions.size(), 0, 0};
    if (!options_.keep.all() && !line.sealed) {
      const KeptGenerations kept = Keep(versions);
      DataFileWriter writer(*store_, options_.dry_run ? DataPrefixes::All(kScratchPrefix) : line.prefixes,
                            *options_.random, kDataFileBytes);
      CLEAVE_ASSIGN_OR_RETURN(line.left, KeepVersions(manifest, kept, reader_, writer));
      CLEAVE_RETURN_IF_ERROR(writer.Flush());
      const auto asked = std::count_if(versions.begin(), versions.end(),
                                       [&](const Version& version) { return kept.Keeps(version.generation); });
      told.kept = CountOf(line.left);
      told.kept_for_format = told.kept - static_cast<uint64_t>(asked);
      told.removed = versions.size() - told.kept;
      versions_go_ |= told.removed > 0;
    }
    report_.versions.push_back(std::move(told));
    return absl::OkStatus();
  }

  [[nodiscard]] KeptGenerations Keep(const std::vector<Version>& versions) const {
    KeptGenerations kept{versions.back().generation, {}};
    const absl::Time young = now_ - std::min(options_.grace, kClockTolerance);
    uint64_t left = options_.keep.newest ? std::max<uint64_t>(*options_.keep.newest, 1) : 0;
    for (size_t i = versions.size(); i-- > 0 && (left > 0 || versions[i].commit_time > young);) {
      kept.from = std::min(kept.from, versions[i].generation);
      // A version that says the same as the one before it, such as that of a fence, does not count.
      const bool counts = i == 0 || versions[i].root != versions[i - 1].root;
      left -= counts && left > 0 ? 1 : 0;
    }
    if (options_.keep.since) {
      const auto after = std::upper_bound(versions.begin(), versions.end(), *options_.keep.since,
                                          [](absl::Time time, const Version& v) { return time < v.commit_time; });
      kept.from = std::min(kept.from, (after == versions.begin() ? after : std::prev(after))->generation);
    }
    for (const Version& version : versions) {
      if (std::find(named_.begin(), named_.end(), version) != named_.end()) {
        kept.singles.insert(version.generation);
      }
    }
    return kept;
  }

  static uint64_t CountOf(const Manifest& manifest) {
    uint64_t count = manifest.versions.size();
    for (const VersionNodeReference& node : manifest.version_tree_nodes) {
      count += node.num_generations;
    }
    return count;
  }

  // What is needed now, and of that, what will be when versions are left out.
  absl::Status WalkAll() {
    progress_.Begin("look for what is needed", 0, "versions");
    for (const Line& line : lines_) {
      CLEAVE_RETURN_IF_ERROR(needed_now_.AddManifest(line.stored->manifest, progress_));
    }
    CLEAVE_RETURN_IF_ERROR(AddNamed(needed_now_));
    if (!versions_go_) {
      progress_.End();
      return absl::OkStatus();
    }
    absl::Status walked;
    for (const Line& line : lines_) {
      walked.Update(needed_.AddManifest(line.left, progress_));
    }
    walked.Update(AddNamed(needed_));
    progress_.End();
    return walked;
  }

  absl::Status AddNamed(ReachableFiles& files) {
    for (const Version& version : named_) {
      CLEAVE_RETURN_IF_ERROR(files.AddVersion(version));
    }
    return absl::OkStatus();
  }

  // --- steps 2 and 3 ---

  [[nodiscard]] bool StaysWithTheKept(const std::string& file) const {
    return fill_files_.contains(file) || (versions_go_ ? needed_ : needed_now_).Contains(file);
  }

  void Judge() {
    for (const std::string& file : files_) {
      if (StaysWithTheKept(file)) {
        ++report_.needed;
        continue;
      }
      const auto marked = garbage_.list.marked.find(file);
      const auto condemned = garbage_.list.condemned.find(file);
      const bool known = marked != garbage_.list.marked.end() || condemned != garbage_.list.condemned.end();
      absl::Time since = now_;
      if (known && !needed_now_.Contains(file)) {
        since = condemned != garbage_.list.condemned.end() ? condemned->second : marked->second;
      }
      // Once condemned, always: the collection that did it may still be at work.
      const bool again = condemned != garbage_.list.condemned.end() && !needed_now_.Contains(file);
      const bool old_enough = since + options_.grace <= now_ && since < first_writer_;
      if (again || old_enough) {
        next_.condemned[file] = since;
      } else {
        next_.marked[file] = since;
        ++(since == now_ ? report_.marked_now : report_.waiting);
        const absl::Time ready = since + options_.grace;
        report_.next = report_.next ? std::min(*report_.next, ready) : ready;
      }
    }
  }

  absl::Status StoreList() {
    CrashPoint("ocdbt.before_garbage_list");
    absl::StatusOr<store::Generation> written =
        store_->Write(kGarbageKey, EncodeGarbageList(next_), {garbage_.generation});
    if (absl::IsAborted(written.status())) {
      return absl::AbortedError(absl::StrCat(store_->Describe(kGarbageKey), ": another collection is at work"));
    }
    CLEAVE_RETURN_IF_ERROR(written.status());
    garbage_.generation = *std::move(written);
    return absl::OkStatus();
  }

  // --- step 4 ---

  absl::Status ReplaceManifests() {
    CrashPoint("ocdbt.before_fence");
    if (next_.condemned.empty() && !versions_go_) {
      return absl::OkStatus();
    }
    for (const Line& line : lines_) {
      CLEAVE_RETURN_IF_ERROR(Replace(line));
    }
    CrashPoint("ocdbt.after_fence");
    return absl::OkStatus();
  }

  // UNAVAILABLE when a commit came between: then all begins anew.
  absl::Status Replace(const Line& line) const {
    ManifestStore manifests(line.store);
    absl::Status replaced;
    if (line.stored->manifest.config.manifest_kind == ManifestKind::kSingle) {
      const absl::StatusOr<bool> differs = manifests.Rewrite(*line.stored, line.left);
      if (differs.ok() && *differs) {
        return absl::OkStatus();
      }
      replaced = differs.status();
    }
    // A numbered manifest is never replaced, and a store may name equal bytes by equal generations: then the fence is a
    // version that is equal to the newest.
    if (replaced.ok()) {
      Version version = line.left.newest();
      version.generation.value += 1;
      version.commit_time =
          std::max(absl::FromUnixNanos(absl::ToUnixNanos(now_)), version.commit_time + absl::Nanoseconds(1));
      DataFileWriter writer(*store_, line.prefixes, *options_.random, kDataFileBytes);
      CLEAVE_ASSIGN_OR_RETURN(const Manifest next, AppendVersion(line.left, version, reader_, writer));
      CLEAVE_RETURN_IF_ERROR(writer.Flush());
      CLEAVE_ASSIGN_OR_RETURN(const auto present, manifests.Read());
      replaced = present->manifest.newest() == line.left.newest() ? manifests.Replace(*present, next)
                                                                  : absl::AbortedError("a commit came between");
    }
    return absl::IsAborted(replaced) ? absl::UnavailableError(replaced.message()) : replaced;
  }

  // --- steps 5 and 6 ---

  absl::Status LookAgain() {
    if (next_.condemned.empty()) {
      return absl::OkStatus();
    }
    CLEAVE_RETURN_IF_ERROR(RefuseIfSealed(*store_));  // a fork is made of a sealed manifest: of the new one, or not yet
    CLEAVE_RETURN_IF_ERROR(ReadFills());
    ReachableFiles& needed = versions_go_ ? needed_ : needed_now_;
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<LeaseRecord> leases, ListLeases(*store_));
    for (const LeaseRecord& lease : leases) {
      if (lease.version && lease.expires + kClockTolerance >= now_) {
        CLEAVE_RETURN_IF_ERROR(needed.AddVersion(*lease.version));
      }
    }
    for (const NameKind kind : {NameKind::kTag, NameKind::kBranch}) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListNames(*store_, kind));
      for (const std::string& name : names) {
        CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<store::Store> stack, StackName(store_, kind, name));
        const auto stored = ManifestStore(stack).Read();
        if (!absl::IsNotFound(stored.status())) {
          CLEAVE_RETURN_IF_ERROR(stored.status());
          CLEAVE_RETURN_IF_ERROR(needed.AddManifest((*stored)->manifest, Progress::Silent()));
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status RemoveCondemned() {
    if (next_.condemned.empty()) {
      return absl::OkStatus();
    }
    progress_.Begin("remove", static_cast<int64_t>(next_.condemned.size()), "files");
    for (const auto& [file, since] : next_.condemned) {
      if (!StaysWithTheKept(file)) {
        CLEAVE_ASSIGN_OR_RETURN(const uint64_t bytes, SizeOf(*store_, file));
        CrashPoint("ocdbt.before_removal");
        CLEAVE_RETURN_IF_ERROR(store_->Delete(file));
        report_.removed.push_back(file);
        report_.removed_bytes += bytes;
      }
      progress_.Advance(1);
    }
    progress_.End();
    next_.condemned.clear();
    return StoreList();
  }

  absl::Status RemoveOldLeases() {
    for (const std::string& key : old_leases_) {
      CLEAVE_RETURN_IF_ERROR(store_->Delete(key));
    }
    return absl::OkStatus();
  }

  const std::shared_ptr<store::Store> store_;
  const DataPrefixes prefixes_;
  const GarbageOptions& options_;
  Progress& progress_;
  const NodeReader reader_;
  absl::Time now_;
  std::set<std::string> files_;
  std::vector<std::string> old_leases_;
  absl::Time first_writer_ = absl::InfiniteFuture();
  std::vector<Version> named_;  // by tags and pins
  std::vector<Line> lines_;
  bool versions_go_ = false;
  std::set<std::string> fill_files_;  // of fills that are not committed
  ReachableFiles needed_;             // when versions have gone
  ReachableFiles needed_now_;         // by all that is listed now
  StoredGarbageList garbage_;
  GarbageList next_;
  GarbageReport report_;
};

}  // namespace

absl::StatusOr<GarbageReport> CollectGarbage(const Database& database, const GarbageOptions& options,
                                             Progress& progress) {
  constexpr int kAttempts = 30;
  absl::StatusOr<GarbageReport> report = absl::UnavailableError("");
  for (int attempt = 0; attempt < kAttempts && absl::IsUnavailable(report.status()); ++attempt) {
    if (attempt > 0) {
      BackOff(*options.random, attempt);
    }
    report = Collection(database, options, progress).Run();
  }
  return report;
}

}  // namespace cleave::ocdbt
