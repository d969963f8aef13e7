// Goal: what the history says of objects, users and stretches of time is what was done.
// Method: a row of four blocks that are merged and split in a known order, with every answer written down; and random
// edits of blobs, whose differences and change logs are worked out again from the report of each edit.
#include "edit/history.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "gtest/gtest.h"

#include "base/test_scale.h"
#include "edit/edit_testing.h"
#include "graph/node_times.h"
#include "table/columns.h"
#include "table/pickle.h"
#include "table/row_keys.h"
#include "table/serializers.h"
#include "volume/test_labels.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
using graph::OperationId;

constexpr int64_t kMany = 1'000;

class BlocksTest : public testing::Test {
 protected:
  // Blocks 1 to 4, ten voxels wide, side by side along x; one chunk.
  void SetUp() override {
    Array3<uint64_t> labels({40, 8, 8});
    for (int64_t i = 0; i < labels.size(); ++i) {
      labels.data()[i] = static_cast<uint64_t>(i % 40 / 10 + 1);
    }
    ASSERT_NO_FATAL_FAILURE(IngestLabels(folder_.path() + "/p", labels, {.chunk_size = {64, 32, 32}}));
    project_ = Open(folder_.path() + "/p");
    ASSERT_NE(project_.editor, nullptr);
  }
  static VoxelPoint In(int block) { return {block * 10 - 5, 4, 4}; }
  NodeId Root(int block) { return NodeId{RootAt(*project_.dataset, In(block))}; }
  EditReport Merge(int a, int b, const std::string& user) {
    auto report = project_.editor->Merge({.source = In(a), .sink = In(b), .user = user});
    EXPECT_TRUE(report.ok()) << report.status();
    return *std::move(report);
  }
  EditReport Split(int a, int b, const std::string& user) {
    auto report = project_.editor->Split({.sources = {In(a)}, .sinks = {In(b)}, .user = user});
    EXPECT_TRUE(report.ok()) << report.status();
    return *std::move(report);
  }
  graph::GraphView now() { return project_.dataset->Now(); }
  const table::TableReader& table() { return project_.dataset->table(); }
  absl::Time ingested() { return project_.dataset->meta().ingested; }
  ChangeLog Changes(NodeId root, bool filtered = false) {
    auto log = ReadChangeLog(now(), ingested(), {.root = root, .filtered = filtered});
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  store::TemporaryFolder folder_;
  OpenProject project_;
};

TEST_F(BlocksTest, BeforeAnyEdit) {
  EXPECT_EQ(OldestTime(table(), ingested()).value(), ingested());
  EXPECT_EQ(LastEditOf(now(), Root(1)).value(), ingested());
  EXPECT_TRUE(Changes(Root(1)).changes.empty());
  EXPECT_TRUE(ReadLogPage(table(), {}, {}, 10)->operations.empty());
  EXPECT_TRUE(ReadDeltaRoots(now(), {}, {}, 10)->new_roots.empty());
  EXPECT_EQ(LastEditOf(now(), NodeId{12345}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(BlocksTest, ChangeLogsOfMergesAndSplits) {
  const std::vector<NodeId> blocks = {Root(1), Root(2), Root(3), Root(4)};
  const EditReport first = Merge(1, 2, "ada");
  const EditReport second = Merge(2, 3, "bob");
  const EditReport third = Split(1, 2, "ada");   // takes the first merge back
  const EditReport fourth = Merge(3, 4, "ada");  // 2, 3 and 4 are one object now
  const NodeId one = Root(1);
  const NodeId rest = Root(4);

  ChangeLog log = Changes(rest);
  ASSERT_EQ(log.changes.size(), 4u);
  const std::vector<OperationId> ids = {first.operation, second.operation, third.operation, fourth.operation};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(log.changes[i].operation.id, ids[i]);
    EXPECT_EQ(log.changes[i].is_merge, i != 2);
  }
  EXPECT_EQ(log.changes[0].before_roots, first.old_roots);
  EXPECT_EQ(log.changes[0].after_roots, first.new_roots);
  EXPECT_EQ(log.changes[2].before_roots, second.new_roots);
  // Block 1 left the object: the merge with it is not in the neuron, the split is, by block 2.
  EXPECT_FALSE(log.changes[0].in_neuron);
  EXPECT_TRUE(log.changes[1].in_neuron);
  EXPECT_TRUE(log.changes[2].in_neuron);
  EXPECT_TRUE(log.changes[3].in_neuron);
  for (const ObjectChange& change : log.changes) {
    EXPECT_TRUE(change.is_relevant);
  }
  EXPECT_EQ(Changes(rest, /*filtered=*/true).changes.size(), 3u);
  std::vector<NodeId> past = {blocks[0], blocks[1], blocks[2], blocks[3], first.new_roots[0], second.new_roots[0]};
  past.push_back(third.new_roots[0] == one ? third.new_roots[1] : third.new_roots[0]);
  std::ranges::sort(past);
  EXPECT_EQ(log.past_roots, past);
  EXPECT_EQ(LastEditOf(now(), rest).value(), fourth.time);

  const ChangeSummary summary = Summarize(log);
  EXPECT_EQ(summary.all, (ChangeCount{1, 3}));
  EXPECT_EQ(summary.by_user.at("ada"), (ChangeCount{1, 2}));
  EXPECT_EQ(summary.by_user.at("bob"), (ChangeCount{0, 1}));
  EXPECT_EQ(summary.operations, ids);
  const std::vector<MergeEntry> merges = MergesOf(log);
  ASSERT_EQ(merges.size(), 3u);
  EXPECT_EQ(merges[1].sources, std::vector<VoxelPoint>{In(2)});
  EXPECT_EQ(merges[1].edges, second.added_edges);

  // A split whose sides are together again does not matter any more.
  const EditReport fifth = Merge(1, 2, "ada");
  EXPECT_EQ(Changes(one).changes.size(), 3u);
  log = Changes(Root(1));
  ASSERT_EQ(log.changes.size(), 5u);
  EXPECT_FALSE(log.changes[2].is_relevant);
  EXPECT_TRUE(log.changes[0].in_neuron);
  EXPECT_EQ(log.changes.back().operation.id, fifth.operation);
}

TEST_F(BlocksTest, ChangeLogsInPieces) {
  Merge(1, 2, "ada");
  Merge(2, 3, "ada");
  Merge(3, 4, "ada");
  std::set<uint64_t> whole;
  const ChangeLog at_once = Changes(Root(1));
  for (const ObjectChange& change : at_once.changes) {
    whole.insert(Value(change.operation.id));
  }
  std::set<uint64_t> pieces;
  ChangeQuery query{.root = Root(1), .roots_max = 1};
  int answers = 0;
  do {
    const ChangeLog log = ReadChangeLog(now(), ingested(), query).value();
    for (const ObjectChange& change : log.changes) {
      pieces.insert(Value(change.operation.id));
      EXPECT_TRUE(change.in_neuron);
    }
    query.continue_from = log.continue_from;
    ASSERT_LT(++answers, 20);
  } while (!query.continue_from.empty());
  EXPECT_EQ(pieces, whole);
  EXPECT_EQ(answers, 7);
}

TEST_F(BlocksTest, UsersAndOperations) {
  const EditReport first = Merge(1, 2, "ada");
  const EditReport second = Merge(2, 3, "bob");
  const EditReport third = Merge(3, 4, "ada");
  EXPECT_FALSE(project_.editor->Merge({.source = In(1), .sink = In(4), .user = "ada"}).ok());  // one object already
  const auto ids_of = [](const LogPage& page) {
    std::vector<OperationId> ids;
    for (const OperationRecord& record : page.operations) {
      ids.push_back(record.id);
    }
    return ids;
  };
  EXPECT_EQ(ids_of(ReadUserOperations(table(), {.user = "ada"}).value()),
            (std::vector<OperationId>{first.operation, third.operation}));
  EXPECT_EQ(ids_of(ReadUserOperations(table(), {.user = "ada", .window = {.after = first.time}}).value()),
            std::vector<OperationId>{third.operation});
  const LogPage page = ReadLogPage(table(), {.until = second.time}, {}, 1).value();
  EXPECT_EQ(ids_of(page), std::vector<OperationId>{first.operation});
  EXPECT_EQ(page.next, second.operation);
  EXPECT_EQ(ids_of(ReadLogPage(table(), {.until = second.time}, *page.next, 1).value()),
            std::vector<OperationId>{second.operation});
  // The newest first, with those that were refused; the numbers in between may belong to nobody.
  const auto newest_of = [&](const OperationStretch& stretch, int64_t operations_max) {
    return ids_of({.operations = ReadNewestOperations(table(), stretch, operations_max).value(), .next = {}});
  };
  std::vector<OperationId> all = newest_of({}, 100);
  ASSERT_GE(all.size(), 3U);
  EXPECT_TRUE(std::ranges::is_sorted(all, std::ranges::greater()));
  EXPECT_EQ(all.back(), first.operation);
  EXPECT_EQ(newest_of({}, 1), std::vector<OperationId>{all[0]});
  EXPECT_EQ(newest_of({.before = third.operation}, 2), (std::vector<OperationId>{second.operation, first.operation}));
  EXPECT_EQ(newest_of({.after = first.operation, .before = third.operation}, 2),
            std::vector<OperationId>{second.operation});
  EXPECT_TRUE(newest_of({.after = all[0]}, 2).empty());
  EXPECT_TRUE(newest_of({.before = first.operation}, 2).empty());
  EXPECT_EQ(ReadNewestOperations(table(), {}, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OldestTime(table(), absl::UnixEpoch()).value(), first.time - absl::Milliseconds(500));

  // Undo and redo, as the field's rows name them; an undo of an undo is a redo.
  const auto write = [&](uint64_t id, const table::Column& column, OperationId target, absl::Time time) {
    const table::RowMutation rows[] = {
        {table::OperationRowKey(id),
         {table::SetCell{table::columns::kStatus, {}, table::EncodePickledInteger(0)},
          table::SetCell{table::columns::kOperationTimeStamp, {}, table::EncodePickledTime(time).value()},
          table::SetCell{table::columns::kUserId, {}, "ada"},
          table::SetCell{column, {}, table::EncodeIdText(Value(target))}}}};
    ASSERT_TRUE(project_.dataset->table().Apply(rows).ok());
  };
  write(1000, table::columns::kUndoOperationId, third.operation, third.time + absl::Seconds(1));
  EXPECT_EQ(ids_of(ReadUserOperations(table(), {.user = "ada"}).value()), std::vector<OperationId>{first.operation});
  write(1001, table::columns::kUndoOperationId, OperationId{1000}, third.time + absl::Seconds(2));
  EXPECT_EQ(ids_of(ReadUserOperations(table(), {.user = "ada"}).value()),
            (std::vector<OperationId>{first.operation, third.operation}));
  write(1002, table::columns::kRedoOperationId, OperationId{1000}, third.time + absl::Seconds(3));
  EXPECT_EQ(ReadUndone(table())->undone, std::set<OperationId>{third.operation});
  EXPECT_EQ(ReadUserOperations(table(), {.user = "ada", .include_undone = true})->operations.size(), 5u);

  const OperationId asked[] = {second.operation, OperationId{1001}, OperationId{4711}};
  const auto details = ReadOperationDetails(table(), asked).value();
  ASSERT_EQ(details.size(), 2u);
  std::map<std::string, DetailValue> columns;
  for (const OperationDetail& detail : details.at(second.operation)) {
    columns[detail.name] = detail.value;
  }
  EXPECT_EQ(std::get<std::string>(columns.at("user")), "bob");
  EXPECT_EQ(std::get<int64_t>(columns.at("operation_status")), 0);
  EXPECT_EQ(std::get<absl::Time>(columns.at("operation_ts")), second.time);
  EXPECT_EQ(std::get<std::vector<uint64_t>>(columns.at("roots")), graph::ToIntegers(second.new_roots));
  EXPECT_EQ(std::get<std::vector<VoxelPoint>>(columns.at("source_coords")), std::vector<VoxelPoint>{In(2)});
  EXPECT_EQ(std::get<std::vector<graph::EdgeEnds>>(columns.at("added_edges")), second.added_edges);
  EXPECT_EQ(ReadLogPage(table(), {}, {}, 0).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(History, DifferencesOfRandomEdits) {
  const uint64_t seed = volume::TestSeed();
  SCOPED_TRACE(testing::Message() << "CLEAVE_TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  store::TemporaryFolder folder;
  const Extent3 extent{32, 32, 16};
  ASSERT_NO_FATAL_FAILURE(
      IngestLabels(folder.path() + "/p", RandomBlobs(random, extent, 12), {.chunk_size = {16, 16, 16}}));
  OpenProject project = Open(folder.path() + "/p");
  ASSERT_NE(project.editor, nullptr);
  graph::Dataset& dataset = *project.dataset;
  std::vector<EditReport> done;
  const auto point = [&]() -> VoxelPoint {
    return {volume::Random(random, 0, extent.x - 1), volume::Random(random, 0, extent.y - 1),
            volume::Random(random, 0, extent.z - 1)};
  };
  for (int i = 0; i < (SmallTests() ? 30 : 80); ++i) {
    const VoxelPoint p = point();
    const VoxelPoint q = point();
    const bool together = RootAt(dataset, p) == RootAt(dataset, q);
    auto report = together ? project.editor->Split({.sources = {p}, .sinks = {q}, .user = "u"})
                           : project.editor->Merge({.source = p, .sink = q, .user = "u"});
    if (report.ok()) {
      done.push_back(*std::move(report));
    }
  }
  ASSERT_GT(done.size(), 5u);
  std::vector<absl::Time> times = {dataset.meta().ingested};
  std::map<absl::Time, std::set<NodeId>> standing;
  const auto roots_at = [&](absl::Time time) {
    const graph::RootPage page = graph::LatestRoots(dataset.View(time), NodeId{}, 100'000).value();
    return std::set<NodeId>(page.roots.begin(), page.roots.end());
  };
  standing[times.front()] = roots_at(times.front());
  for (const EditReport& report : done) {
    std::set<NodeId> roots = standing.at(times.back());
    for (const NodeId root : report.old_roots) {
      EXPECT_EQ(roots.erase(root), 1u);
    }
    roots.insert(report.new_roots.begin(), report.new_roots.end());
    times.push_back(report.time);
    standing[report.time] = roots;
    ASSERT_EQ(roots_at(report.time), roots);
  }
  const auto without = [](const std::set<NodeId>& a, const std::set<NodeId>& b) {
    std::vector<NodeId> rest;
    std::ranges::set_difference(a, b, std::back_inserter(rest));
    return rest;
  };
  for (int round = 0; round < 40; ++round) {
    const size_t from = random() % times.size();
    const size_t to = from + random() % (times.size() - from);
    const LogWindow window{times[from], times[to]};
    DeltaRoots delta;
    std::optional<OperationId> next = OperationId{};
    while (next.has_value()) {
      const DeltaRoots page = ReadDeltaRoots(dataset.Now(), window, *next, 3).value();
      delta.old_roots.insert(delta.old_roots.end(), page.old_roots.begin(), page.old_roots.end());
      delta.new_roots.insert(delta.new_roots.end(), page.new_roots.begin(), page.new_roots.end());
      next = page.next;
    }
    std::ranges::sort(delta.old_roots);
    std::ranges::sort(delta.new_roots);
    ASSERT_EQ(delta.old_roots, without(standing.at(window.after), standing.at(window.until)));
    ASSERT_EQ(delta.new_roots, without(standing.at(window.until), standing.at(window.after)));
    std::set<NodeId> made;
    for (size_t i = from; i < to; ++i) {
      made.insert(done[i].new_roots.begin(), done[i].new_roots.end());
    }
    const DeltaRoots proofread = ReadProofreadRoots(dataset.Now(), window, {}, kMany).value();
    ASSERT_EQ(proofread.new_roots, std::vector<NodeId>(made.begin(), made.end()));
  }
  for (const NodeId root : standing.at(times.back())) {
    std::set<NodeId> ancestors = {root};
    std::vector<OperationId> expected;
    for (size_t i = done.size(); i-- > 0;) {
      if (std::ranges::any_of(done[i].new_roots, [&](NodeId id) { return ancestors.contains(id); })) {
        ancestors.insert(done[i].old_roots.begin(), done[i].old_roots.end());
        expected.insert(expected.begin(), done[i].operation);
      }
    }
    const ChangeLog log = ReadChangeLog(dataset.Now(), dataset.meta().ingested, {.root = root}).value();
    ASSERT_EQ(Summarize(log).operations, expected);
    ancestors.erase(root);
    ASSERT_EQ(log.past_roots, std::vector<NodeId>(ancestors.begin(), ancestors.end()));
  }
}

}  // namespace
}  // namespace cleave::edit
