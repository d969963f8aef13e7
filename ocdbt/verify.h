// Reads everything that a database refers to, and names all that is damaged.
//
// Each node is read once, however many versions share it. Damage does not end the work: what lies behind it is not
// seen, all else is. Values outside of the tree have no checksum in the format; that they are there in full is all that
// can be said of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/progress.h"
#include "store/store.h"

namespace cleave::ocdbt {

struct Damage {
  std::string where;  // "version 7", "version 7 of branch x" or "tag x": where it was met first
  std::string what;   // names the object in the store
};

struct VerifyReport {
  uint64_t versions = 0;       // of the database and all its names, each counted where it is listed
  uint64_t version_nodes = 0;  // distinct nodes of version trees
  uint64_t tree_nodes = 0;     // distinct nodes of B+trees
  uint64_t values = 0;         // distinct values outside of the tree
  uint64_t value_bytes = 0;
  uint64_t found = 0;
  std::vector<Damage> damages;  // the first `damages_max` of `found`
  [[nodiscard]] bool clean() const { return found == 0; }
};

struct VerifyOptions {
  bool read_values = true;  // false: values outside of the tree are not looked at
  size_t damages_max = 100;
};

// `store` is the store of the database; its tags and branches are looked at too. Damage is told in the report; an error
// is returned when there is no database or the store cannot be read at all.
[[nodiscard]] absl::StatusOr<VerifyReport> VerifyDatabase(const std::shared_ptr<store::Store>& store,
                                                          const VerifyOptions& options, Progress& progress);

}  // namespace cleave::ocdbt
