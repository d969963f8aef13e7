#include "graph/contact_sites.h"

#include <algorithm>
#include <set>

#include "absl/container/flat_hash_map.h"

#include "base/status.h"
#include "graph/l2_components.h"
#include "graph/local_graph.h"

namespace cleave::graph {
namespace {

std::vector<NodeId> Unique(std::vector<NodeId> ids) {
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  return ids;
}

// The edges to other roots, by root.
using Contacts = std::map<NodeId, std::vector<Edge>>;

absl::StatusOr<Contacts> FindContacts(const GraphView& view, const LocalGraph& local, NodeId root,
                                      const std::vector<NodeId>& wanted) {
  std::vector<Edge> edges;
  std::vector<NodeId> partners;
  for (const OuterEdge& outer : local.outer) {
    if (!outer.active && !local.l2_of.contains(outer.edge.node2)) {
      edges.push_back(outer.edge);
      partners.push_back(outer.edge.node2);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> roots, view.Roots(partners));
  Contacts contacts;
  for (size_t i = 0; i < edges.size(); ++i) {
    if (roots[i] != NodeId{} && roots[i] != root && (wanted.empty() || std::ranges::count(wanted, roots[i]) > 0)) {
      contacts[roots[i]].push_back(edges[i]);
    }
  }
  return contacts;
}

// The active edges among the partners' supervoxels that touch the object.
absl::StatusOr<std::vector<EdgeEnds>> EdgesAmongPartners(const GraphView& view, const EdgeFiles& files,
                                                         const Contacts& contacts) {
  std::vector<NodeId> supervoxels;
  for (const auto& [root, edges] : contacts) {
    std::ranges::transform(edges, std::back_inserter(supervoxels), &Edge::node2);
  }
  supervoxels = Unique(std::move(supervoxels));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NodeId> l2_nodes, view.Parents(supervoxels));
  l2_nodes = Unique(std::move(l2_nodes));
  CLEAVE_ASSIGN_OR_RETURN(const LocalGraph local,
                          LoadLocalGraph(view, view.reader(), files, l2_nodes, OuterEdges::kSkip));
  std::vector<EdgeEnds> ends;
  for (const Edge& edge : local.active) {
    if (std::ranges::binary_search(supervoxels, edge.node1) && std::ranges::binary_search(supervoxels, edge.node2)) {
      ends.push_back({edge.node1, edge.node2});
    }
  }
  return ends;
}

std::vector<ContactSite> SitesOf(const std::vector<Edge>& edges, const std::vector<EdgeEnds>& among_partners) {
  std::vector<NodeId> partners;
  std::ranges::transform(edges, std::back_inserter(partners), &Edge::node2);
  std::vector<ContactSite> sites;
  absl::flat_hash_map<NodeId, size_t> site_of;
  for (std::vector<NodeId>& component : ComponentsOf(partners, among_partners)) {
    for (const NodeId supervoxel : component) {
      site_of[supervoxel] = sites.size();
    }
    sites.push_back({0, std::move(component), {}});
  }
  for (const Edge& edge : edges) {
    ContactSite& site = sites[site_of.at(edge.node2)];
    site.area += edge.area;
    site.own_supervoxels.push_back(edge.node1);
  }
  for (ContactSite& site : sites) {
    site.own_supervoxels = Unique(std::move(site.own_supervoxels));
  }
  std::ranges::stable_sort(sites, std::ranges::greater(), &ContactSite::area);
  return sites;
}

}  // namespace

absl::StatusOr<std::map<NodeId, std::vector<ContactSite>>> ContactSites(const GraphView& view, const EdgeFiles& files,
                                                                        NodeId root, const ContactQuery& query) {
  CLEAVE_RETURN_IF_ERROR(view.RequireCurrentRoot(root));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> l2_nodes, view.L2Nodes(root, query.box));
  CLEAVE_ASSIGN_OR_RETURN(const LocalGraph local,
                          LoadLocalGraph(view, view.reader(), files, l2_nodes, OuterEdges::kLoad));
  CLEAVE_ASSIGN_OR_RETURN(const Contacts contacts, FindContacts(view, local, root, query.partners));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<EdgeEnds> among_partners, EdgesAmongPartners(view, files, contacts));
  std::map<NodeId, std::vector<ContactSite>> sites;
  for (const auto& [partner, edges] : contacts) {
    sites[partner] = SitesOf(edges, among_partners);
  }
  return sites;
}

}  // namespace cleave::graph
