// Fills a database from many processes, none of which waits for another, as one commit.
//
//   CLEAVE_ASSIGN_OR_RETURN(const Fill fill, Fill::Create(database, "base"));
//   // in any process, for every part that is not finished yet:
//   CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<FillPart> part, fill.BeginPart("slab-7"));
//   CLEAVE_RETURN_IF_ERROR(part->Put(key, value));  // ...
//   CLEAVE_RETURN_IF_ERROR(part->Finish());
//   // in one process, when all are:
//   CLEAVE_ASSIGN_OR_RETURN(const CommitResult committed, fill.Commit(parts));
//
// Method: 1. A part writes data files of its own: long values as they come, and sorted runs of entries (key, and the
// value or where it lies). Nothing is read, locked or shared. 2. When all of these are durable, its marker is written
// on the condition that there is none. A part that is killed has no marker: it is written again, and what it left is
// garbage. 3. The last step reads the markers, merges all runs with what the database holds, builds the tree from the
// leaves up, and commits its root like any other. 4. Before the root is committed, it is noted. Who runs the last step
// again finds it among the versions, and commits nothing: the fill takes effect once, however often it is finished.
//
// Garbage collection (garbage.h) keeps the files of parts that are being written (a writer's lease) and of finished
// ones (their markers) until the fill is committed or removed.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/database.h"
#include "ocdbt/fill_record.h"

namespace cleave::ocdbt {

struct FillOptions {
  // Entries held in memory before a run is written.
  size_t memory_bytes = size_t{256} << 20;
};

// One part, being written. Thread-safe until Finish(). Without that, what was written is removed.
class FillPart {
 public:
  ~FillPart();
  // A later Put of a key wins. INVALID_ARGUMENT for a key that is too long.
  [[nodiscard]] absl::Status Put(absl::string_view key, absl::string_view value);
  // The part is durable when it returns OK, by this process or by another that was faster. ABORTED when its files were
  // removed as garbage, because the process had been stopped for longer than its lease: write the part again. Not to be
  // called twice.
  [[nodiscard]] absl::Status Finish();

 private:
  friend class Fill;
  struct State;
  explicit FillPart(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A fill, as this process sees it. Thread-safe.
class Fill {
 public:
  // `database` must outlive this and its parts. Nothing is written. INVALID_ARGUMENT for a name that cannot be, or a
  // handle that is read-only.
  [[nodiscard]] static absl::StatusOr<Fill> Create(Database& database, absl::string_view name);

  // ALREADY_EXISTS when the part is finished, FAILED_PRECONDITION when the fill is committed.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<FillPart>> BeginPart(absl::string_view part,
                                                                    const FillOptions& options = {}) const;
  // In order of names.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> FinishedParts() const;

  // Takes a finished part back, so that it can be written anew; what it wrote is garbage. Nothing when it is not
  // finished. FAILED_PRECONDITION once the fill is committed. Not while the last step is at work.
  [[nodiscard]] absl::Status RemovePart(absl::string_view part) const;

  // Commits `parts`, which must be all that are finished; of keys that are in several the last part's value wins, and
  // over what the database holds. Says in which version it is, and, by `changed`, whether this call made it.
  // FAILED_PRECONDITION names a part that is not finished, or one that is and was not asked for; also when it cannot be
  // told whether an earlier call committed, because versions have been removed since. ABORTED when another process is
  // at the last step: ask again. Otherwise as Database::Commit.
  [[nodiscard]] absl::StatusOr<CommitResult> Commit(std::span<const std::string> parts) const;

  // Forgets the fill: what only it needed is garbage. What was committed stays. Part of it may be left after an error;
  // then once more. Not while parts are written, or the last step is at work.
  [[nodiscard]] absl::Status Remove() const;

 private:
  Fill(Database& database, absl::string_view name) : database_(&database), name_(name) {}

  Database* database_;
  std::string name_;
};

}  // namespace cleave::ocdbt
