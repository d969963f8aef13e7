// Goal: MaxFlow finds the greatest flow, and OnSourceSide a cut of exactly that capacity.
// Method: small graphs by hand; random graphs against Boost's Boykov-Kolmogorov, an independent algorithm.
#include "cut/max_flow.h"

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/boykov_kolmogorov_max_flow.hpp>

#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // a false report inside Boost, at the end of this file
#endif

namespace cleave::cut {
namespace {

int64_t BoostFlow(uint32_t vertex_count, const std::vector<CapacityEdge>& edges, uint32_t source, uint32_t sink) {
  using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
  using Edge = Traits::edge_descriptor;
  struct Arc {
    int64_t capacity = 0;
    int64_t residual = 0;
    Edge reverse;
  };
  struct Vertex {
    boost::default_color_type color{};
    int64_t distance = 0;
    Edge predecessor;
  };
  using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, Vertex, Arc>;
  Graph graph(vertex_count);
  for (const CapacityEdge& edge : edges) {
    if (edge.a == edge.b) {
      continue;  // Boost's algorithm asserts on loops
    }
    const Edge forth = boost::add_edge(edge.a, edge.b, graph).first;
    const Edge back = boost::add_edge(edge.b, edge.a, graph).first;
    graph[forth] = {edge.capacity, 0, back};
    graph[back] = {edge.capacity, 0, forth};
  }
  return boost::boykov_kolmogorov_max_flow(graph, boost::get(&Arc::capacity, graph), boost::get(&Arc::residual, graph),
                                           boost::get(&Arc::reverse, graph), boost::get(&Vertex::predecessor, graph),
                                           boost::get(&Vertex::color, graph), boost::get(&Vertex::distance, graph),
                                           boost::get(boost::vertex_index, graph), source, sink);
}

int64_t CutCapacity(const MaxFlow& flow, const std::vector<CapacityEdge>& edges) {
  int64_t capacity = 0;
  for (const CapacityEdge& edge : edges) {
    capacity += flow.OnSourceSide(edge.a) != flow.OnSourceSide(edge.b) ? edge.capacity : 0;
  }
  return capacity;
}

TEST(MaxFlow, CutsTheWeakestLinkOfALine) {
  const std::vector<CapacityEdge> edges = {{0, 1, 9}, {1, 2, 1}, {2, 3, 9}};
  MaxFlow flow(4, edges);
  EXPECT_EQ(flow.Solve(0, 3), 1);
  EXPECT_TRUE(flow.OnSourceSide(1));
  EXPECT_FALSE(flow.OnSourceSide(2));
}

TEST(MaxFlow, ParallelEdgesAddAndLoopsDoNot) {
  const std::vector<CapacityEdge> edges = {{0, 1, 2}, {1, 0, 3}, {0, 0, 50}};
  EXPECT_EQ(MaxFlow(2, edges).Solve(0, 1), 5);
}

TEST(MaxFlow, PiecesWithoutTheSinkCarryNoFlow) {
  const std::vector<CapacityEdge> edges = {{0, 1, 2}, {2, 3, 4}};
  MaxFlow flow(4, edges);
  EXPECT_EQ(flow.Solve(0, 3), 0);
  EXPECT_TRUE(flow.OnSourceSide(1));
  EXPECT_FALSE(flow.OnSourceSide(2));
}

TEST(MaxFlow, UncuttableWayIsReported) {
  const std::vector<CapacityEdge> edges = {{0, 1, kCapacityLimit}, {1, 2, kCapacityLimit}, {0, 2, 5}};
  EXPECT_EQ(MaxFlow(3, edges).Solve(0, 2), kCapacityLimit);
}

TEST(MaxFlow, RandomGraphsAgreeWithBoost) {
  const char* text = std::getenv("CLEAVE_TEST_SEED");
  const uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}();
  std::cout << "CLEAVE_TEST_SEED=" << seed << '\n';
  std::mt19937_64 random(seed);
  for (int round = 0; round < 400; ++round) {
    const uint32_t vertices = 2 + static_cast<uint32_t>(random() % 60);
    std::vector<CapacityEdge> edges(random() % (5 * vertices));
    const int64_t largest = random() % 2 == 0 ? 3 : int64_t{1} << 40;  // many ties, or hardly any
    for (CapacityEdge& edge : edges) {
      edge = {static_cast<uint32_t>(random() % vertices), static_cast<uint32_t>(random() % vertices),
              static_cast<int64_t>(random() % largest)};
    }
    MaxFlow flow(vertices, edges);
    const int64_t value = flow.Solve(0, vertices - 1);
    EXPECT_EQ(value, BoostFlow(vertices, edges, 0, vertices - 1));
    EXPECT_EQ(value, CutCapacity(flow, edges));
    EXPECT_TRUE(flow.OnSourceSide(0));
    EXPECT_FALSE(flow.OnSourceSide(vertices - 1));
  }
}

}  // namespace
}  // namespace cleave::cut
