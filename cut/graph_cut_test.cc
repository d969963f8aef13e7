// Goal: CutGraph parts the teams at the least cost, keeps each team whole, never cuts an infinite edge, and says
// clearly why it does not cut. Method: small graphs by hand; random graphs against the best of all partitions (brute
// force); the field's recorded real case, whose published augmented cut has 350 rows.
#include "cut/graph_cut.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/test_seed.h"
#include "cut/npy_testing.h"

namespace cleave::cut {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

using Ids = std::vector<uint64_t>;
using Edges = std::vector<WeightedEdge>;

absl::StatusOr<GraphCut> Cut(const Edges& edges, const Ids& sources, const Ids& sinks, bool augment = true,
                             bool refuse_isolating = false) {
  return CutGraph({.edges = edges,
                   .sources = sources,
                   .sinks = sinks,
                   .augment_paths = augment,
                   .refuse_isolating_cut = refuse_isolating});
}

void ExpectError(const absl::StatusOr<GraphCut>& cut, absl::StatusCode code, const std::string& part) {
  EXPECT_EQ(cut.status().code(), code);
  EXPECT_THAT(std::string(cut.status().message()), HasSubstr(part));
}

TEST(GraphCut, CutsTheWeakestLinkOfALine) {
  const auto cut = Cut({{1, 2, .9f}, {3, 2, .1f}, {3, 4, .9f}}, {1}, {4});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->outcome, GraphCutOutcome::kCut);
  EXPECT_THAT(cut->removed, ElementsAre(Pair(2, 3)));
  EXPECT_THAT(cut->components, ElementsAre(ElementsAre(1, 2), ElementsAre(3, 4)));
  EXPECT_FLOAT_EQ(static_cast<float>(cut->value), .1f);
}

TEST(GraphCut, NeverCutsAnInfiniteEdge) {
  const auto cut = Cut({{1, 2, .9f}, {2, 3, kInfiniteAffinity}, {3, 4, .8f}}, {1}, {4});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_THAT(cut->removed, ElementsAre(Pair(3, 4)));
  EXPECT_THAT(cut->components, ElementsAre(ElementsAre(1, 2, 3), ElementsAre(4)));
}

TEST(GraphCut, FiniteEdgeInsideAFamilyStays) {
  const auto cut = Cut({{1, 2, .1f}, {1, 2, kInfiniteAffinity}, {2, 3, .5f}}, {1}, {3});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_THAT(cut->removed, ElementsAre(Pair(2, 3)));
}

TEST(GraphCut, EdgesBetweenTheSameFamiliesAddUp) {
  // Family {2, 3} hangs on 1 by .3 + .3 and on 4 by .5: the single dearer edge is the cheaper cut.
  const auto cut = Cut({{1, 2, .3f}, {1, 3, .3f}, {2, 3, kInfiniteAffinity}, {3, 4, .5f}}, {1}, {4});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_THAT(cut->removed, ElementsAre(Pair(3, 4)));
}

TEST(GraphCut, OrderDirectionAndRepetitionDoNotMatter) {
  const Edges edges = {{1, 2, .3f}, {2, 3, .5f}};
  const Edges shuffled = {{3, 2, .5f}, {2, 1, .3f}, {1, 2, .3f}, {2, 2, 9}, {1, 2, .3f}};
  EXPECT_THAT(Cut(edges, {1}, {3})->removed, ElementsAre(Pair(1, 2)));
  EXPECT_THAT(Cut(shuffled, {1}, {3})->removed, ElementsAre(Pair(1, 2)));
  EXPECT_EQ(Cut(edges, {1}, {3})->value, Cut(shuffled, {1}, {3})->value);
}

TEST(GraphCut, PiecesWithoutPointsAreTheRest) {
  const auto cut = Cut({{8, 9, .1f}, {1, 2, .3f}, {5, 6, kInfiniteAffinity}}, {2}, {1});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_THAT(cut->components, ElementsAre(ElementsAre(2), ElementsAre(1), ElementsAre(5, 6), ElementsAre(8, 9)));
  EXPECT_THAT(cut->removed, ElementsAre(Pair(1, 2)));
}

TEST(GraphCut, ZeroAffinityStillJoins) {
  const auto cut = Cut({{1, 2, 0}, {2, 3, .5f}, {3, 4, 0}}, {1, 2}, {4});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_THAT(cut->removed, ElementsAre(Pair(3, 4)));
}

