// Goal: a batch file means what batch_file.h says, and what is wrong in one is named with its item. Method: files with
// every member, and with one thing wrong each.
#include "cli/batch_file.h"

#include "gtest/gtest.h"

namespace cleave::cli {
namespace {

using graph::EdgeEnds;
using graph::NodeId;

TEST(BatchFile, EveryMemberIsRead) {
  const auto batch = ParseBatch(R"({"whole": true, "key": "day 1", "user": "ana", "items": [
    {"kind": "merge", "source": [120, -80, 12], "sink": [131, 84, 12], "max_distance": -1},
    {"kind": "merge", "edges": [["72057594037927937", 72057594037927940]], "affinities": [0.5],
     "allow_same_segment": true, "user": "bob", "key": "k", "override": true},
    {"kind": "split", "sources": [[1, 2, 3], [4, 5, 6]], "sinks": [[7, 8, 9]], "augment": false,
     "allow_isolating": true},
    {"kind": "split", "edges": [["5", "6"]]},
    {"kind": "undo", "operation": 7},
    {"kind": "redo", "operation": 8, "user": "eve"}]})",
                                "nobody");
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_TRUE(batch->as_a_whole);
  EXPECT_EQ(batch->key, "day 1");
  ASSERT_EQ(batch->items.size(), 6U);
  const auto& points = std::get<edit::MergeRequest>(batch->items[0]);
  EXPECT_EQ(points.source, (VoxelPoint{120, -80, 12}));
  EXPECT_EQ(points.sink, (VoxelPoint{131, 84, 12}));
  EXPECT_FALSE(points.chebyshev_distance_max_chunks.has_value());
  EXPECT_EQ(points.user, "ana");
  const auto& edges = std::get<edit::MergeRequest>(batch->items[1]);
  EXPECT_EQ(edges.edges, (std::vector{EdgeEnds{NodeId{72057594037927937}, NodeId{72057594037927940}}}));
  EXPECT_EQ(edges.affinities, std::vector<float>{0.5F});
  EXPECT_TRUE(edges.allow_same_segment_merge);
  EXPECT_EQ(edges.chebyshev_distance_max_chunks, 3);
  EXPECT_EQ(edges.user, "bob");
  EXPECT_EQ(edges.terms.key, "k");
  EXPECT_TRUE(edges.terms.override_protection);
  const auto& cut = std::get<edit::SplitRequest>(batch->items[2]);
  EXPECT_EQ(cut.sources.size(), 2U);
  EXPECT_EQ(cut.sinks, std::vector{(VoxelPoint{7, 8, 9})});
  EXPECT_FALSE(cut.augment_paths);
  EXPECT_FALSE(cut.refuse_isolating_cut);
  const auto& known = std::get<edit::SplitRequest>(batch->items[3]);
  EXPECT_EQ(known.edges, (std::vector{EdgeEnds{NodeId{5}, NodeId{6}}}));
  EXPECT_TRUE(known.augment_paths);
  EXPECT_TRUE(known.refuse_isolating_cut);
  EXPECT_EQ(std::get<edit::UndoRequest>(batch->items[4]).operation, graph::OperationId{7});
  EXPECT_EQ(std::get<edit::RedoRequest>(batch->items[5]).user, "eve");
}

TEST(BatchFile, WhatIsWrongIsNamed) {
  struct Case {
    const char* json;
    const char* says;
  };
  const Case cases[] = {
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {R"({"items": []})", "at least one edit"},
      {R"({"items": 3})", "'items' is not a list"},
      {R"({"items": [3]})", "item 0: it is no JSON object"},
      {R"({"item": []})", "no member 'item'"},
      {R"({"whole": 1, "items": [{}]})", "'whole' is not true or false"},
      {R"({"items": [{"kind": "merge"}, {"kind": "join"}]})", "item 1: 'kind' is not"},
      {R"({"items": [{"kind": "merge", "sources": []}]})", "item 0: there is no member 'sources'"},
      {R"({"items": [{"kind": "merge", "source": [1, 2]}]})", "'source' is not a point"},
      {R"({"items": [{"kind": "merge", "source": [1, 2, 3.5]}]})", "'source' is not a point"},
      {R"({"items": [{"kind": "merge", "edges": [[1]]}]})", "'edges' is not a list of pairs"},
      {R"({"items": [{"kind": "merge", "edges": [[1, true]]}]})", "'edges' is not a list of pairs"},
      {R"({"items": [{"kind": "merge", "edges": [["1", "x"]]}]})", "'x'"},
      {R"({"items": [{"kind": "merge", "affinities": ["x"]}]})", "'affinities' is not a list of numbers"},
      {R"({"items": [{"kind": "split", "augment": "no"}]})", "'augment' is not true or false"},
      {R"({"items": [{"kind": "undo"}]})", "not the number of an operation"},
      {R"({"items": [{"kind": "undo", "operation": -1}]})", "not the number of an operation"},
      {R"({"items": [{"kind": "redo", "operation": "7"}]})", "'operation' is not a whole number"},
  };
  for (const Case& each : cases) {
    const auto batch = ParseBatch(each.json, "ana");
    EXPECT_TRUE(absl::IsInvalidArgument(batch.status())) << each.json;
    EXPECT_NE(batch.status().message().find(each.says), absl::string_view::npos) << each.json << ": " << batch.status();
  }
}

}  // namespace
}  // namespace cleave::cli
