// What a part of a fill is made of; for this room's own sources.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ocdbt/bulk_values.h"
#include "ocdbt/fill.h"

namespace cleave::ocdbt {

struct FillPart::State {
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<State>> Create(const Database& database, std::string key,
                                                                     const FillOptions& options);
  State(const Database& database, std::string marker_key, const FillOptions& fill_options)
      : store(database.store()),
        key(std::move(marker_key)),
        options(fill_options),
        values(database),
        run_writer(NewDataFileWriter(database)) {}

  [[nodiscard]] absl::Status AddEntry(OwnedEntry entry);
  // Puts the entries away as one run. REQUIRES: mutex is held, or no other thread is at work.
  [[nodiscard]] absl::Status WriteRun();
  [[nodiscard]] absl::Status WriteMarker();
  void KeepAll();

  const std::shared_ptr<store::Store> store;
  const std::string key;  // of the marker
  const FillOptions options;
  std::unique_ptr<Lease> lease;  // also for the runs
  BulkValues values;
  std::mutex mutex;
  // All below are guarded by mutex until Finish().
  std::unique_ptr<DataFileWriter> run_writer;
  std::vector<OwnedEntry> entries;
  size_t entries_bytes = 0;
  PartRecord record;
};

}  // namespace cleave::ocdbt
