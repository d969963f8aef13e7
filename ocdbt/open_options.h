// How a database is opened, and what a commit answers.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"

#include "base/clock.h"
#include "ocdbt/config.h"
#include "ocdbt/data_prefixes.h"
#include "ocdbt/version.h"
#include "store/store.h"

namespace cleave::ocdbt {

struct OpenOptions {
  DataPrefixes prefixes;
  // Demands on the stored configuration; none by default, which always fits.
  ConfigConstraints config;
  // Given: the handle shows this version, chosen when it is opened, and is read-only.
  std::optional<VersionSpec> version;
  // True: writes are refused, and a sealed database can be opened.
  bool read_only = false;
  // Memory for decoded nodes.
  size_t cache_bytes = size_t{128} << 20;
  // A data file is written out when it has grown to this, so this much memory is used per prefix while committing.
  uint64_t target_data_file_bytes = uint64_t{64} << 20;
  // How long a commit may go on trying while other processes win: then UNAVAILABLE.
  absl::Duration commit_timeout = absl::Minutes(2);
  // Must outlive the database.
  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
};

struct CommitResult {
  // The version in which the batch is visible: a new one, or, if it changed nothing, the one that was there.
  GenerationNumber generation;
  absl::Time commit_time;
  bool changed = false;
  // One per operation of the batch, in order: the key's generation after it (Absent() for deletes and ranges).
  std::vector<store::Generation> key_generations;
};

}  // namespace cleave::ocdbt
