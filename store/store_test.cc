// Goal: every driver keeps the contract of store.h. Method: one conformance suite over memory, file and stack (with
// layers that cut the suite's keys apart), and the rules that belong to one driver alone.
#include "store/store.h"

#include <filesystem>

#include "gtest/gtest.h"

#include "store/fall_through_store.h"
#include "store/faulty_store.h"
#include "store/file_store.h"
#include "store/memory_store.h"
#include "store/part_runs.h"
#include "store/stack_store.h"
#include "store/store_conformance.h"
#include "store/temporary_folder.h"

namespace cleave::store {
namespace {

std::shared_ptr<Store> MakeFile() {
  static int count = 0;
  static const TemporaryFolder root;
  return OpenStore(absl::StrCat("file://", root.path(), "/", ++count, "/deep/folder")).value();
}

std::shared_ptr<Store> ReopenFile(const std::shared_ptr<Store>& store) {
  return OpenStore(store->Describe("")).value();
}

std::shared_ptr<Store> MakeNamedMemory() {
  static int count = 0;
  return OpenStore(absl::StrCat("memory://suite", ++count, "/folder/")).value();
}

std::shared_ptr<Store> MakeStack() {
  auto memory = std::make_shared<MemoryStore>();
  auto file = MakeFile();
  return StackStore::Create({StackLayer::Everything(memory), StackLayer::Prefix("a/", file, "below/a_"),
                             StackLayer::Exact("key", file, "the_key"),
                             StackLayer::Prefix("b", std::make_shared<MemoryStore>(), "other/b")})
      .value();
}

std::shared_ptr<Store> MakeFallThrough() {
  return std::make_shared<FallThroughStore>(MakeFile(), std::make_shared<MemoryStore>(), KeyRange::Prefix(""));
}

std::shared_ptr<Store> MakeFaulty() { return std::make_shared<FaultyStore>(std::make_shared<MemoryStore>()); }

INSTANTIATE_TEST_SUITE_P(All, StoreConformance,
                         testing::Values(StoreFactory{"Memory", [] { return std::make_shared<MemoryStore>(); }},
                                         StoreFactory{"NamedMemory", MakeNamedMemory, ReopenFile},
                                         StoreFactory{"File", MakeFile, ReopenFile}, StoreFactory{"Stack", MakeStack},
                                         StoreFactory{"FallThrough", MakeFallThrough},
                                         StoreFactory{"Faulty", MakeFaulty}),
                         NameOf);

TEST(OpenStore, RefusesWhatIsNoStore) {
  for (const absl::string_view url : {"", "/tmp/x", "file://relative/", "file:///a/../b", "file:///a//b", "http://x/",
                                      "file:///a%2", "memory://n/a//b"}) {
    const absl::Status status = OpenStore(url).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(status.message(), testing::HasSubstr(url.substr(0, 5)));
  }
}

TEST(OpenStore, DecodesPercentSigns) {
  EXPECT_EQ(OpenStore("file:///a%20b/c").value()->Describe("k"), "file:///a b/c/k");
}

TEST(OpenStore, MemoryIsSharedByName) {
  const auto one = OpenStore("memory://shared/x/").value();
  ASSERT_TRUE(one->Write("k", "v").ok());
  EXPECT_EQ(OpenStore("memory://shared/").value()->Read("x/k")->value, "v");
  EXPECT_EQ(OpenStore("memory://not_shared/").value()->Read("x/k")->value, std::nullopt);
}

TEST(KvStoreSpec, IsTensorStoresJson) {
  EXPECT_EQ(OpenStore("file:///data/x").value()->KvStoreSpec(), R"({"driver":"file","path":"/data/x/"})");
  EXPECT_EQ(OpenStore("memory://x/").value()->KvStoreSpec(), "");
}

TEST(KeyRange, PrefixHasAnEnd) {
  EXPECT_EQ(KeyRange::Prefix("ab").end, "ac");
  EXPECT_EQ(KeyRange::Prefix("a\xff").end, "b");
  EXPECT_EQ(KeyRange::Prefix("\xff").end, "");
  EXPECT_TRUE(KeyRange::Prefix("").Contains("\xff"));
}

TEST(JoinNeighbours, FewRequestsForManyParts) {
  std::vector<Extent> parts;
  for (uint64_t i = 0; i < 100; ++i) {
    parts.push_back({(i * 37 % 100) * 1000, 900});  // out of order, with gaps of 100
  }
  ASSERT_EQ(JoinNeighbours(parts).size(), 1);
  EXPECT_EQ(JoinNeighbours(parts)[0].whole, (Extent{0, 99'900}));
  parts.push_back({99'900 + kMaxGapBytes + 1, 1});
  EXPECT_EQ(JoinNeighbours(parts).size(), 2);
  parts.push_back({500, 10});  // inside of another
  EXPECT_GT(JoinNeighbours(parts).size(), 2);
  EXPECT_EQ(JoinNeighbours(std::vector<Extent>{{0, kMaxRunBytes * 2}, {kMaxRunBytes * 2, 1}}).size(), 2);
  EXPECT_EQ(JoinNeighbours(std::vector<Extent>(kMaxRunParts + 1)).size(), 2);
  EXPECT_TRUE(JoinNeighbours({}).empty());
}

TEST(FaultyStore, GoesWrongAsPlanned) {
  const std::vector<KeyedWrite> batch = {{"b1", "x", {}}, {"b2", "y", {}}};
  for (const Fault fault : {Fault::kBefore, Fault::kAfter, Fault::kHalfBatch, Fault::kTwice, Fault::kLoseUnsynced}) {
    const TemporaryFolder folder;
    const auto inner = std::make_shared<FileStore>(folder.path());
    FaultyStore store(inner);
    ASSERT_TRUE(store.Write("a", "old").ok());
    store.Arm({.effect = 1, .fault = fault});
    ASSERT_TRUE(store.Write("a", "new").ok());
    EXPECT_EQ(store.WriteBatch(batch).ok(), fault == Fault::kTwice);
    EXPECT_TRUE(store.fired());
    EXPECT_EQ(store.Read("a").ok(), fault == Fault::kTwice);
    const bool seen = fault != Fault::kBefore && fault != Fault::kHalfBatch;
    EXPECT_EQ(inner->Read("b1")->value.has_value(), fault != Fault::kBefore);
    EXPECT_EQ(inner->Read("b2")->value.has_value(), seen);
    store.Restart();
    EXPECT_EQ(store.Read("a")->value, "new");
    EXPECT_EQ(store.Read("b2")->value.has_value(), seen && fault != Fault::kLoseUnsynced);
    EXPECT_EQ(store.log(), (std::vector<std::string>{"write a", "batch of 2 from b1"}));
  }
}

TEST(FaultyStore, FailsOneReadOrOneWrite) {
  FaultyStore store(std::make_shared<MemoryStore>());
  store.ArmRead(1);
  EXPECT_TRUE(store.Read("a").ok());
  EXPECT_EQ(store.Read("a").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(store.Read("a").ok());
  store.Arm({.effect = 0, .fault = Fault::kAfter, .stop = false});
  EXPECT_EQ(store.Write("a", "v").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store.Read("a")->value, "v");
  // A conditional write that a transport sends twice reports a failure although it took effect.
  store.Arm({.effect = 0, .fault = Fault::kTwice});
  EXPECT_EQ(store.Write("b", "v", {Generation::Absent()}).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store.Read("b")->value, "v");
}

}  // namespace
}  // namespace cleave::store
