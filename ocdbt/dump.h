// Prints manifests and nodes in words, for people who look into a database.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "ocdbt/data_file.h"
#include "store/store.h"

namespace cleave::ocdbt {

// The newest manifest: configuration, versions, and where their roots lie. JSON, indented, times in UTC; bytes that are
// not UTF-8 are escaped as \xNN.
[[nodiscard]] absl::StatusOr<std::string> DumpManifest(const store::Store& store);

// The object at `location`, a B+tree node or a version-tree node, told by its magic number. An unknown kind, or damage,
// is DATA_LOSS naming the object.
[[nodiscard]] absl::StatusOr<std::string> DumpNode(const store::Store& store, const DataReference& location);

// The objects in a whole data file, in the order in which they lie there: each manifest or node whose magic number,
// length and checksum agree, with what stands in it, and the bytes between them, which are values or padding. Whether
// anything refers to them is another question. NOT_FOUND when there is no such file.
[[nodiscard]] absl::StatusOr<std::string> DumpFile(const store::Store& store, absl::string_view path);

// The reverse of Describe(): "PATH[OFFSET, +LENGTH)". INVALID_ARGUMENT for anything else.
[[nodiscard]] absl::StatusOr<DataReference> ParseDataReference(absl::string_view text);

}  // namespace cleave::ocdbt