// The two ways through the middle: the direct cut would tear the sources apart, the paths hold them together.
TEST(GraphCut, PathsHoldATeamTogether) {
  // Sources 1 and 2 are joined through 3 by weak edges; 3 clings to the sink 4.
  const Edges edges = {{1, 3, .1f}, {2, 3, .1f}, {3, 4, 1.f}};
  const auto direct = Cut(edges, {1, 2}, {4}, false);
  ASSERT_TRUE(direct.ok()) << direct.status();
  EXPECT_EQ(direct->outcome, GraphCutOutcome::kSupervoxelSplitNeeded);
  EXPECT_THAT(direct->shared, IsEmpty());
  EXPECT_THAT(direct->reason, HasSubstr("parts the sources"));
  const auto augmented = Cut(edges, {1, 2}, {4});
  ASSERT_TRUE(augmented.ok()) << augmented.status();
  EXPECT_THAT(augmented->removed, ElementsAre(Pair(3, 4)));
}

TEST(GraphCut, TeamJoinedOnlyThroughTheOtherTeamNeedsASupervoxelSplit) {
  const auto cut = Cut({{1, 2, .5f}, {2, 3, .5f}}, {1, 3}, {2});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->outcome, GraphCutOutcome::kSupervoxelSplitNeeded);
  EXPECT_THAT(cut->shared, IsEmpty());
  EXPECT_THAT(cut->reason, HasSubstr("sources are joined only through sinks"));
}

TEST(GraphCut, FamilyWithBothTeamsNeedsASupervoxelSplit) {
  const auto cut = Cut({{7, 6, kInfiniteAffinity}, {6, 5, kInfiniteAffinity}, {5, 4, .5f}}, {7}, {5});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->outcome, GraphCutOutcome::kSupervoxelSplitNeeded);
  EXPECT_THAT(cut->shared, ElementsAre(ElementsAre(5, 6, 7)));
  EXPECT_THAT(cut->removed, IsEmpty());
}

// Paths that share a vertex: the team with the longer paths goes around.
TEST(GraphCut, TeamWithLongerPathsGoesAround) {
  //  1 - 9 - 2 sources by strong edges; sinks 3 - 9 - 4 by weaker ones, with a detour 3 - 5 - 4.
  const Edges edges = {{1, 9, 8}, {9, 2, 8}, {3, 9, 2}, {9, 4, 2}, {3, 5, .4f}, {5, 4, .4f}};
  const auto cut = Cut(edges, {1, 2}, {3, 4});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_THAT(cut->removed, ElementsAre(Pair(3, 9), Pair(4, 9)));
  EXPECT_THAT(cut->components, ElementsAre(ElementsAre(1, 2, 9), ElementsAre(3, 4, 5)));
}

TEST(GraphCut, RolesSwapWhenTheFirstCannotGoAround) {
  // The sources' paths are shorter, but only they have a detour.
  const Edges edges = {{1, 9, 8}, {9, 2, 8}, {3, 9, 2}, {9, 4, 2}, {1, 5, .4f}, {5, 2, .4f}};
  const auto cut = Cut(edges, {1, 2}, {3, 4});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_THAT(cut->removed, ElementsAre(Pair(1, 9), Pair(2, 9)));
}

TEST(GraphCut, CrossedTeamsWithoutDetourAreRefused) {
  ExpectError(Cut({{1, 9, 8}, {9, 2, 8}, {3, 9, 2}, {9, 4, 2}}, {1, 2}, {3, 4}), absl::StatusCode::kFailedPrecondition,
              "several steps");
}

TEST(GraphCut, CommonPartsOfPathsAreDroppedWhenTheTeamsStayJoined) {
  // Three sources in a triangle: the direct pair 1-3 is longer than the way 1-9-3 through the vertex the sinks use too.
  const Edges edges = {{1, 2, 5}, {2, 3, 5}, {1, 9, 9}, {9, 3, 9}, {6, 9, 9},
                       {9, 7, 9}, {6, 7, 4}, {6, 8, 5}, {8, 7, 5}};
  const auto cut = Cut(edges, {1, 2, 3}, {6, 7, 8});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->outcome, GraphCutOutcome::kCut);
  EXPECT_EQ(cut->components.size(), 2u);
  EXPECT_EQ(cut->value, 18);
}

TEST(GraphCut, IsolatingCutIsRefused) {
  // The sink hangs by one edge; cutting it frees nothing but the sink, though it has other neighbours in the object.
  const Edges edges = {{1, 2, .9f}, {2, 3, .1f}};
  ExpectError(Cut(edges, {1}, {3}, true, true), absl::StatusCode::kFailedPrecondition, "labelled sinks");
  EXPECT_THAT(Cut(edges, {1}, {3}, true, false)->removed, ElementsAre(Pair(2, 3)));
  // Two points and nothing else: there is no better cut to hope for.
  EXPECT_THAT(Cut({{1, 2, .9f}}, {1}, {2}, true, true)->removed, ElementsAre(Pair(1, 2)));
}

