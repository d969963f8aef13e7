// What is kept beside a database about a fill in parts (fill.h).
//
//   cleave/fills/FILL/parts/PART    a record (record.h), there when the part is finished:
//     value FILE                    a data file of its values
//     run                           begins a sorted run; its blocks follow in order
//     block BASE RELATIVE OFFSET LENGTH CRC32C     entries as in bulk_runs.h, in a data file of its own
//   cleave/fills/FILL/commit        a record of the last step:
//     after GENERATION              the newest version before the first try
//     root BASE RELATIVE OFFSET LENGTH             one line for each try: the root that it would commit
//     committed GENERATION TIME_NS  once it is known
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "ocdbt/data_file.h"
#include "ocdbt/version.h"
#include "store/store.h"

namespace cleave::ocdbt {

inline constexpr absl::string_view kFillsPrefix = "cleave/fills/";

// INVALID_ARGUMENT unless it is 1 to 100 of A-Z a-z 0-9 . _ - and begins with a letter or digit.
[[nodiscard]] absl::Status ValidateFillName(absl::string_view name);
// "cleave/fills/FILL/".
[[nodiscard]] std::string FolderOfFill(absl::string_view fill);

struct RunBlock {
  DataReference place;
  uint32_t crc32c = 0;
  friend bool operator==(const RunBlock&, const RunBlock&) = default;
};
using StoredRun = std::vector<RunBlock>;

// The marker of a finished part.
struct PartRecord {
  std::vector<std::string> value_files;
  std::vector<StoredRun> runs;
  friend bool operator==(const PartRecord&, const PartRecord&) = default;
  // The keys of all data files that the part needs.
  [[nodiscard]] std::vector<std::string> Files() const;
};
[[nodiscard]] std::string EncodePart(const PartRecord& part);
[[nodiscard]] absl::StatusOr<PartRecord> DecodePart(absl::string_view text);

struct CommitRecord {
  struct Done {
    GenerationNumber generation;
    absl::Time time;
    friend bool operator==(const Done&, const Done&) = default;
  };
  GenerationNumber after;
  std::vector<DataReference> roots;
  std::optional<Done> done;
  friend bool operator==(const CommitRecord&, const CommitRecord&) = default;
};
[[nodiscard]] std::string EncodeCommit(const CommitRecord& record);
[[nodiscard]] absl::StatusOr<CommitRecord> DecodeCommit(absl::string_view text);

// Nothing where there is no marker; DATA_LOSS names a damaged one.
[[nodiscard]] absl::StatusOr<std::optional<PartRecord>> ReadPart(const store::Store& store, absl::string_view fill,
                                                                 absl::string_view part);
struct StoredCommitRecord {
  std::optional<CommitRecord> record;
  store::Generation generation;
};
[[nodiscard]] absl::StatusOr<StoredCommitRecord> ReadCommitRecord(const store::Store& store, absl::string_view fill);

// A finished part, of any fill.
struct PartName {
  std::string fill;
  std::string part;
};
// In order of names.
[[nodiscard]] absl::StatusOr<std::vector<PartName>> ListParts(const store::Store& store, absl::string_view prefix);

// Fills with finished parts that are not committed yet, and the keys of the data files that these parts need.
struct OpenFills {
  std::vector<std::string> names;
  std::vector<std::string> files;
};
[[nodiscard]] absl::StatusOr<OpenFills> FindOpenFills(const store::Store& store);

}  // namespace cleave::ocdbt
