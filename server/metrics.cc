#include "server/metrics.h"

#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace cleave::server {
namespace {

// Seconds: from a look-up in memory to a split of a large object.
const prometheus::Histogram::BucketBoundaries& SecondBounds() {
  static const prometheus::Histogram::BucketBoundaries bounds = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30};
  return bounds;
}

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("cleave_http_requests_total")
                                                          .Help("Answers, by route, method and code")
                                                          .Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds = prometheus::BuildHistogram()
                                                           .Name("cleave_http_request_seconds")
                                                           .Help("How long answers took to make")
                                                           .Register(registry);
  prometheus::Gauge& under_way = prometheus::BuildGauge()
                                     .Name("cleave_http_requests_under_way")
                                     .Help("Requests that are being answered")
                                     .Register(registry)
                                     .Add({});
  prometheus::Family<prometheus::Counter>& edits =
      prometheus::BuildCounter().Name("cleave_edits_total").Help("Edits, by kind and outcome").Register(registry);
  prometheus::Family<prometheus::Histogram>& stage_seconds = prometheus::BuildHistogram()
                                                                 .Name("cleave_edit_stage_seconds")
                                                                 .Help("How long the stages of edits took")
                                                                 .Register(registry);
  prometheus::Family<prometheus::Counter>& manifest_nodes = prometheus::BuildCounter()
                                                                .Name("cleave_manifest_nodes_total")
                                                                .Help("Nodes of manifests, by what the cache knew")
                                                                .Register(registry);
  prometheus::Family<prometheus::Gauge>& cache_errors = prometheus::BuildGauge()
                                                            .Name("cleave_manifest_cache_errors")
                                                            .Help("How often the cache could not be asked")
                                                            .Register(registry);
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::BeginRequest() { state_->under_way.Increment(); }

void Metrics::EndRequest(const AnsweredRequest& answered) {
  state_->under_way.Decrement();
  prometheus::Labels labels = {{"route", answered.route}};
  if (!answered.dataset.empty()) {
    labels["dataset"] = answered.dataset;
  }
  state_->seconds.Add(labels, SecondBounds()).Observe(absl::ToDoubleSeconds(answered.duration));
  labels["method"] = answered.method;
  labels["code"] = std::to_string(answered.code);
  state_->requests.Add(labels).Increment();
}

void Metrics::CountEdit(const std::string& dataset, const std::string& kind, const std::string& outcome) {
  state_->edits.Add({{"dataset", dataset}, {"kind", kind}, {"outcome", outcome}}).Increment();
}

void Metrics::CountManifest(const std::string& dataset, const mesh::ManifestCounts& counts, int64_t cache_errors) {
  const auto add = [&](const char* outcome, int64_t count) {
    state_->manifest_nodes.Add({{"dataset", dataset}, {"outcome", outcome}}).Increment(static_cast<double>(count));
  };
  add("found", counts.found);
  add("absent", counts.absent);
  add("outdated", counts.outdated);
  add("unknown", counts.unknown);
  state_->cache_errors.Add({{"dataset", dataset}}).Set(static_cast<double>(cache_errors));
}

void Metrics::ObserveEdit(const std::string& dataset, const std::string& kind, const Stages& stages) {
  for (const auto& [stage, duration] : stages.list()) {
    state_->stage_seconds.Add({{"dataset", dataset}, {"kind", kind}, {"stage", stage}}, SecondBounds())
        .Observe(absl::ToDoubleSeconds(duration));
  }
}

std::string Metrics::Text(std::span<const Figure> figures) const {
  std::vector<prometheus::MetricFamily> families = state_->registry.Collect();
  std::map<std::string, size_t> place_of;
  for (const Figure& figure : figures) {
    const auto [place, is_new] = place_of.try_emplace(figure.name, families.size());
    if (is_new) {
      families.push_back({figure.name,
                          figure.help,
                          figure.is_total ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge,
                          {}});
    }
    prometheus::ClientMetric metric;
    for (const auto& [name, value] : figure.labels) {
      metric.label.push_back({name, value});
    }
    metric.counter.value = metric.gauge.value = figure.value;
    families[place->second].metric.push_back(std::move(metric));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace cleave::server
