// What the server answers: the field's contract for a segmentation and its graph. docs/server.md lists every route.
//
// A request passes four gates here: the route is found, the token is looked at, the answer is made, and what came of it
// is counted and logged. Nothing in this room touches a row or a voxel itself.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "edit/editor.h"
#include "graph/dataset.h"
#include "server/access.h"
#include "server/decision.h"
#include "server/http_message.h"
#include "server/metrics.h"
#include "server/node_meshes.h"
#include "server/past_volumes.h"
#include "server/request_log.h"
#include "server/request_values.h"
#include "server/router.h"
#include "server/served_dataset.h"
#include "server/served_meshes.h"

namespace cleave::server {

struct RouteOptions {
  // How clients reach this server, for info's data_dir: "https://example.org/cleave". Empty: the host they asked for.
  std::string public_url = {};
  Access access = {};
  // Voxels are read without a token, as some of the field's clients ask for them.
  bool open_data = false;
  // What stands at "/": index.html and what it needs (server/web/). Empty, or without that file: a word that says so.
  std::string web_folder = {};
  RequestLimits limits = {};
  // More for /metrics, from those who work beside the routes; thread-safe.
  std::function<std::vector<Figure>()> more_figures = {};
  ManifestCacheMaker manifest_cache = {};  // empty: in memory
  RequestLog* log = nullptr;               // must outlive the routes
  Clock* clock = &Clock::System();
};

// Thread-safe. Datasets and editors must outlive it.
class Routes {
 public:
  // REQUIRES: ValidateNames(datasets).
  Routes(std::vector<ServedDataset> datasets, RouteOptions options);
  // One dataset, named as its graph.
  Routes(graph::Dataset& dataset, edit::Editor& editor, RouteOptions options);

  // Never fails: what goes wrong is an error response.
  [[nodiscard]] Response Answer(Request request);
  // Whether the answer may have to wait for locks, or plans a cut: edits and their previews.
  [[nodiscard]] bool IsSlow(const Request& request) const;
  [[nodiscard]] const std::vector<Route>& list() const { return router_.routes(); }

 private:
  // What a request is allowed, and with which of the datasets, where its path names none: one suffices then.
  struct Permission {
    Decision decision;
    std::vector<ServedDataset> visible;
  };
  // Also sets who asks.
  [[nodiscard]] Response Respond(Request& request, const absl::StatusOr<Match>& match, absl::Time start);
  [[nodiscard]] Permission Authorize(const Request& request, const Match& match) const;
  [[nodiscard]] absl::StatusOr<Response> Handle(const Request& request, const Match& match,
                                                const std::vector<ServedDataset>& visible, absl::Time start);

  // What is kept of each dataset.
  struct Kept {
    Kept(const ServedDataset& served, const RouteOptions& options)
        : past_volumes(*served.dataset, *options.clock),
          node_meshes(*served.dataset, past_volumes),
          manifests(OpenManifests(*served.dataset, served.name, options.manifest_cache)) {}
    PastVolumes past_volumes;
    NodeMeshes node_meshes;
    absl::StatusOr<std::unique_ptr<mesh::Manifests>> manifests;
  };

  const std::vector<ServedDataset> datasets_;
  const RouteOptions options_;
  const std::optional<std::string> login_url_;
  const Router router_;
  Metrics metrics_;
  std::deque<Kept> kept_;  // of each of datasets_
};

}  // namespace cleave::server
