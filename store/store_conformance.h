// The conformance suite of store::Store, run over every driver (and adapter) under its hostile settings.
//
// Include it in one test source of a program, and there:
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, testing::Values(StoreFactory{"memory", MakeMemory}), NameOf);
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "store/store.h"

namespace cleave::store {

// Makes an empty store, and a second handle on the same bytes as another process would open it.
struct StoreFactory {
  std::string name;
  std::function<std::shared_ptr<Store>()> make;
  std::function<std::shared_ptr<Store>(std::shared_ptr<Store>)> reopen = [](auto store) { return store; };
};

inline void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }
inline std::string NameOf(const testing::TestParamInfo<StoreFactory>& info) { return info.param.name; }

class StoreConformance : public testing::TestWithParam<StoreFactory> {
 protected:
  std::shared_ptr<Store> store_ = GetParam().make();

  void Put(absl::string_view key, absl::string_view value) { ASSERT_TRUE(store_->Write(key, value).ok()) << key; }
  // The value; "(absent)" or the error's text otherwise.
  static std::string Get(const Store& store, absl::string_view key, ByteRange range = {}) {
    const absl::StatusOr<ReadResult> read = store.Read(key, {range});
    return read.ok() ? read->value.value_or("(absent)") : read.status().ToString();
  }
  std::string Get(absl::string_view key, ByteRange range = {}) { return Get(*store_, key, range); }
  Generation GenerationOf(absl::string_view key) { return store_->Read(key)->generation; }
  std::vector<std::string> List(const std::string& begin, const std::string& end) {
    return store_->List({begin, end}).value();
  }
};

TEST_P(StoreConformance, AbsentKeyIsNotAnError) {
  const absl::StatusOr<ReadResult> read = store_->Read("no/such/key");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->value.has_value());
  EXPECT_TRUE(read->generation.absent());
  EXPECT_TRUE(store_->Delete("no/such/key").ok());
  EXPECT_EQ(List("", ""), std::vector<std::string>{});
}

TEST_P(StoreConformance, ReadsWhatWasWritten) {
  const std::string binary("\0\xff\n\x80", 4);
  const std::map<std::string, std::string> values = {
      {"a", ""}, {"b/c", "one"}, {"b/d/e", binary}, {"f", std::string(3'000'000, 'x')}, {"sp ace%20", "two"}};
  for (const auto& [key, value] : values) {
    const absl::StatusOr<Generation> written = store_->Write(key, value);
    ASSERT_TRUE(written.ok()) << written.status();
    EXPECT_FALSE(written->absent());
    EXPECT_EQ(*written, GenerationOf(key));
  }
  const std::shared_ptr<Store> again = GetParam().reopen(store_);
  for (const auto& [key, value] : values) {
    EXPECT_EQ(Get(key), value);
    EXPECT_EQ(Get(*again, key), value);
    EXPECT_EQ(again->Read(key)->generation, GenerationOf(key));
  }
}

