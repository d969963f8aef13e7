// What the names of new data files begin with.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cleave::ocdbt {

// A property of the writer, not of the database: readers ignore it, and a fork has its own.
struct DataPrefixes {
  std::string value = "d/";
  std::string btree_node = "d/";
  std::string version_tree_node = "d/";
  // One prefix for all three.
  [[nodiscard]] static DataPrefixes All(absl::string_view prefix);
  friend bool operator==(const DataPrefixes&, const DataPrefixes&) = default;
};

// INVALID_ARGUMENT when a name that begins so would be no key of a store, or longer than the format allows.
[[nodiscard]] absl::Status ValidatePrefixes(const DataPrefixes& prefixes);

}  // namespace cleave::ocdbt
