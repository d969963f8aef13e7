// How long a cut in the graph of supervoxels takes, beside Boost's solver on the same graph in the same run.
//
//   multicut_benchmark [--rounds N]
//
// The graph is the field's recorded real case: 28,092 edges between 3,777 supervoxels, 960 of them uncuttable. "whole":
// what an edit calls (cut/graph_cut.h), with path augmentation, on the recorded sources and sinks. "flow": the maximum
// flow alone, from the list of edges to the side of every vertex, between pairs of supervoxels drawn at random; Boost's
// graph is built from the same list. Both must find the same flow. Medians over the rounds, or the pairs.
// The data is that of $CLEAVE_DATA, or ../shared/data beside the source tree; without it there is nothing to measure.
// g++ 12 does not see that Boost's iterators begin initialized.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/numbers.h"
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/boykov_kolmogorov_max_flow.hpp>

#include "benchmarks/measure.h"
#include "cut/graph_cut.h"
#include "cut/max_flow.h"
#include "cut/npy_testing.h"

namespace cleave {
namespace {

using cut::CapacityEdge;

struct Case {
  std::vector<cut::WeightedEdge> edges;
  std::vector<uint64_t> sources;
  std::vector<uint64_t> sinks;
};

Case ReadCase(const std::string& folder) {
  const std::string start = folder + "/pcg_multicut_sv_";
  const auto pairs = cut::ReadNpyZst<int64_t>(start + "edges.npy.zst");
  const auto affinities = cut::ReadNpyZst<double>(start + "affinity.npy.zst");
  Case recorded;
  for (size_t i = 0; i < affinities.size(); ++i) {
    recorded.edges.push_back({static_cast<uint64_t>(pairs[2 * i]), static_cast<uint64_t>(pairs[2 * i + 1]),
                              static_cast<float>(affinities[i])});
  }
  recorded.sources = cut::ReadNpyZst<uint64_t>(start + "sources.npy.zst");
  recorded.sinks = cut::ReadNpyZst<uint64_t>(start + "sinks.npy.zst");
  return recorded;
}

struct FlowGraph {
  uint32_t vertex_count = 0;
  std::vector<CapacityEdge> edges;
};

// Affinities in thousandths; an uncuttable edge carries a million times the mean of the others.
FlowGraph MakeFlowGraph(const Case& recorded) {
  FlowGraph graph;
  std::unordered_map<uint64_t, uint32_t> index;
  const auto vertex = [&](uint64_t id) { return index.emplace(id, static_cast<uint32_t>(index.size())).first->second; };
  for (const cut::WeightedEdge& edge : recorded.edges) {
    if (edge.a == edge.b) {
      continue;
    }
    const int64_t capacity = std::isinf(edge.affinity) ? 1'000'000'000 : std::llround(1000 * edge.affinity);
    graph.edges.push_back({vertex(edge.a), vertex(edge.b), capacity});
  }
  graph.vertex_count = static_cast<uint32_t>(index.size());
  return graph;
}

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
using BoostGraph = boost::adjacency_list<
    boost::vecS, boost::vecS, boost::directedS,
    boost::property<boost::vertex_color_t, boost::default_color_type,
                    boost::property<boost::vertex_distance_t, int64_t,
                                    boost::property<boost::vertex_predecessor_t, Traits::edge_descriptor>>>,
    boost::property<boost::edge_capacity_t, int64_t,
                    boost::property<boost::edge_residual_capacity_t, int64_t,
                                    boost::property<boost::edge_reverse_t, Traits::edge_descriptor>>>>;

BoostGraph MakeBoostGraph(const FlowGraph& flow) {
  BoostGraph graph(flow.vertex_count);
  const auto capacity = boost::get(boost::edge_capacity, graph);
  const auto reverse = boost::get(boost::edge_reverse, graph);
  for (const CapacityEdge& edge : flow.edges) {
    const auto forth = boost::add_edge(edge.a, edge.b, graph).first;
    const auto back = boost::add_edge(edge.b, edge.a, graph).first;
    capacity[forth] = capacity[back] = edge.capacity;
    reverse[forth] = back;
    reverse[back] = forth;
  }
  return graph;
}

using Solver = std::function<int64_t(const FlowGraph&, uint32_t, uint32_t)>;

int64_t Ours(const FlowGraph& flow, uint32_t source, uint32_t sink) {
  return cut::MaxFlow(flow.vertex_count, flow.edges).Solve(source, sink);
}
int64_t BoykovKolmogorov(const FlowGraph& flow, uint32_t source, uint32_t sink) {
  BoostGraph graph = MakeBoostGraph(flow);
  return boost::boykov_kolmogorov_max_flow(graph, source, sink);
}
double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

bool MeasureWhole(const Case& recorded, int rounds) {
  std::vector<double> seconds;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    const auto cut = cut::CutGraph({.edges = recorded.edges, .sources = recorded.sources, .sinks = recorded.sinks});
    seconds.push_back(SecondsSince(start));
    if (!cut.ok() || cut->outcome != cut::GraphCutOutcome::kCut) {
      std::fprintf(stderr, "multicut_benchmark: no cut: %s\n", cut.status().ToString().c_str());
      return false;
    }
    if (round == 0) {
      std::printf("whole: %zu of %zu edges cut, capacity %.6f\n", cut->removed.size(), recorded.edges.size(),
                  cut->value);
    }
  }
  std::printf("whole: %.2f ms\n", 1e3 * Median(seconds));
  return true;
}

bool MeasureFlow(const FlowGraph& flow, int pairs) {
  const std::vector<std::pair<std::string, Solver>> solvers = {{"cleave", Ours},
                                                               {"boost boykov_kolmogorov", BoykovKolmogorov}};
  std::vector<std::vector<double>> seconds(solvers.size());
  std::mt19937 random(1);
  for (int pair = 0; pair < pairs; ++pair) {
    const auto source = static_cast<uint32_t>(random() % flow.vertex_count);
    const uint32_t sink = (source + 1 + static_cast<uint32_t>(random() % (flow.vertex_count - 1))) % flow.vertex_count;
    int64_t first = 0;
    for (size_t turn = 0; turn < solvers.size(); ++turn) {
      const size_t s = (turn + static_cast<size_t>(pair)) % solvers.size();
      const auto start = std::chrono::steady_clock::now();
      const int64_t value = solvers[s].second(flow, source, sink);
      seconds[s].push_back(SecondsSince(start));
      if (turn > 0 && value != first) {
        std::fprintf(stderr, "multicut_benchmark: %s finds the flow %ld, another %ld\n", solvers[s].first.c_str(),
                     static_cast<long>(value), static_cast<long>(first));
        return false;
      }
      first = value;
    }
  }
  for (size_t s = 0; s < solvers.size(); ++s) {
    std::vector<double> ratios;
    for (size_t i = 0; i < seconds[s].size(); ++i) {
      ratios.push_back(seconds[s][i] / seconds[0][i]);
    }
    std::printf("flow, %-24s %8.3f ms  %6.2f times ours\n", solvers[s].first.c_str(), 1e3 * Median(seconds[s]),
                Median(ratios));
  }
  return true;
}

int Main(const std::vector<std::string>& words) {
  int rounds = 21;
  if (!(words.empty() ||
        (words.size() == 2 && words[0] == "--rounds" && absl::SimpleAtoi(words[1], &rounds) && rounds > 0))) {
    std::fprintf(stderr, "usage: multicut_benchmark [--rounds N]\n");
    return 2;
  }
  const std::string folder = cut::DataFolder(".");
  if (!cut::HasData(folder)) {
    std::fprintf(stderr, "multicut_benchmark: no data in %s\n", folder.c_str());
    return 1;
  }
  const Case recorded = ReadCase(folder);
  const bool done = MeasureWhole(recorded, rounds) && MeasureFlow(MakeFlowGraph(recorded), rounds);
  std::printf("largest memory in use: %.0f MiB\n", PeakMemoryMiB());
  return done ? 0 : 1;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Main({argv + 1, argv + argc}); }
