// Which meshes a branch of a project has (edit/branch.h). Node ids that the two give from then on are the same for
// different nodes, and so are the names of their files; hence no folder of single files may be shared.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "graph/ids.h"
#include "table/table.h"

namespace cleave::mesh {

// Of a project in the making, whose `table` holds what it shall hold:
//   1. Without a record of meshes nothing is done.
//   2. Where meshes lie in the project, `folder`/meshes has links to all of them: of the single files, those of nodes
//   that
//      the branch does not have are removed.
//   3. Where they lie elsewhere, shards are shared, and the branch's single files go to a folder of their own, named
//      after that of before and `now`.
// Idempotent but for the name. Errors of the table and the store.
[[nodiscard]] absl::Status BranchMeshes(const graph::IdLayout& layout, const std::string& folder, table::Table& table,
                                        absl::Time now);

// The same of a copy under another name, `graph_id`: single files go to "dynamic_" + `graph_id`, in the project's
// folder with those of before, elsewhere without. Idempotent. FAILED_PRECONDITION when there are files of another
// graph.
[[nodiscard]] absl::Status CopyMeshes(const graph::IdLayout& layout, const std::string& folder, table::Table& table,
                                      absl::string_view graph_id);

}  // namespace cleave::mesh
