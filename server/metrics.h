// What /metrics shows, in the text format of Prometheus.
//
//   cleave_http_requests_total{route, method, code}   answers
//   cleave_http_request_seconds{route}                how long they took to make
//   cleave_http_requests_under_way                    now
//   cleave_edits_total{kind, outcome}                 outcome: done, refused, failed
//
// The label `route` is the pattern, never the path: the number of series stays small.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cleave::server {

// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  void BeginRequest();
  void EndRequest(const std::string& route, const std::string& method, int code, absl::Duration duration);
  void CountEdit(const std::string& kind, const std::string& outcome);

  [[nodiscard]] std::string Text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cleave::server
