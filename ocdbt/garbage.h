// Removes the data files that no kept version, no name and no lease needs; and old versions, when asked to.
//
// What must never happen is that a file is removed to which something refers, or will refer in a moment. A writer
// makes its data files durable first and commits then, so a file to which nothing refers may be garbage or a commit on
// its way. The rules:
//   1. List all data files; then the leases; then the markers of fills (fill.h), whose files are needed until the fill
//   is
//      committed; then read all manifests (the database's, the branches', the tags') and the leases' versions, and walk
//      all that they need. Any damage ends it here.
//   2. A file of the list that nothing needs is *marked* with the time. One that was marked a grace period ago, by an
//      earlier collection, and before every writer's lease that still lives, is *condemned*. Files that only versions
//      need which this collection leaves out are marked, not condemned, unless the grace period is zero.
//   3. Both lists are made durable (garbage_list.h), on the condition that no other collection was at it.
//   4. Every manifest is replaced on the condition that it is still the one of step 1: without the versions that are
//      left out, or by a copy of itself. This is the fence: a commit that began before it fails at its manifest write,
//      and begins anew. If one is not the same any more, the collection begins anew.
//   5. Names, leases and markers are looked at once more: who made a name or a lease read the manifest after that, so
//   it
//      is here now, or was refused; who wrote a marker looks at the lists of step 3 then.
//   6. What is condemned and still not needed is removed.
// A commit of ours that begins anew asks whether files that it wrote in its first try are condemned, and writes them
// again (LostFiles); so there is no moment at which the two can miss each other, however long a process was stopped.
// TensorStore does not ask. It reuses only values when it begins anew, and only until it commits or fails, so for it
// the grace period must be longer than that: the time of one commit, or of one transaction that writes more than a data
// file's size.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/progress.h"
#include "ocdbt/database.h"

namespace cleave::ocdbt {

// Which versions stay listed, of the database and of each branch that is not sealed; those of tags and leases stay
// besides, those without which the format could not list them (version_select.h), and those younger than ten minutes
// (or the grace period, if that is shorter): a commit that got no clear answer still looks for its version. With
// neither, all stay.
struct KeepRules {
  std::optional<uint64_t> newest = {};   // at least 1: so many of the newest
  std::optional<absl::Time> since = {};  // all since this time, and the one that was the newest then
  [[nodiscard]] bool all() const { return !newest && !since; }
};

struct GarbageOptions {
  KeepRules keep = {};
  absl::Duration grace = absl::Hours(24);
  // Data files are looked for under the prefixes with which the database was opened, in its branches, and here; files
  // with other names are never removed. A prefix must not be that of another database's files.
  std::vector<std::string> more_prefixes = {};
  bool dry_run = true;  // nothing is written or removed
  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
};

struct GarbageReport {
  struct Versions {
    std::string branch;  // "" is the database
    uint64_t kept = 0;
    uint64_t kept_for_format = 0;  // of these, those that no rule asked for
    uint64_t removed = 0;
  };
  std::vector<Versions> versions;
  uint64_t tags = 0;
  uint64_t pins = 0;                    // leases of readers that live
  uint64_t writers = 0;                 // leases of writers that live
  std::vector<std::string> open_fills;  // with finished parts, whose files are kept (fill.h)
  uint64_t files = 0;                   // data files there are
  uint64_t needed = 0;                  // of these
  uint64_t marked_now = 0;              // for the first time
  uint64_t waiting = 0;                 // marked before, but too young, or a writer's
  std::vector<std::string> removed;     // in a dry run: would be
  uint64_t removed_bytes = 0;           // in these
  std::optional<absl::Time> next;       // when the oldest marked file will be old enough
};

// `database` is a database or a fork, not a branch; it may be read-only. FAILED_PRECONDITION when it is sealed: forks
// may read it. DATA_LOSS when something is damaged (verify.h). ABORTED when another collection is at work; UNAVAILABLE
// when commits came between again and again. Stopped anywhere, it leaves a sound database, and the next one goes on.
[[nodiscard]] absl::StatusOr<GarbageReport> CollectGarbage(const Database& database, const GarbageOptions& options,
                                                           Progress& progress);

}  // namespace cleave::ocdbt
