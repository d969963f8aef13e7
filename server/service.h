// What the functions that answer requests work with, and the words they answer in.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

#include "base/clock.h"
#include "edit/editor.h"
#include "graph/dataset.h"
#include "graph/graph_view.h"
#include "graph/ids.h"
#include "mesh/manifest.h"
#include "server/http_message.h"
#include "server/metrics.h"
#include "server/node_meshes.h"
#include "server/past_volumes.h"
#include "server/request_values.h"
#include "server/router.h"
#include "server/served_dataset.h"
#include "server/timed_reader.h"

namespace cleave::server {

// Thread-safe, as its members are.
struct Service {
  const std::string& name;  // of the dataset, in paths; where a path has none, of the first one
  graph::Dataset& dataset;
  edit::Editor& editor;
  Metrics& metrics;
  PastVolumes& past_volumes;
  NodeMeshes& node_meshes;
  // Of meshes that others make; null: there are none, and node_meshes makes them.
  const absl::StatusOr<std::unique_ptr<mesh::Manifests>>& manifests;
  const RequestLimits& limits;
  const TimedReader& rows;        // the dataset's, for look-ups; those of an edit have no limit of time
  const std::string& public_url;  // empty: the host that a request names
  const std::string& web_folder;  // of the pages; empty: there are none
  Clock& clock;
  std::span<const ServedDataset> datasets;                   // all that are served here
  std::span<const ServedDataset> visible;                    // those that the user may see, where the path names none
  const std::function<std::vector<Figure>()>& more_figures;  // for /metrics; or empty
  const std::optional<std::string>& login_url;               // of the auth server; nullopt: there is none
};

// How clients reach this server: "http://host:8080".
[[nodiscard]] std::string UrlOf(const Service& service, const Request& request);

// The graph at a time: InfiniteFuture() for now. Of `rows`, so that reads end in time.
[[nodiscard]] graph::GraphView ViewAt(const Service& service, absl::Time time);
// ?bounds. INVALID_ARGUMENT also when they, or without them the whole volume, are larger than the limits allow.
[[nodiscard]] absl::StatusOr<std::optional<Box>> CheckedBoundsOf(const Service& service, const Request& request);
// INVALID_ARGUMENT when more L2 nodes lie below `node`, inside the box, than one answer may look at.
[[nodiscard]] absl::Status CheckL2Nodes(const Service& service, const graph::GraphView& view, graph::NodeId node,
                                        const std::optional<Box>& box);

// The graph at ?timestamp. OUT_OF_RANGE for a time before the ingest.
[[nodiscard]] absl::StatusOr<graph::GraphView> ViewOf(Service& service, const Request& request);
// For questions about what holds `node` together: the graph at a time, or where an edit has replaced the node, as it
// was when the node was made, so that the answer for an old root is that of its time. NOT_FOUND when there is no such
// node.
[[nodiscard]] absl::StatusOr<graph::GraphView> ViewWith(Service& service, absl::Time time, graph::NodeId node);
// ViewWith at ?timestamp.
[[nodiscard]] absl::StatusOr<graph::GraphView> ViewFor(Service& service, const Request& request, graph::NodeId node);
// The id in the path. INVALID_ARGUMENT unless it names a possible node.
[[nodiscard]] absl::StatusOr<graph::NodeId> NodeOf(const Service& service, absl::string_view text);
// NOT_FOUND unless the view knows this node, of layer 2 or above.
[[nodiscard]] absl::Status RequireNode(const graph::GraphView& view, graph::NodeId node);

[[nodiscard]] Response JsonResponse(const nlohmann::json& body);
[[nodiscard]] Response BinaryResponse(const std::vector<graph::NodeId>& ids);
[[nodiscard]] Response TextResponse(std::string body);

// Whether ids are wanted as decimal strings (?int64_as_str).
[[nodiscard]] bool WantsText(const Request& request);
[[nodiscard]] nlohmann::json IdJson(graph::NodeId id, bool as_text);
[[nodiscard]] nlohmann::json IdJson(graph::OperationId id, bool as_text);
[[nodiscard]] nlohmann::json IdsJson(const std::vector<graph::NodeId>& ids, bool as_text);
// [[x, y, z], ...].
[[nodiscard]] nlohmann::json VoxelsJson(const std::vector<VoxelPoint>& voxels);
// Seconds since 1970; whole ms, as every time of the graph is.
[[nodiscard]] double SecondsJson(absl::Time time);
// "2020-01-01 00:00:00.123000+00:00".
[[nodiscard]] std::string IsoText(absl::Time time, absl::string_view delimiter = " ");

// All of them. `open_data`: voxels and meshes need no right.
[[nodiscard]] std::vector<Route> AllRoutes(bool open_data);
// The routes of each family.
[[nodiscard]] std::vector<Route> InfoRoutes();
[[nodiscard]] std::vector<Route> NodeRoutes();
[[nodiscard]] std::vector<Route> RootRoutes();
[[nodiscard]] std::vector<Route> NeighbourRoutes();
[[nodiscard]] std::vector<Route> LineageRoutes();
[[nodiscard]] std::vector<Route> ChangeRoutes();
[[nodiscard]] std::vector<Route> OperationRoutes();
[[nodiscard]] std::vector<Route> EventRoutes();
[[nodiscard]] std::vector<Route> EditRoutes();
[[nodiscard]] std::vector<Route> BatchRoutes();
[[nodiscard]] std::vector<Route> MeshRoutes();
[[nodiscard]] std::vector<Route> MeshFileRoutes();
[[nodiscard]] std::vector<Route> DataRoutes();
[[nodiscard]] std::vector<Route> HealthRoutes();
[[nodiscard]] std::vector<Route> OperatorRoutes();
[[nodiscard]] std::vector<Route> WebRoutes();

// The folders that the field's clients have in their URLs.
inline constexpr char kSegmentation[] = "/segmentation/api/v1/table/{graph}/";
inline constexpr char kOwn[] = "/cleave/api/v1/table/{graph}/";
// Where meshes lie in the folder of voxels.
inline constexpr char kMeshFolder[] = "mesh";
inline constexpr char kMeshing[] = "/meshing/api/v1/table/{graph}/";

}  // namespace cleave::server
