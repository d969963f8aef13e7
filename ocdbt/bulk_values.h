// The first step of every bulk fill: puts become entries, and long values go to data files at once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/bulk_runs.h"
#include "ocdbt/data_file_writer.h"
#include "ocdbt/database.h"
#include "ocdbt/lease.h"

namespace cleave::ocdbt {

// A writer of data files as `database` was opened for.
[[nodiscard]] std::unique_ptr<DataFileWriter> NewDataFileWriter(const Database& database);

// A writer's lease of `database`, by its clock.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Lease>> LeaseForWriter(const Database& database);

// INVALID_ARGUMENT when the handle is read-only.
[[nodiscard]] absl::Status CheckWritable(const Database& database);

// Thread-safe but for the members below Place(). Every thread writes files of its own, so that none waits for another.
// From the first long value on a writer's lease keeps the files.
class BulkValues {
 public:
  // `database` must outlive this.
  explicit BulkValues(const Database& database) : database_(database) {}

  // INVALID_ARGUMENT for a key that is too long.
  [[nodiscard]] absl::StatusOr<OwnedEntry> Place(absl::string_view key, absl::string_view value);

  // Makes all values durable.
  [[nodiscard]] absl::Status Flush();
  // The keys of the files written so far.
  [[nodiscard]] std::vector<std::string> WrittenFiles() const;
  // From now on the files stay: something may refer to them.
  void KeepAll();
  // Removes the files, unless they are to stay.
  void RemoveAll();

 private:
  [[nodiscard]] absl::StatusOr<DataFileWriter*> WriterOfThisThread();

  const Database& database_;
  std::mutex mutex_;
  std::unique_ptr<Lease> lease_;                                        // guarded by mutex_
  std::map<std::thread::id, std::unique_ptr<DataFileWriter>> writers_;  // likewise
};

}  // namespace cleave::ocdbt
