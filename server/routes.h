// What the server answers: the part of the field's contract for a segmentation and its graph that is built so far.
//
//   GET  /healthz                                     "ok"
//   GET  /segmentation/table/G/info                   the volume's info with the graph's layout and the data folder
//   GET  /segmentation/api/versions, .../version      [0, 1], "3.1.7"
//   GET  S/node/ID/root, children, leaves             ?timestamp, ?stop_layer, ?bounds, ?int64_as_str
//   POST S/roots, S/roots_binary, S/is_latest_roots   {"node_ids": [...]}, or little-endian uint64
//   POST S/merge, S/split, S/graph/split_preview      points [id, x, y, z] in nm; the voxel decides the supervoxel
//   GET  /data/G/KEY                                  the present segmentation as a plain precomputed folder
//
// S is /segmentation/api/v1/table/G, G the graph's id. Nothing here touches a row or a voxel itself.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

#include "edit/editor.h"
#include "graph/dataset.h"
#include "server/http_message.h"

namespace cleave::server {

struct RouteOptions {
  // How clients reach this server, for info's data_dir: "https://example.org/cleave". Empty: the host they asked for.
  std::string public_url;
};

// Thread-safe. Dataset and editor must outlive it.
class Routes {
 public:
  Routes(graph::Dataset& dataset, edit::Editor& editor, RouteOptions options)
      : dataset_(dataset), editor_(editor), options_(std::move(options)) {}

  // Never fails: what goes wrong is an error response.
  [[nodiscard]] Response Answer(const Request& request);

 private:
  [[nodiscard]] absl::StatusOr<Response> Dispatch(const Request& request);
  [[nodiscard]] absl::StatusOr<Response> AnswerNode(const Request& request, absl::string_view id,
                                                    absl::string_view verb);
  [[nodiscard]] absl::StatusOr<Response> AnswerTable(const Request& request, absl::string_view verb);
  [[nodiscard]] absl::StatusOr<Response> Info(const Request& request) const;
  [[nodiscard]] absl::StatusOr<Response> Data(absl::string_view key);
  [[nodiscard]] absl::StatusOr<Response> Roots(const Request& request);
  [[nodiscard]] absl::StatusOr<Response> RootsBinary(const Request& request);
  [[nodiscard]] absl::StatusOr<Response> IsLatestRoots(const Request& request);
  [[nodiscard]] absl::StatusOr<Response> Merge(const Request& request);
  [[nodiscard]] absl::StatusOr<Response> Split(const Request& request);
  [[nodiscard]] absl::StatusOr<Response> SplitPreview(const Request& request);

  graph::Dataset& dataset_;
  edit::Editor& editor_;
  const RouteOptions options_;
};

}  // namespace cleave::server