TEST(GraphCut, BadRequestsAreNamed) {
  const Edges edges = {{1, 2, .5f}, {3, 4, .5f}};
  ExpectError(Cut(edges, {}, {2}), absl::StatusCode::kInvalidArgument, "at least one source");
  ExpectError(Cut(edges, {1}, {}), absl::StatusCode::kInvalidArgument, "at least one sink");
  ExpectError(Cut({}, {1}, {2}), absl::StatusCode::kInvalidArgument, "no edges");
  ExpectError(Cut(edges, {1, 2}, {2}), absl::StatusCode::kInvalidArgument, "supervoxel 2 is both");
  ExpectError(Cut({{1, 2, -1}}, {1}, {2}), absl::StatusCode::kInvalidArgument, "affinity -1");
  ExpectError(Cut({{1, 2, std::nanf("")}}, {1}, {2}), absl::StatusCode::kInvalidArgument, "affinity nan");
  ExpectError(Cut({{1, 0, 1}}, {1}, {2}), absl::StatusCode::kInvalidArgument, "supervoxel 0");
  ExpectError(Cut(edges, {1}, {77}), absl::StatusCode::kFailedPrecondition, "sink 77 has no edge");
  ExpectError(Cut(edges, {1}, {4}), absl::StatusCode::kFailedPrecondition, "sink 4 is not joined");
  ExpectError(Cut({{1, 2, kInfiniteAffinity}, {3, 4, kInfiniteAffinity}}, {1}, {4}),
              absl::StatusCode::kFailedPrecondition, "not joined");
}

// The least capacity over all partitions that respect points and infinite edges; infinity when there is none.
double BestPartition(const Edges& edges, uint32_t vertices, const Ids& sources, const Ids& sinks) {
  std::set<std::pair<uint64_t, uint64_t>> seen;
  double best = std::numeric_limits<double>::infinity();
  for (uint32_t bits = 0; bits < (1u << vertices); ++bits) {
    const auto side = [&](uint64_t id) { return (bits >> (id - 1)) & 1u; };
    if (std::any_of(sources.begin(), sources.end(), [&](uint64_t id) { return side(id) == 0; }) ||
        std::any_of(sinks.begin(), sinks.end(), [&](uint64_t id) { return side(id) == 1; })) {
      continue;
    }
    double capacity = 0;
    seen.clear();
    for (const WeightedEdge& edge : edges) {
      if (side(edge.a) != side(edge.b) && seen.insert(std::minmax(edge.a, edge.b)).second) {
        capacity += edge.affinity;
      }
    }
    best = std::min(best, capacity);
  }
  return best;
}

TEST(GraphCut, RandomGraphsMatchTheBestPartition) {
  std::mt19937_64 random(TestSeed());
  int cuts = 0;
  for (int round = 0; round < 400; ++round) {
    const uint32_t vertices = 4 + static_cast<uint32_t>(random() % 7);
    Edges edges;
    std::set<std::pair<uint64_t, uint64_t>> pairs;
    for (uint32_t i = 0; i < 2 * vertices; ++i) {
      const uint64_t a = 1 + random() % vertices;
      const uint64_t b = 1 + random() % vertices;
      if (pairs.insert(std::minmax(a, b)).second) {
        const bool infinite = random() % 10 == 0;
        edges.push_back({a, b, infinite ? kInfiniteAffinity : static_cast<float>(random() % 64) / 8});
      }
    }
    const Ids sources = {1};
    const Ids sinks = {vertices};
    const auto cut = Cut(edges, sources, sinks);
    if (!cut.ok()) {
      EXPECT_EQ(cut.status().code(), absl::StatusCode::kFailedPrecondition) << cut.status();
      continue;
    }
    const double best = BestPartition(edges, vertices, sources, sinks);
    if (cut->outcome == GraphCutOutcome::kSupervoxelSplitNeeded) {
      EXPECT_TRUE(std::isinf(best));
      continue;
    }
    ++cuts;
    EXPECT_EQ(cut->value, best);
    EXPECT_TRUE(std::count(cut->components[0].begin(), cut->components[0].end(), 1u));
    EXPECT_TRUE(std::count(cut->components[1].begin(), cut->components[1].end(), vertices));
  }
  EXPECT_GT(cuts, 100);
}

