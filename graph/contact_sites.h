// Where an object touches others.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "graph/edges.h"
#include "graph/graph_view.h"
#include "graph/ids.h"

namespace cleave::graph {

// One contact with one partner: supervoxels of the partner that active edges among them hold together.
struct ContactSite {
  uint64_t area = 0;                        // voxel faces, over all edges of the site
  std::vector<NodeId> partner_supervoxels;  // ascending
  std::vector<NodeId> own_supervoxels;      // ascending; the object's own that touch them
};

struct ContactQuery {
  std::optional<Box> box = std::nullopt;  // only L2 nodes of the object whose chunk overlaps it
  std::vector<NodeId> partners = {};      // only these roots; empty: all
};

// The contacts of an object with each other root, the largest area first. Contacts are edges that the graph does not
// hold together; edges that users added count with the area they have, usually none. NOT_FOUND and the like as
// GraphView::RequireCurrentRoot, but for superseded roots, which have none any more: FAILED_PRECONDITION.
[[nodiscard]] absl::StatusOr<std::map<NodeId, std::vector<ContactSite>>> ContactSites(const GraphView& view,
                                                                                      const EdgeFiles& files,
                                                                                      NodeId root,
                                                                                      const ContactQuery& query);

}  // namespace cleave::graph
