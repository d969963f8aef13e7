// Tags and branches of a database (names.h): made in the time it takes to write one manifest.
//
// A tag names one version for as long as the tag exists. A branch begins at a version, with the history up to it, and
// is then a database of its own that shares data files with the one it came from; both may be written at any time.
//
// Both are announced first and checked then: the manifest is written, and only if the version is still listed in the
// database after that, the name counts. Whoever removes versions (garbage.h) looks at the names again before it removes
// files, so no name can ever lose what it names.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/database.h"
#include "ocdbt/names.h"

namespace cleave::ocdbt {

struct NamedVersion {
  std::string name;
  Version version;  // of a branch, its newest
};

// Names a version of `database` (which may itself be a branch). ALREADY_EXISTS when the tag exists; NOT_FOUND when the
// version does not, or was removed meanwhile.
[[nodiscard]] absl::Status CreateTag(const Database& database, absl::string_view name, GenerationNumber generation);
// Makes a branch that begins at a version of `database`. Errors as CreateTag; FAILED_PRECONDITION when the database is
// sealed (ocdbt/fork.h then); UNAVAILABLE while garbage is being removed.
[[nodiscard]] absl::Status CreateBranch(const Database& database, absl::string_view name, GenerationNumber generation);

// `store` is the store of the database. What only the name needed becomes garbage. NOT_FOUND when there is no such
// name; FAILED_PRECONDITION when it is a sealed branch. A commit to a branch that is under way ends in an error.
[[nodiscard]] absl::Status DeleteName(const std::shared_ptr<store::Store>& store, NameKind kind,
                                      absl::string_view name);

// Opens a branch for reading and writing, or what a tag names for reading. `options.prefixes` is replaced by the
// branch's. NOT_FOUND when there is no such name.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Database>> OpenName(const std::shared_ptr<store::Store>& store,
                                                                 NameKind kind, absl::string_view name,
                                                                 OpenOptions options = {});
// All names of a kind with their (newest) versions, sorted by name.
[[nodiscard]] absl::StatusOr<std::vector<NamedVersion>> ListNamedVersions(const std::shared_ptr<store::Store>& store,
                                                                          NameKind kind);

// A version as people write it: "7", "v7", a time as in ParseVersionSpec, or the name of a tag. INVALID_ARGUMENT for
// what can be none of these, NOT_FOUND.
[[nodiscard]] absl::StatusOr<Snapshot> FindSnapshot(const Database& database, absl::string_view text);

}  // namespace cleave::ocdbt
