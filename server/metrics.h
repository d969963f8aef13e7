// What /metrics shows, in the text format of Prometheus.
//
//   cleave_http_requests_total{dataset, route, method, code}   answers
//   cleave_http_request_seconds{dataset, route}                how long they took to make
//   cleave_http_requests_under_way                             now
//   cleave_edits_total{dataset, kind, outcome}                 outcome: done, refused, failed
//   cleave_edit_stage_seconds{dataset, kind, stage}            stages of the edits that were done
//   cleave_manifest_nodes_total{dataset, outcome}              looked for: found, absent (known to the cache), outdated
//                                                              (a mark of absence that no longer held), unknown
//   cleave_manifest_cache_errors{dataset}                      how often the cache could not be asked
//
// and what is read when they are asked for (figures.h, and the caller's own):
//
//   cleave_operations_in_flight{dataset}                       edits that have begun and not ended, stuck ones too
//   cleave_operation_oldest_seconds{dataset}                   how long ago the oldest of them began; 0 without any
//   cleave_edits_waiting_for_locks{dataset}                    that others hold
//   cleave_events_waiting{dataset, group}                      edits that a group of consumers has not acknowledged
//   cleave_events_waiting_seconds{dataset, group}              how old the oldest of them is; 0 without any
//   cleave_cache_hits_total{cache}, cleave_cache_misses_total{cache}
//
// The label `route` is the pattern, never the path: the number of series stays small. Requests that are about no
// dataset have no label `dataset`.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/stages.h"
#include "mesh/manifest.h"

namespace cleave::server {

struct AnsweredRequest {
  std::string dataset;  // its name; empty when the request is about none
  std::string route;    // the pattern; empty when none fitted
  std::string method;
  int code = 200;
  absl::Duration duration;
};

// A number that is kept elsewhere, at the moment of asking.
struct Figure {
  std::string name;
  std::string help;
  bool is_total = false;  // only grows, from the start of the process on
  std::map<std::string, std::string> labels = {};
  double value = 0;
};

// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  void BeginRequest();
  void EndRequest(const AnsweredRequest& answered);
  void CountEdit(const std::string& dataset, const std::string& kind, const std::string& outcome);

  void CountManifest(const std::string& dataset, const mesh::ManifestCounts& counts, int64_t cache_errors);
  void ObserveEdit(const std::string& dataset, const std::string& kind, const Stages& stages);

  // What was counted, and these figures, in any order; those of one name have the same help.
  [[nodiscard]] std::string Text(std::span<const Figure> figures = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cleave::server
