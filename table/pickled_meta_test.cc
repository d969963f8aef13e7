// Goal: a graph's record is read from what Python wrote, in every protocol, and written such that it is read the same;
// other objects and damaged bytes are refused, and nothing in them is ever run.
// Method: the corpus of pickled_meta_fuzzer holds Python's own pickles; every one is cut and changed byte by byte.
// cli/table_test.py unpickles ours with Python.
#include "table/pickled_meta.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "table/pickle_tree.h"

namespace cleave::table {
namespace {

using testing::HasSubstr;

const std::string kCorpus = std::string(CLEAVE_SOURCE_DIR) + "/table/corpus/pickled_meta";

std::string ReadPickle(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(PickledMetaTest, ReadsWhatPythonWrote) {
  const PickledMeta expected{.graph_id = "minnie",
                             .graph_id_prefix = "",
                             .chunk_size = {256, 256, 512},
                             .edges = "gs://e",
                             .components = "",
                             .watershed = "gs://w",
                             .data_version = 4};
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kCorpus)) {
    SCOPED_TRACE(entry.path().string());
    const auto meta = DecodePickledMeta(ReadPickle(entry.path().string()));
    ASSERT_TRUE(meta.ok()) << meta.status();
    EXPECT_EQ(*meta, expected);
    ++files;
  }
  EXPECT_GE(files, 6);
}

TEST(PickledMetaTest, WritesWhatItReads) {
  const PickledMeta meta{.graph_id = "g\xC3\xA9",
                         .graph_id_prefix = "p",
                         .chunk_size = {1, -2, int64_t{1} << 40},
                         .fanout = 3,
                         .layer_id_bits = 9,
                         .spatial_bits = 11,
                         .overwrite = true,
                         .root_lock_expiry = absl::Seconds(7) + absl::Microseconds(5),
                         .root_counters = 9,
                         .edges = "",
                         .components = "c",
                         .watershed = "w",
                         .data_version = 0,
                         .cv_mip = 2};
  const auto again = DecodePickledMeta(EncodePickledMeta(meta));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, meta);
}

TEST(PickledMetaTest, DamageIsAnErrorOrAnotherValue) {
  for (const auto& entry : std::filesystem::directory_iterator(kCorpus)) {
    const std::string whole = ReadPickle(entry.path().string());
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(DecodePickledMeta(whole.substr(0, size)).status().code(), absl::StatusCode::kDataLoss);
      std::string changed = whole;
      changed[size] = static_cast<char>(changed[size] ^ 0x41);
      const absl::Status status = DecodePickledMeta(changed).status();
      EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kDataLoss) << status;
    }
  }
}

TEST(PickledMetaTest, OtherObjectsAreRefused) {
  const std::string call = std::string("\x80\x04") + "cos\nsystem\n(X\x04" + std::string(3, '\0') + "ls /tR.";
  const absl::Status status = DecodePickledMeta(call).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("not a ChunkedGraphMeta"));
  const auto tree = PickleTree::Parse(call);
  ASSERT_TRUE(tree.ok()) << tree.status();
  EXPECT_EQ(tree->root().text, "os system");  // a name, nothing more
}

// A list that holds itself, and one value in many places, cost no more than their bytes.
TEST(PickleTreeTest, SharedValuesAreNotCopied) {
  const auto self = PickleTree::Parse(std::string("\x80\x02]q") + '\0' + "h" + '\0' + "a.");
  ASSERT_TRUE(self.ok()) << self.status();
  EXPECT_EQ(self->root().At(0), &self->root());
  std::string nested = std::string("\x80\x02]q") + '\0';
  for (int i = 0; i < 60; ++i) {  // 2^60 leaves, if they were copied
    nested += std::string("](h") + '\0' + "h" + '\0' + "eq" + '\0';
  }
  nested += "t.";
  EXPECT_FALSE(PickleTree::Parse(nested).ok());  // "t" has no mark; the point is that it ends at once
}

}  // namespace
}  // namespace cleave::table
