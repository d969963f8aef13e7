#include "cli/served_figures.h"

#include <map>

namespace cleave::cli {
namespace {

using server::Figure;

struct WorkerState {
  int64_t events = 0;
  int64_t errors = 0;
  bool is_failing = false;
};

void AddWorker(const std::string& dataset, const std::string& worker, const WorkerState& state,
               std::vector<Figure>& figures) {
  const std::map<std::string, std::string> labels = {{"dataset", dataset}, {"worker", worker}};
  figures.push_back({.name = "cleave_worker_events_total",
                     .help = "Edits that a worker followed",
                     .is_total = true,
                     .labels = labels,
                     .value = static_cast<double>(state.events)});
  figures.push_back({.name = "cleave_worker_errors_total",
                     .help = "Tries of a worker that failed",
                     .is_total = true,
                     .labels = labels,
                     .value = static_cast<double>(state.errors)});
  figures.push_back({.name = "cleave_worker_failing",
                     .help = "Whether the last try of a worker failed",
                     .labels = labels,
                     .value = state.is_failing ? 1.0 : 0.0});
}

void AddDownsample(const std::string& dataset, const work::DownsampleServiceState& state,
                   std::vector<Figure>& figures) {
  AddWorker(dataset, "downsample", {state.done.events, state.errors, state.is_failing}, figures);
  figures.push_back({.name = "cleave_downsample_blocks_total",
                     .help = "Blocks of the coarser scales that were made anew",
                     .is_total = true,
                     .labels = {{"dataset", dataset}},
                     .value = static_cast<double>(state.done.blocks)});
  figures.push_back({.name = "cleave_downsample_chunks_total",
                     .help = "Chunks of the coarser scales that had changed and were written",
                     .is_total = true,
                     .labels = {{"dataset", dataset}},
                     .value = static_cast<double>(state.done.chunks_written)});
}

Figure Waiting(const std::string& queue, int64_t count) {
  return {.name = "cleave_requests_waiting",
          .help = "Requests that wait for a thread",
          .labels = {{"queue", queue}},
          .value = static_cast<double>(count)};
}

}  // namespace

void ServedFigures::Watch(const std::string& dataset, const work::DownsampleService& service) {
  watched_.push_back({.dataset = dataset, .downsample = &service});
}

void ServedFigures::Watch(const std::string& dataset, const work::RedisService& service) {
  watched_.push_back({.dataset = dataset, .redis = &service});
}

std::vector<Figure> ServedFigures::Read() const {
  std::vector<Figure> figures;
  for (const Watched& one : watched_) {
    if (one.downsample != nullptr) {
      AddDownsample(one.dataset, one.downsample->state(), figures);
    } else {
      const work::RedisServiceState state = one.redis->state();
      AddWorker(one.dataset, "redis", {state.events, state.errors, !state.last.ok()}, figures);
    }
  }
  if (const server::HttpServer* const server = server_) {
    figures.push_back(Waiting("look_ups", server->waiting_look_ups()));
    figures.push_back(Waiting("edits", server->waiting_edits()));
  }
  return figures;
}

}  // namespace cleave::cli
