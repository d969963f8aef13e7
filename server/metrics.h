// What /metrics shows, in the text format of Prometheus.
//
//   cleave_http_requests_total{dataset, route, method, code}   answers
//   cleave_http_request_seconds{dataset, route}                how long they took to make
//   cleave_http_requests_under_way                             now
//   cleave_edits_total{dataset, kind, outcome}                 outcome: done, refused, failed
//
// The label `route` is the pattern, never the path: the number of series stays small. Requests that are about no
// dataset have no label `dataset`.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cleave::server {

struct AnsweredRequest {
  std::string dataset;  // its name; empty when the request is about none
  std::string route;    // the pattern; empty when none fitted
  std::string method;
  int code = 200;
  absl::Duration duration;
};

// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  void BeginRequest();
  void EndRequest(const AnsweredRequest& answered);
  void CountEdit(const std::string& dataset, const std::string& kind, const std::string& outcome);

  [[nodiscard]] std::string Text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cleave::server