TEST_P(StoreConformance, ReadsByteRanges) {
  for (const std::string& filler : {std::string(), std::string(100'000, '.')}) {
    Put("key", "0123456789" + filler);
    EXPECT_EQ(Get("key", {0, 3}), "012");
    EXPECT_EQ(Get("key", {3, 5}), "34");
    EXPECT_EQ(Get("key", {4, 4}), "");
    EXPECT_EQ(Get("key", {8, std::nullopt}), "89" + filler);
    EXPECT_EQ(Get("key", {8, 1'000'000}), "89" + filler);
    EXPECT_EQ(Get("key", {10 + filler.size(), std::nullopt}), "");
    EXPECT_EQ(store_->Read("key", {{11 + filler.size(), std::nullopt}}).status().code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(store_->Read("key", {{5, 4}}).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_P(StoreConformance, ReadsPartsInTheOrderAsked) {
  std::string value(200'000, '.');
  for (size_t i = 0; i < value.size(); ++i) {
    value[i] = static_cast<char>('a' + i * 7919 % 26);
  }
  Put("key", value);
  // Neighbours, gaps small and large, overlaps, repetitions, nothing at all, and the very end.
  const std::vector<Extent> parts = {{150'000, 50'000}, {0, 10}, {10, 5},   {5, 10},      {20, 1},
                                     {100'000, 3},      {0, 10}, {7000, 0}, {200'000, 0}, {199'999, 1}};
  const auto read = store_->ReadParts("key", parts);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_TRUE(read->has_value());
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ((**read)[i], value.substr(parts[i].offset, parts[i].length)) << "part " << i;
  }
  const std::vector<Extent> beyond = {{0, 10}, {199'999, 2}};
  EXPECT_EQ(store_->ReadParts("key", beyond).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_FALSE(store_->ReadParts("absent", parts)->has_value());
  EXPECT_TRUE(store_->ReadParts("key", {})->has_value());
}

TEST_P(StoreConformance, ReadsManyKeysInTheOrderAsked) {
  std::vector<std::string> keys = {"none", "f/120", "f/3", "f/120", "a"};
  for (int i = 0; i < 130; i += 3) {
    Put(absl::StrCat("f/", i), std::string(i * 40, static_cast<char>('a' + i % 26)));
    keys.push_back(absl::StrCat("f/", i));
  }
  const auto read = store_->ReadMany(keys);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ((*read)[i].value_or("(absent)"), Get(keys[i])) << keys[i];
  }
  EXPECT_TRUE(store_->ReadMany({})->empty());
  const std::vector<std::string> bad = {"a", "b//c"};
  EXPECT_EQ(store_->ReadMany(bad).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, AValueIsWrittenPieceByPiece) {
  for (const size_t piece_bytes : {size_t{1}, size_t{1000}, size_t{700'000}}) {
    const std::string key = absl::StrCat("pieces/", piece_bytes);
    absl::StatusOr<std::unique_ptr<NewValue>> value = store_->WriteNew(key);
    ASSERT_TRUE(value.ok()) << value.status();
    std::string expected;
    for (int i = 0; i < 20; ++i) {
      const std::string piece(piece_bytes, static_cast<char>('a' + i));
      ASSERT_TRUE((*value)->Append(piece).ok());
      expected += piece;
      if (i % 7 == 6) {  // what came last was a mistake
        expected.resize(expected.size() - piece_bytes - piece_bytes / 2);
        ASSERT_TRUE((*value)->Truncate(expected.size()).ok());
      }
    }
    ASSERT_TRUE((*value)->Finish().ok());
    value->reset();
    EXPECT_EQ(Get(key), expected);
    EXPECT_EQ(Get(*GetParam().reopen(store_), key), expected);
  }
  EXPECT_EQ(store_->WriteNew("bad//key").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, AValueThatIsNotFinishedLeavesNothing) {
  {
    const auto value = store_->WriteNew("given/up");
    ASSERT_TRUE((*value)->Append(std::string(20'000'000, 'x')).ok());
  }
  EXPECT_EQ(Get("given/up"), "(absent)");
  EXPECT_EQ(List("", ""), std::vector<std::string>{});
}

TEST_P(StoreConformance, AWriteIsBegunAndFinished) {
  for (const bool prepare : {true, false}) {
    const std::string value = absl::StrCat("new ", prepare);
    const Generation before = GenerationOf("key");
    const auto begun = store_->BeginWrite("key", value, {before});
    ASSERT_TRUE(begun.ok()) << begun.status();
    if (prepare) {
      ASSERT_TRUE((*begun)->Prepare().ok());
    }
    EXPECT_EQ(GenerationOf("key"), before) << "nothing is seen before the end";
    const absl::StatusOr<Generation> written = (*begun)->Finish();
    ASSERT_TRUE(written.ok()) << written.status();
    EXPECT_EQ(*written, GenerationOf("key"));
    EXPECT_EQ(Get("key"), value);
  }
  // The condition is found not to hold at the beginning or at the end, as the driver likes.
  const auto begun = store_->BeginWrite("key", "x", {Generation::Absent()});
  EXPECT_EQ((begun.ok() ? (*begun)->Finish().status() : begun.status()).code(), absl::StatusCode::kAborted);
  { const auto given_up = store_->BeginWrite("key", "x", {}); }
  EXPECT_EQ(Get("key"), "new 0");
  EXPECT_TRUE(store_->Write("key", "again").ok());
}

TEST_P(StoreConformance, GenerationTellsValuesApart) {
  std::map<std::string, std::string> value_of_generation;
  for (int i = 0; i < 50; ++i) {
    const std::string value = absl::StrCat("value ", i % 7);
    const absl::StatusOr<Generation> written = store_->Write("key", value);
    ASSERT_TRUE(written.ok()) << written.status();
    const auto [seen, fresh] = value_of_generation.emplace(written->bytes(), value);
    EXPECT_EQ(seen->second, value);
    if (i % 10 == 9) {
      ASSERT_TRUE(store_->Delete("key").ok());
      EXPECT_TRUE(GenerationOf("key").absent());
    }
  }
}

TEST_P(StoreConformance, ConditionMustHold) {
  const Generation wrong("no such generation");
  EXPECT_EQ(store_->Write("key", "x", {wrong}).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store_->Delete("key", {wrong}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Get("key"), "(absent)");

  const absl::StatusOr<Generation> first = store_->Write("key", "1", {Generation::Absent()});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(store_->Write("key", "2", {Generation::Absent()}).status().code(), absl::StatusCode::kAborted);
  const absl::StatusOr<Generation> second = store_->Write("key", "2", {*first});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(store_->Write("key", "3", {*first}).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store_->Delete("key", {*first}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store_->Delete("key", {Generation::Absent()}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Get("key"), "2");
  EXPECT_TRUE(store_->Delete("key", {*second}).ok());
  EXPECT_EQ(Get("key"), "(absent)");
  EXPECT_TRUE(store_->Delete("key", {Generation::Absent()}).ok());
  EXPECT_TRUE(store_->Delete("other/folder/key", {Generation::Absent()}).ok());
}

TEST_P(StoreConformance, FailedConditionNamesTheKey) {
  Put("some/key", "x");
  EXPECT_THAT(store_->Write("some/key", "y", {Generation::Absent()}).status().message(),
              testing::HasSubstr("some/key"));
}

TEST_P(StoreConformance, RefusesKeysThatAreNoPaths) {
  for (const absl::string_view key :
       {absl::string_view(""), absl::string_view("/a"), absl::string_view("a/"), absl::string_view("a//b"),
        absl::string_view("."), absl::string_view("a/.."), absl::string_view("a\0b", 3)}) {
    EXPECT_EQ(store_->Read(key).status().code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(store_->Write(key, "x").status().code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(store_->Delete(key).code(), absl::StatusCode::kInvalidArgument) << key;
  }
}

TEST_P(StoreConformance, ListsInOrderWithinTheRange) {
  const std::vector<std::string> keys = {"a!", "a/b", "a/c/d", "a0", "b", "b1/x", "\xff\xff/z"};
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    Put(*key, "v");
  }
  EXPECT_EQ(List("", ""), keys);
  for (const std::string begin : {"", "a", "a/", "a/b", "a/c", "a/c/d", "a/d", "b", "c", "\xff", "\xff\xff\xff"}) {
    for (const std::string end : {"", "a", "a/", "a/c", "a/c/d", "a/c/e", "a0", "b", "b1/", "\xff"}) {
      std::vector<std::string> expected;
      std::copy_if(keys.begin(), keys.end(), std::back_inserter(expected),
                   [&](const std::string& key) { return key >= begin && (end.empty() || key < end); });
      EXPECT_EQ(List(begin, end), expected) << "[" << begin << ", " << end << ")";
    }
  }
  EXPECT_EQ(store_->List(KeyRange::Prefix("a/")).value(), (std::vector<std::string>{"a/b", "a/c/d"}));
  EXPECT_EQ(store_->List(KeyRange::Prefix("\xff")).value(), (std::vector<std::string>{"\xff\xff/z"}));
  ASSERT_TRUE(store_->Delete("a/b").ok());
  EXPECT_EQ(List("a/", "a/c"), std::vector<std::string>{});
}

TEST_P(StoreConformance, BatchAppliesAll) {
  Put("gone", "x");
  const std::vector<KeyedWrite> writes = {
      {"one", "1", Generation::Absent()}, {"gone", std::nullopt, {}}, {"two", "2", {}}};
  ASSERT_TRUE(store_->WriteBatch(writes).ok());
  EXPECT_EQ(Get("one"), "1");
  EXPECT_EQ(Get("two"), "2");
  EXPECT_EQ(Get("gone"), "(absent)");
  EXPECT_TRUE(store_->WriteBatch({}).ok());
}

TEST_P(StoreConformance, BatchStopsAtAFailedCondition) {
  Put("present", "x");
  const std::vector<KeyedWrite> writes = {{"one", "1", {}}, {"present", "y", Generation::Absent()}, {"three", "3", {}}};
  const absl::Status status = store_->WriteBatch(writes);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(status.message(), testing::HasSubstr("present"));
  EXPECT_EQ(Get("one"), store_->atomic_batches() ? "(absent)" : "1");
  EXPECT_EQ(Get("present"), "x");
  EXPECT_EQ(Get("three"), "(absent)");
}

TEST_P(StoreConformance, DescribeNamesTheKey) {
  EXPECT_THAT(store_->Describe("some/key"), testing::HasSubstr("some/key"));
}

// Every increment is a conditional write; none may be lost, whichever handle and thread makes it.
TEST_P(StoreConformance, ConditionalWritersLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kIncrements = 10;
  const std::shared_ptr<Store> other = GetParam().reopen(store_);
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, store = t % 2 == 0 ? store_ : other] {
      for (int done = 0; done < kIncrements;) {
        const absl::StatusOr<ReadResult> read = store->Read("counter");
        ASSERT_TRUE(read.ok()) << read.status();
        int64_t count = 0;
        ASSERT_TRUE(!read->value || absl::SimpleAtoi(*read->value, &count));
        const absl::Status status = store->Write("counter", absl::StrCat(count + 1), {read->generation}).status();
        ASSERT_TRUE(status.ok() || absl::IsAborted(status)) << status;
        done += status.ok() ? 1 : 0;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(Get("counter"), absl::StrCat(kThreads * kIncrements));
}

// Readers must see whole values only, while writers replace them.
TEST_P(StoreConformance, ReadersSeeWholeValues) {
  Put("key", std::string(50'000, 'a'));
  std::atomic<bool> done = false;
  std::jthread writer([&] {
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(store_->Write("key", std::string(50'000 + i * 100, static_cast<char>('a' + i))).ok());
    }
    done = true;
  });
  do {
    const std::string value = Get("key");
    ASSERT_EQ(value, std::string(50'000 + (value[0] - 'a') * 100, value[0]));
  } while (!done);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreConformance);

}  // namespace cleave::store
