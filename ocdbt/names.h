// Names beside a database: tags and branches, each a manifest of its own over the same data files.
//
//   manifest.ocdbt, d/...                 the database
//   cleave/tags/NAME/manifest.ocdbt       one version, that the tag names
//   cleave/branches/NAME/manifest.ocdbt   the branch's versions (or manifest.ocdbt and numbered ones)
//   cleave/branches/NAME/d/...            everything that the branch has written
//   cleave/pins/ID                        pin.h
//   cleave/fills/NAME/...                 fill.h
//   cleave/garbage                        garbage_list.h
//
// All are objects of which TensorStore knows nothing, and none of them changes what it finds in the database. It opens
// a tag or a branch like the database, with the folder of the name as the `manifest` member of its specification. A
// name refers to data files by the same keys as the database does; whoever removes data files must look at all names.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "ocdbt/data_prefixes.h"
#include "store/store.h"

namespace cleave::ocdbt {

// All keys that this room keeps beside a database begin so.
inline constexpr absl::string_view kBesidePrefix = "cleave/";
inline constexpr absl::string_view kBranchesPrefix = "cleave/branches/";

enum class NameKind { kTag, kBranch };

// "tag" or "branch".
[[nodiscard]] absl::string_view TextOf(NameKind kind);
// "cleave/tags/NAME/".
[[nodiscard]] std::string FolderOfName(NameKind kind, absl::string_view name);
// What the data files of a branch begin with.
[[nodiscard]] DataPrefixes BranchPrefixes(absl::string_view name);

// INVALID_ARGUMENT unless it is 1 to 100 of A-Z a-z 0-9 . _ -, begins with a letter or digit, and cannot be mistaken
// for a version: no number, no "v7", no time.
[[nodiscard]] absl::Status ValidateName(absl::string_view name);

// The names of a kind, sorted. `store` is the database's, or one of its branches'.
[[nodiscard]] absl::StatusOr<std::vector<std::string>> ListNames(const store::Store& store, NameKind kind);

// The store in which a name's manifest stands in the place of the database's. The mark of a sealed database
// (ocdbt/seal.h) is the name's own. INVALID_ARGUMENT for a name that cannot be.
[[nodiscard]] absl::StatusOr<std::shared_ptr<store::Store>> StackName(const std::shared_ptr<store::Store>& store,
                                                                      NameKind kind, absl::string_view name);

}  // namespace cleave::ocdbt
