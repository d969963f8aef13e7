// Goal: a profile says where time, memory and input went. Method: stages with known memory and files in known places of
// the tree; the figures are the process's, so they are held against bounds.
#include "base/stages.h"

#include <algorithm>
#include <fstream>

#include "gtest/gtest.h"

namespace cleave {
namespace {

constexpr int64_t kMiB = 1 << 20;

void Touch(int64_t bytes) {
  std::vector<char> memory(static_cast<size_t>(bytes), 1);
  volatile char last = memory.back();
  static_cast<void>(last);
}

TEST(Stages, AddUpByNameAndTakeNoProfileUnlessAsked) {
  Stages stages;
  for (int i = 0; i < 3; ++i) {
    const Stages::Scope scope(stages, i == 1 ? "b" : "a");
  }
  { const Stages::Group group(stages, "all"); }
  ASSERT_EQ(stages.list().size(), 2U);
  EXPECT_EQ(stages.list()[0].first, "a");
  EXPECT_TRUE(stages.Profile().empty());
}

TEST(Stages, OneStageIsRepeatedAloneWithTheSameInput) {
  Stages stages;
  stages.EnableProfile();
  stages.Repeat({"cut", 3});
  int cuts = 0;
  int reads = 0;
  EXPECT_EQ(stages.Run("read", [&] { return ++reads; }), 1);
  EXPECT_EQ(stages.Run("cut", [&] { return ++cuts; }), 3);
  EXPECT_EQ(stages.repeated().size(), 3U);
  EXPECT_EQ(stages.repeatable(), (std::set<std::string>{"cut", "read"}));
  ASSERT_EQ(stages.Profile().size(), 2U);
  EXPECT_EQ(stages.Profile()[1].visits, 3);
}

TEST(Stages, ProfileIsATreeInTheOrderOfFirstVisits) {
  Stages stages;
  stages.EnableProfile();
  for (int i = 0; i < 2; ++i) {
    const Stages::Group plan(stages, "plan");
    { const Stages::Scope read(stages, "read"); }
    const Stages::Scope cut(stages, "cut");
    const Stages::Scope read(stages, "read");
  }
  { const Stages::Scope read(stages, "read"); }
  std::vector<std::string> lines;
  for (const StageProfile& stage : stages.Profile()) {
    lines.push_back(std::string(static_cast<size_t>(stage.depth), ' ') + stage.name + " " +
                    std::to_string(stage.visits));
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"plan 2", " read 2", " cut 2", "  read 2", "read 1"}));
}

TEST(Stages, MemoryAndInputBelongToTheStageAndThoseAroundIt) {
  const std::string path = testing::TempDir() + "/stages_test_file";
  Stages stages;
  stages.EnableProfile();
  {
    const Stages::Group all(stages, "all");
    {
      const Stages::Scope large(stages, "large");
      Touch(64 * kMiB);
    }
    {
      const Stages::Scope small(stages, "small");
      std::ofstream(path) << std::string(3 * kMiB, 'x');
      std::string content(3 * kMiB, '\0');
      std::ifstream(path).read(content.data(), 3 * kMiB);
    }
  }
  std::remove(path.c_str());
  const std::vector<StageProfile> tree = stages.Profile();
  ASSERT_EQ(tree.size(), 3U);
  const auto [all, large, small] = std::tuple(tree[0], tree[1], tree[2]);
  EXPECT_GE(large.peak_memory_bytes, 60 * kMiB);
  EXPECT_GE(all.peak_memory_bytes, large.peak_memory_bytes - kMiB);
  EXPECT_LT(small.peak_memory_bytes, 40 * kMiB) << "the peak of an earlier stage is not this one's";
  EXPECT_GE(small.written_bytes, 3 * kMiB);
  EXPECT_GE(small.read_bytes, 3 * kMiB);
  EXPECT_GE(small.written_calls, 1);
  EXPECT_LT(large.written_bytes, kMiB);
  EXPECT_GE(all.read_bytes, small.read_bytes);
  EXPECT_GE(all.wall, large.wall + small.wall);
}

}  // namespace
}  // namespace cleave
