// Forks: a database of its own over a base that never changes again, made in the time it takes to copy a manifest.
//
//   BASE/manifest.ocdbt      the base, sealed
//   BASE/d/...
//   FORK/manifest.ocdbt      at first a copy of the base's
//   FORK/NAME_d/...          everything that the fork writes
//   FORK/cleave/...          its names, with what its branches write (names.h)
//
// A fork is read through a stack of both folders: its manifest and its data files from its own, all else from the base.
// It inherits configuration, generation numbers and the whole history of the base. A fork can be sealed, and then be
// the base of another. TensorStore opens a fork by the specification that ForkedDatabase::KvStoreSpec gives.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/database.h"
#include "store/store.h"

namespace cleave::ocdbt {

// Where a fork lies. `name` is one path component, and begins the names of its data files.
struct ForkPlace {
  std::shared_ptr<store::Store> base;
  std::shared_ptr<store::Store> folder;
  std::string name;
};

// How to open a fork: `Database::Open(fork.store, options)` with `options.prefixes = fork.prefixes`.
struct ForkedStore {
  std::shared_ptr<store::Store> store;  // a StackStore
  DataPrefixes prefixes;
};

// The store of a fork, made already or about to be. INVALID_ARGUMENT for a name that is no path component.
[[nodiscard]] absl::StatusOr<ForkedStore> StackFork(const ForkPlace& place);

// Makes the fork: copies the base's manifest. FAILED_PRECONDITION when the base is not sealed or the fork exists.
[[nodiscard]] absl::Status ForkDatabase(const ForkPlace& place);

// Makes a fork that begins with a version of another fork of the same base, `source`, and the history up to it. The
// data files of `source` must be there already, as copies or links: in `place.folder` under the same name, or, for a
// fork of another name, in `place.base`. FAILED_PRECONDITION when there is a database; NOT_FOUND when there is no such
// version.
[[nodiscard]] absl::Status ForkDatabaseFrom(const Database& source, GenerationNumber last, const ForkPlace& place);

// Opens a fork that was made; `options.prefixes` is replaced by the fork's.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Database>> OpenFork(const ForkPlace& place, OpenOptions options = {});

}  // namespace cleave::ocdbt