// With several points on each side: whatever happens, a cut keeps each team whole and apart from the other.
TEST(GraphCut, RandomTeamsStayWhole) {
  std::mt19937_64 random(TestSeed());
  int cuts = 0;
  for (int round = 0; round < 600; ++round) {
    const uint64_t vertices = 8 + random() % 30;
    Edges edges;
    for (uint64_t i = 0; i < 3 * vertices; ++i) {
      edges.push_back({1 + random() % vertices, 1 + random() % vertices,
                       random() % 12 == 0 ? kInfiniteAffinity : static_cast<float>(random() % 1000)});
    }
    const auto cut = Cut(edges, {1, 2, 3}, {vertices, vertices - 1}, true, random() % 2 == 0);
    if (!cut.ok() || cut->outcome != GraphCutOutcome::kCut) {
      continue;
    }
    ++cuts;
    const auto holds = [&](size_t i, uint64_t id) {
      return std::binary_search(cut->components[i].begin(), cut->components[i].end(), id);
    };
    EXPECT_TRUE(holds(0, 1) && holds(0, 2) && holds(0, 3));
    EXPECT_TRUE(holds(1, vertices) && holds(1, vertices - 1));
    EXPECT_TRUE(std::is_sorted(cut->removed.begin(), cut->removed.end()));
    for (const WeightedEdge& edge : edges) {
      if (std::isinf(edge.affinity)) {
        EXPECT_FALSE(std::count(cut->removed.begin(), cut->removed.end(),
                                std::pair(std::min(edge.a, edge.b), std::max(edge.a, edge.b))));
      }
    }
  }
  EXPECT_GT(cuts, 50);
}

struct RecordedCase {
  Edges edges;
  Ids sources;
  Ids sinks;
};

RecordedCase ReadRecordedCase(const std::string& folder) {
  const std::string start = folder + "/pcg_multicut_sv_";
  const auto pairs = ReadNpyZst<int64_t>(start + "edges.npy.zst");
  const auto affinities = ReadNpyZst<double>(start + "affinity.npy.zst");
  RecordedCase recorded;
  for (size_t i = 0; i < affinities.size(); ++i) {
    recorded.edges.push_back({static_cast<uint64_t>(pairs[2 * i]), static_cast<uint64_t>(pairs[2 * i + 1]),
                              static_cast<float>(affinities[i])});
  }
  recorded.sources = ReadNpyZst<uint64_t>(start + "sources.npy.zst");
  recorded.sinks = ReadNpyZst<uint64_t>(start + "sinks.npy.zst");
  return recorded;
}

TEST(GraphCut, RecordedRealCase) {
  const std::string folder = DataFolder(CLEAVE_SOURCE_DIR);
  if (!HasData(folder)) {
    GTEST_SKIP() << "no data in " << folder;
  }
  const RecordedCase recorded = ReadRecordedCase(folder);
  ASSERT_EQ(recorded.edges.size(), 28092u);

  const auto augmented = Cut(recorded.edges, recorded.sources, recorded.sinks, true, true);
  ASSERT_TRUE(augmented.ok()) << augmented.status();
  ASSERT_EQ(augmented->outcome, GraphCutOutcome::kCut);
  EXPECT_EQ(2 * augmented->removed.size(), 350u) << "the published cut lists each edge in both directions";
  std::cout << "capacity of the cut: " << augmented->value << '\n';

  const auto direct = Cut(recorded.edges, recorded.sources, recorded.sinks, false, true);
  ASSERT_TRUE(direct.ok()) << direct.status();
  EXPECT_EQ(direct->outcome, GraphCutOutcome::kSupervoxelSplitNeeded) << "as the field's software finds";
}

// --- more than two teams ---

absl::StatusOr<GraphCut> CutMany(const Edges& edges, const std::vector<Ids>& teams, bool augment = true) {
  return CutGraph({.edges = edges,
                   .sources = teams[0],
                   .sinks = teams[1],
                   .more_teams = std::span(teams).subspan(2),
                   .augment_paths = augment,
                   .refuse_isolating_cut = false});
}

TEST(GraphCutOfMany, AStarLosesAllArmsButTheStrongest) {
  const auto cut = CutMany({{9, 1, .3f}, {9, 2, .8f}, {9, 3, .5f}, {3, 4, .9f}}, {{1}, {2}, {4}});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_THAT(cut->removed, ElementsAre(Pair(1, 9), Pair(3, 9)));
  EXPECT_THAT(cut->components, ElementsAre(ElementsAre(1), ElementsAre(2, 9), ElementsAre(3, 4)));
}

