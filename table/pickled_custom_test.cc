// Goal: a key of a record's free dict is read and set, in records that Python wrote with every protocol and in our own,
// and all else in the record stays; damaged records are refused.
// Method: the corpus of pickled_meta_fuzzer, Python's own pickles; keys are set again and again. cli/mesh_meta_test.py
// reads what comes out with Python.
#include "table/pickled_custom.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "table/pickled_meta.h"

namespace cleave::table {
namespace {

std::string OwnRecord() {
  PickledMeta meta;
  meta.graph_id = "own";
  meta.chunk_size = {1, 2, 3};
  return EncodePickledMeta(meta);
}

std::vector<std::string> Records() {
  std::vector<std::string> records = {OwnRecord()};
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(CLEAVE_SOURCE_DIR) + "/table/corpus/pickled_meta")) {
    std::ifstream file(entry.path(), std::ios::binary);
    records.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return records;
}

constexpr char kMesh[] =
    R"({"dir":"mesh","max_layer":6,"max_error":40.5,"verify":true,"none":null,"list":[1,[-2,"a"],{}]})";

TEST(PickledCustomTest, AKeyIsSetAndAllElseStays) {
  for (const std::string& record : Records()) {
    const std::string before = ReadCustomData(record, "other").value();
    const std::string mesh_before = ReadCustomData(record, "mesh").value();
    const auto changed = WithCustomData(record, "mesh", kMesh);
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_EQ(ReadCustomData(*changed, "mesh").value(), kMesh);
    EXPECT_EQ(ReadCustomData(*changed, "other").value(), before);
    EXPECT_EQ(DecodePickledMeta(*changed).value(), DecodePickledMeta(record).value());
    EXPECT_EQ(ReadCustomData(record, "mesh").value(), mesh_before) << "the record itself is as it was";
  }
}

TEST(PickledCustomTest, SettingAgainReplacesAndDoesNotGrow) {
  for (const std::string& record : Records()) {
    const std::string once = WithCustomData(record, "mesh", "1").value();
    const std::string twice = WithCustomData(once, "mesh", "2").value();
    EXPECT_EQ(twice.size(), once.size());
    EXPECT_EQ(ReadCustomData(twice, "mesh").value(), "2");
    const std::string other = WithCustomData(twice, "seg", "{}").value();
    const std::string again = WithCustomData(other, "mesh", "3").value();
    EXPECT_EQ(ReadCustomData(again, "mesh").value(), "3");
    EXPECT_EQ(ReadCustomData(again, "seg").value(), "{}");
    EXPECT_EQ(WithCustomData(WithCustomData(record, "mesh", kMesh).value(), "mesh", "1").value(), once);
  }
}

TEST(PickledCustomTest, DamageIsToldAndBadJsonRefused) {
  EXPECT_TRUE(absl::IsDataLoss(ReadCustomData("nonsense", "mesh").status()));
  EXPECT_TRUE(absl::IsDataLoss(WithCustomData("\x80\x04N.", "mesh", "1").status()));
  for (const std::string& record : Records()) {
    EXPECT_TRUE(absl::IsInvalidArgument(WithCustomData(record, "mesh", "{").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(WithCustomData(record, "mesh", "18446744073709551615").status()));
    for (size_t size = 0; size < record.size(); ++size) {
      EXPECT_FALSE(WithCustomData(record.substr(0, size), "mesh", "1").ok());
    }
  }
}

// A list that holds the list before twice, and so on, is small as a pickle and has no end as a tree.
TEST(PickledCustomTest, ValuesThatAreSharedBeyondMeasureAreRefused) {
  std::string nested = "]";
  for (char i = 0; i < 60; ++i) {
    nested += absl::StrCat("q", std::string(1, i), "0](h", std::string(1, i), "h", std::string(1, i), "e");
  }
  const std::string record = OwnRecord();
  const std::string shared =
      absl::StrCat(record.substr(0, record.size() - 3), "(X", std::string("\x04\0\0\0", 4), "mesh", nested, "uub.");
  EXPECT_TRUE(absl::IsDataLoss(ReadCustomData(shared, "mesh").status())) << ReadCustomData(shared, "mesh").status();
  EXPECT_EQ(ReadCustomData(shared, "seg").value(), "");
}

}  // namespace
}  // namespace cleave::table
