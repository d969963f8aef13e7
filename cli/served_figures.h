// What `cleave serve` adds to /metrics: its workers, and the requests that wait for a thread.
//
//   cleave_worker_events_total{dataset, worker}   edits that a worker followed; worker: downsample, redis
//   cleave_worker_errors_total{dataset, worker}
//   cleave_worker_failing{dataset, worker}        1 while its last try failed
//   cleave_downsample_blocks_total{dataset}, cleave_downsample_chunks_total{dataset}   looked at; and written
//   cleave_requests_waiting{queue}                queue: look_ups, edits
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "server/http_server.h"
#include "server/metrics.h"
#include "work/downsample_service.h"
#include "work/redis_service.h"

namespace cleave::cli {

// Thread-safe once all are watched. What is watched must outlive it.
class ServedFigures {
 public:
  void Watch(const std::string& dataset, const work::DownsampleService& service);
  void Watch(const std::string& dataset, const work::RedisService& service);
  // Also while figures are read.
  void Watch(const server::HttpServer& server) { server_ = &server; }

  [[nodiscard]] std::vector<server::Figure> Read() const;

 private:
  struct Watched {
    std::string dataset;
    const work::DownsampleService* downsample = nullptr;  // one of the two
    const work::RedisService* redis = nullptr;
  };
  std::vector<Watched> watched_;
  std::atomic<const server::HttpServer*> server_ = nullptr;
};

}  // namespace cleave::cli