TEST(GraphCutOfMany, ATeamBetweenTwoOthersMayPartThem) {
  const auto cut = CutMany({{1, 2, .5f}, {2, 3, .5f}}, {{1}, {3}, {2}});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_THAT(cut->removed, ElementsAre(Pair(1, 2), Pair(2, 3)));
}

TEST(GraphCutOfMany, SharedFamiliesAndMistakesAreNamed) {
  const auto shared = CutMany({{1, 2, .5f}, {2, 3, kInfiniteAffinity}, {3, 4, .5f}}, {{1}, {2}, {3}});
  ASSERT_TRUE(shared.ok()) << shared.status();
  EXPECT_EQ(shared->outcome, GraphCutOutcome::kSupervoxelSplitNeeded);
  EXPECT_THAT(shared->shared, ElementsAre(ElementsAre(2, 3)));
  ExpectError(CutMany({{1, 2, .5f}}, {{1}, {2}, {}}), absl::StatusCode::kInvalidArgument, "point of side 3");
  ExpectError(CutMany({{1, 2, .5f}}, {{1}, {2}, {1}}), absl::StatusCode::kInvalidArgument,
              "both a source and a point of side 3");
  ExpectError(CutMany({{1, 2, .5f}, {2, 3, .5f}, {7, 8, .5f}}, {{1}, {2}, {3, 8}}),
              absl::StatusCode::kFailedPrecondition, "is not joined to point of side 3");
}

// The cheapest partition of few vertices that gives each team a label of its own.
double CheapestPartition(const Edges& edges, const std::vector<Ids>& teams, uint64_t vertex_count) {
  double best = 1e300;
  std::vector<size_t> label(vertex_count + 1, 0);
  while (true) {
    bool fits = true;
    for (size_t team = 0; team < teams.size(); ++team) {
      fits = fits && std::all_of(teams[team].begin(), teams[team].end(), [&](uint64_t v) { return label[v] == team; });
    }
    double value = 0;
    for (const WeightedEdge& edge : edges) {
      value += label[edge.a] != label[edge.b] ? edge.affinity : 0;
    }
    best = fits ? std::min(best, value) : best;
    size_t place = 1;
    while (place <= vertex_count && ++label[place] == teams.size()) {
      label[place++] = 0;
    }
    if (place > vertex_count) {
      return best;
    }
  }
}

TEST(GraphCutOfMany, RandomGraphsCostAtMostTwiceTheLeast) {
  const uint64_t seed = TestSeed();
  std::mt19937_64 random(seed);
  int exact = 0;
  constexpr int kRounds = 150;
  for (int round = 0; round < kRounds; ++round) {
    constexpr uint64_t kVertices = 8;
    Edges edges;
    for (uint64_t v = 2; v <= kVertices; ++v) {
      edges.push_back({v, 1 + random() % (v - 1), 0.1f + static_cast<float>(random() % 100) / 100});
    }
    for (int i = 0; i < 7; ++i) {
      const uint64_t a = 1 + random() % kVertices;
      const uint64_t b = 1 + random() % kVertices;
      const bool known = std::any_of(edges.begin(), edges.end(), [&](const WeightedEdge& edge) {
        return (edge.a == a && edge.b == b) || (edge.a == b && edge.b == a);
      });
      if (a != b && !known) {
        edges.push_back({a, b, 0.1f + static_cast<float>(random() % 100) / 100});
      }
    }
    const std::vector<Ids> teams = {{1}, {2}, {3}};
    const auto cut = CutMany(edges, teams);
    ASSERT_TRUE(cut.ok()) << "seed " << seed << ", round " << round << ": " << cut.status();
    ASSERT_EQ(cut->outcome, GraphCutOutcome::kCut);
    const double least = CheapestPartition(edges, teams, kVertices);
    EXPECT_LE(cut->value, least * (2 - 2.0 / 3) + 1e-4) << "seed " << seed << ", round " << round;
    EXPECT_GE(cut->value, least - 1e-4);
    exact += cut->value < least + 1e-4 ? 1 : 0;
    for (size_t team = 0; team < teams.size(); ++team) {
      for (size_t other = 0; other < teams.size(); ++other) {
        const bool inside = std::count(cut->components[team].begin(), cut->components[team].end(), teams[other][0]) > 0;
        EXPECT_EQ(inside, team == other) << "seed " << seed << ", round " << round;
      }
    }
  }
  std::cout << exact << " of " << kRounds << " cuts are the cheapest\n";
}

}  // namespace
}  // namespace cleave::cut
