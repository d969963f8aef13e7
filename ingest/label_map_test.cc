// Goal: an agglomeration file is read as its users write it, its mistakes are named by line; fusing and agglomerating
// give each label the label and the object that the definitions say. Method: examples.
#include "ingest/label_map.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cleave::ingest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParseAgglomeration, ReadsLinesCommentsAndWhiteSpace) {
  const auto entries =
      ParseAgglomeration("# label,object\n1,10\r\n\n  2 , 10  # the same object\n3,18446744073709551615");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[1].label, 2u);
  EXPECT_EQ((*entries)[1].object, 10u);
  EXPECT_EQ((*entries)[2].object, 18446744073709551615u);
}

TEST(ParseAgglomeration, NothingIsFine) {
  const auto entries = ParseAgglomeration("");
  ASSERT_TRUE(entries.ok());
  EXPECT_TRUE(entries->empty());
}

TEST(ParseAgglomeration, MistakesAreNamedByLine) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"1,2\n3\n", "line 2: expected 'label,object'"},
      {"1,2,3\n", "line 1: expected"},
      {"1;2\n", "line 1: expected"},
      {"a,2\n", "line 1: expected"},
      {"1,-2\n", "line 1: expected"},
      {"1,18446744073709551616\n", "line 1: expected"},
      {"1,\n", "line 1: expected"},
      {"#\n\n0,2\n", "line 3: 0 is the background"},
      {"1,0\n", "line 1: 0 is the background"},
      {"1,2\n1,2\n1,3\n", "line 3: label 1 is given to object 3"},
  };
  for (const auto& [text, message] : mistakes) {
    const absl::Status status = ParseAgglomeration(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
}

TEST(ReadAgglomeration, MissingFileIsNotFound) {
  EXPECT_EQ(ReadAgglomeration("/nowhere/at/all").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadAgglomeration(testing::TempDir()).status().code(), absl::StatusCode::kNotFound);
}

TEST(LabelMap, WithoutAnythingEveryLabelIsItself) {
  const LabelMap map;
  EXPECT_EQ(map.Fused(7), 7u);
  EXPECT_EQ(map.Object(7), 7u);
}

TEST(LabelMap, FusedLabelsTakeTheSmallestOfTheirGroup) {
  const auto map = LabelMap::Create(std::vector<FusePair>{{9, 5}, {7, 9}, {2, 3}}, {});
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(map->Fused(9), 5u);
  EXPECT_EQ(map->Fused(7), 5u);
  EXPECT_EQ(map->Fused(5), 5u);
  EXPECT_EQ(map->Fused(3), 2u);
  EXPECT_EQ(map->Fused(4), 4u);
  EXPECT_THAT(map->FusedLabels(), ElementsAre(2, 3, 5, 7, 9));
  Array3<uint64_t> labels(Extent3{3, 2, 1}, 9);
  labels[{1, 1, 0}] = 0;
  labels[{2, 1, 0}] = 3;
  map->FuseInPlace(labels.view());
  EXPECT_THAT(std::vector<uint64_t>(labels.data(), labels.data() + 6), ElementsAre(5, 5, 5, 5, 0, 2));
}

TEST(LabelMap, FusingJoinsTheObjectsOfTheLabels) {
  const std::vector<LabelObject> agglomeration = {{1, 100}, {2, 100}, {3, 300}, {4, 300}, {6, 7}};
  const auto map = LabelMap::Create(std::vector<FusePair>{{2, 3}}, agglomeration);
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(map->Object(1), map->Object(4));
  EXPECT_EQ(map->Object(map->Fused(3)), map->Object(4));
  EXPECT_NE(map->Object(1), map->Object(5));
  // A label that is not listed belongs to the object of its own number.
  EXPECT_EQ(map->Object(6), map->Object(7));
}

TEST(LabelMap, RefusesBackgroundAndSelf) {
  for (const FusePair pair : {FusePair{0, 1}, FusePair{1, 0}, FusePair{4, 4}}) {
    EXPECT_EQ(LabelMap::Create(std::vector<FusePair>{pair}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace cleave::ingest
