// Goal: a diff tells every difference once, in order, and nothing else, and reads only where the versions differ.
// Method: random histories under small nodes, every pair of versions against the maps; a large tree with few changes,
// counting the nodes that are read.
#include "ocdbt/diff.h"

#include "gtest/gtest.h"

#include "ocdbt/branch.h"
#include "ocdbt/bulk_writer.h"
#include "ocdbt/history_testing.h"
#include "ocdbt/test_bytes.h"
#include "store/memory_store.h"

namespace cleave::ocdbt {
namespace {

// "-key", "+key" or "~key", in the order in which they were told.
std::vector<std::string> Diff(const Snapshot& before, const Snapshot& after, const DiffOptions& options = {}) {
  std::vector<std::string> told;
  const auto cost = DiffSnapshots(before, after, options, [&](const Difference& difference) {
    told.push_back(absl::StrCat(difference.after == nullptr    ? "-"
                                : difference.before == nullptr ? "+"
                                                               : "~",
                                difference.key));
    return true;
  });
  EXPECT_TRUE(cost.ok()) << cost.status();
  return told;
}

std::vector<std::string> DiffMaps(const Map& before, const Map& after, const store::KeyRange& range = {}) {
  Map all = before;
  all.insert(after.begin(), after.end());
  std::vector<std::string> told;
  for (const auto& [key, value] : all) {
    const auto a = before.find(key);
    const auto b = after.find(key);
    if (range.Contains(key) && (a == before.end() || b == after.end() || a->second != b->second)) {
      told.push_back(absl::StrCat(b == after.end() ? "-" : a == before.end() ? "+" : "~", key));
    }
  }
  return told;
}

TEST(Diff, OfAllPairsOfVersionsIsThatOfTheMaps) {
  History history(TestSeed());
  for (const uint32_t node_bytes : {1U, 200U, 1000U}) {
    Config config = HistoryConfig(2);
    config.max_decoded_node_bytes = node_bytes;
    const auto database = Database::Create(std::make_shared<store::MemoryStore>(), config).value();
    std::map<uint64_t, Map> versions = {{1, {}}};
    history.CommitMany(*database, 25, versions);
    WriteBatch all_gone;
    all_gone.DeleteRange({});
    versions[database->Commit(all_gone)->generation.value] = {};
    history.CommitMany(*database, 3, versions);
    for (const auto& [a, before] : versions) {
      for (const auto& [b, after] : versions) {
        const Snapshot from = database->At(GenerationNumber{a}).value();
        const Snapshot to = database->At(GenerationNumber{b}).value();
        ASSERT_EQ(Diff(from, to), DiffMaps(before, after)) << a << " to " << b;
        const int begin = 100 + history.Below(60);
        const store::KeyRange range{absl::StrCat("key/", begin),
                                    history.Below(4) == 0 ? "" : absl::StrCat("key/", begin + history.Below(20))};
        ASSERT_EQ(Diff(from, to, {.range = range}), DiffMaps(before, after, range)) << range.begin << " " << range.end;
      }
    }
  }
}

TEST(Diff, ReadsOnlyWhereVersionsDiffer) {
  Config config;
  config.max_decoded_node_bytes = 2000;
  const auto database = Database::Create(std::make_shared<store::MemoryStore>(), config).value();
  {
    const auto bulk = BulkWriter::Create(*database).value();
    for (int i = 0; i < 20000; ++i) {
      ASSERT_TRUE(bulk->Put(absl::StrCat("key/", 100000 + i), "value").ok());
    }
    ASSERT_TRUE(bulk->Finish().ok());
  }
  const Snapshot before = database->Newest().value();
  WriteBatch batch;
  batch.Put("key/107000", "other");
  batch.Delete("key/113000");
  ASSERT_TRUE(database->Commit(batch).ok());
  const Snapshot after = database->Newest().value();
  EXPECT_EQ(Diff(before, after), (std::vector<std::string>{"~key/107000", "-key/113000"}));
  const auto count = [](const Difference&) { return true; };
  const DiffCost cost = DiffSnapshots(before, after, {}, count).value();
  ASSERT_GE(before.version().root_height, 2);
  EXPECT_LE(cost.nodes_read, 2U * 2 * static_cast<unsigned>(before.version().root_height + 1));
  EXPECT_GT(cost.subtrees_shared, 20);
  const DiffCost same = DiffSnapshots(after, after, {}, count).value();
  EXPECT_EQ(same.nodes_read, 0);
  // A branch shares its trees with the database it came from.
  ASSERT_TRUE(CreateBranch(*database, "b", before.generation()).ok());
  const auto branch = OpenName(database->store(), NameKind::kBranch, "b").value();
  EXPECT_EQ(DiffSnapshots(branch->Newest().value(), after, {}, count)->nodes_read, cost.nodes_read);
}

TEST(Diff, EndsWhenToldToAndComparesPlacesOnDemand) {
  const auto database = Database::Create(std::make_shared<store::MemoryStore>(), HistoryConfig(2)).value();
  WriteBatch batch;
  batch.Put("a", std::string(100, 'a'));
  batch.Put("b", std::string(100, 'b'));
  ASSERT_TRUE(database->Commit(batch).ok());
  const Snapshot before = database->Newest().value();
  ASSERT_TRUE(database->Commit(batch).ok());
  const Snapshot after = database->Newest().value();
  EXPECT_TRUE(Diff(before, after).empty()) << "the same bytes in other places";
  EXPECT_EQ(Diff(before, after, {.compare_bytes = false}).size(), 2);
  int told = 0;
  ASSERT_TRUE(
      DiffSnapshots(before, after, {.compare_bytes = false}, [&](const Difference&) { return ++told < 1; }).ok());
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace cleave::ocdbt
