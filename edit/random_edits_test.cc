// Goal: any sequence of merges and splits, by points and by edges, of undos and redos leaves the graph and the voxels
// that a plain model says, now and at every past time. Method: random blobs in a volume with clipped chunks and a
// negative offset; random edits between random voxels, supervoxels and edges, and random operations undone and redone,
// with their voxels too,
// many of them refused. The model (plain_model_testing.h) is compared after each; everything is kept for every
// operation, and compared at its time at the end. CLEAVE_TEST_OPERATIONS sets how many edits all seeds try together.
#include <cstdlib>
#include <memory>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"

#include "base/test_scale.h"
#include "edit/edit_testing.h"
#include "edit/plain_model_testing.h"
#include "volume/test_labels.h"

namespace cleave::edit {
namespace {

using graph::EdgeEnds;
using graph::NodeId;

constexpr int kSeeds = 3;

int EditsPerSeed() {
  int operations = SmallTests() ? 150 : 300;
  if (const char* wish = std::getenv("CLEAVE_TEST_OPERATIONS")) {
    EXPECT_TRUE(absl::SimpleAtoi(wish, &operations)) << "CLEAVE_TEST_OPERATIONS is no number: " << wish;
  }
  return std::max(1, operations / kSeeds);
}

class RandomEdits : public testing::TestWithParam<int> {
 protected:
  struct State {
    absl::Time time;
    uint64_t generation;
    std::shared_ptr<const Array3<uint64_t>> labels;
    Partition objects;
  };

  void SetUp() override {
    std::cout << "CLEAVE_TEST_SEED=" << seed_ - static_cast<uint64_t>(GetParam()) << '\n';
    ProjectOptions options{.chunk_size = {16, 16, 16}, .voxel_size_nm = kModelVoxelSize, .voxel_offset = {-7, 13, 100}};
    ASSERT_NO_FATAL_FAILURE(IngestLabels(path_, RandomBlobs(random_, extent_, 24), options));
    project_ = Open(path_);
    ASSERT_NE(project_.editor, nullptr);
    model_ = std::make_unique<PlainModel>(dataset());
    labels_ = std::make_shared<const Array3<uint64_t>>(ExportSupervoxels(dataset()));
    Remember(dataset().meta().ingested, VoxelGeneration(dataset()).value());
  }

  graph::Dataset& dataset() { return *project_.dataset; }
  Editor& editor() { return *project_.editor; }

  void Remember(absl::Time time, uint64_t generation) {
    states_.push_back({time, generation, labels_, model_->Objects()});
  }

  int64_t Draw(int64_t lo, int64_t hi) { return volume::Random(random_, lo, hi); }
  VoxelPoint RandomPoint() {
    return dataset().meta().volume.lo +
           VoxelPoint{Draw(0, extent_.x - 1), Draw(0, extent_.y - 1), Draw(0, extent_.z - 1)};
  }
  // 0 for background.
  NodeId RandomSupervoxel() { return NodeId{labels_->data()[Draw(0, labels_->size() - 1)]}; }

  // A split or merge of two points. Splits of small supervoxels are the more interesting the nearer the points lie.
  void EditPoints() {
    const VoxelPoint p = RandomPoint();
    VoxelPoint q = RandomPoint();
    if (Draw(0, 2) != 0) {
      q = p + VoxelPoint{Draw(-9, 9), Draw(-9, 9), Draw(-9, 9)};
    }
    if (!dataset().meta().volume.Contains(q)) {
      return;
    }
    const bool together = RootAt(dataset(), p) == RootAt(dataset(), q);
    const auto report = together ? editor().Split({.sources = {p}, .sinks = {q}, .user = "random"})
                                 : editor().Merge({.source = p, .sink = q, .user = "random"});
    Take(together ? "split" : "merge", report);
    if (report.ok() && !HasFatalFailure()) {
      EXPECT_EQ(RootAt(dataset(), p) == RootAt(dataset(), q), !together);
    }
  }

  void MergeByEdges() {
    MergeRequest request{.user = "random", .allow_same_segment_merge = Draw(0, 3) == 0};
    const NodeId hub = RandomSupervoxel();
    for (int64_t i = Draw(1, 3); i > 0; --i) {
      request.edges.push_back({hub, RandomSupervoxel()});
    }
    const bool usable = hub != NodeId{} && std::ranges::none_of(request.edges, [&](const EdgeEnds& edge) {
                          return edge.node2 == NodeId{} || edge.node2 == hub;
                        });
    if (usable) {
      Take("merge by edges", editor().Merge(request));
    }
  }

  void SplitByEdges() {
    const std::vector<EdgeEnds> edges = model_->SomeActiveEdges(random_, static_cast<size_t>(Draw(1, 4)));
    if (!edges.empty()) {
      Take("split of edges", editor().Split({.user = "random", .edges = edges}));
    }
  }

  void Invert() {
    if (operations_.empty()) {
      return;
    }
    const bool voxels = !in_voxels_.empty() && Draw(0, 1) == 0;
    const std::vector<graph::OperationId>& choice = voxels ? in_voxels_ : operations_;
    const auto which = static_cast<size_t>(Draw(0, static_cast<int64_t>(choice.size()) - 1));
    const bool undo = Draw(0, 2) != 0;
    const InverseRequest request{.operation = choice[which], .user = "random", .voxels = undo && voxels};
    Take(undo ? voxels ? "undo with voxels" : "undo" : "redo", undo ? editor().Undo(request) : editor().Redo(request));
  }

  static void ExpectGivenBack(const Array3<uint64_t>& before, const Array3<uint64_t>& after,
                              const std::vector<Restored>& restored) {
    std::map<uint64_t, uint64_t> former_of;
    for (const Restored& one : restored) {
      former_of[Value(one.fragment)] = Value(one.supervoxel);
    }
    int64_t wrong = 0;
    for (int64_t i = 0; i < before.size(); ++i) {
      const auto former = former_of.find(before.data()[i]);
      wrong += after.data()[i] != (former == former_of.end() ? before.data()[i] : former->second) ? 1 : 0;
    }
    EXPECT_EQ(wrong, 0) << "voxels that did not get the id that they had";
  }

  // Does to the model what was done to the project, and compares them.
  void Take(const std::string& name, const absl::StatusOr<EditReport>& report) {
    if (!report.ok()) {
      ++tally_[name + " refused"];
      EXPECT_TRUE(absl::IsFailedPrecondition(report.status()) || absl::IsInvalidArgument(report.status()))
          << report.status();
      return;
    }
    ++tally_[name + (report->fragments.empty() ? "" : " in voxels")];
    operations_.push_back(report->operation);
    auto labels = std::make_shared<const Array3<uint64_t>>(ExportSupervoxels(dataset()));
    if (report->restored.empty()) {
      ExpectOnlyMoved(*labels_, *labels, report->fragments);
    } else {
      ExpectGivenBack(*labels_, *labels, report->restored);
    }
    const bool in_voxels = !report->fragments.empty() || !report->restored.empty();
    if (in_voxels) {
      in_voxels_.push_back(report->operation);
    }
    labels_ = in_voxels ? labels : labels_;
    const std::map<uint64_t, uint64_t> root_of = RootsOf(dataset(), *labels_);
    if (!report->restored.empty()) {
      model_->Restore(*report, *labels_);
    } else if (name == "split" || !report->fragments.empty()) {
      ASSERT_NO_FATAL_FAILURE(
          model_->Split(*report, *labels_, [&](uint64_t a, uint64_t b) { return root_of.at(a) == root_of.at(b); }));
    } else {
      ASSERT_NO_FATAL_FAILURE(model_->Part(*report));
      model_->Merge(*report);
    }
    Remember(report->time, report->generation);
    ASSERT_EQ(PartitionOf(root_of), states_.back().objects) << "a " << name;
    ASSERT_EQ(model_->Differences(dataset()), "") << "a " << name << ", operation " << Value(report->operation);
  }

  const uint64_t seed_ = volume::TestSeed() + static_cast<uint64_t>(GetParam());
  std::mt19937_64 random_{seed_};
  const Extent3 extent_{44, 40, 30};
  store::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/project";
  OpenProject project_;
  std::unique_ptr<PlainModel> model_;
  std::shared_ptr<const Array3<uint64_t>> labels_;
  std::vector<State> states_;
  std::vector<graph::OperationId> operations_;
  std::vector<graph::OperationId> in_voxels_;  // those of them that wrote voxels
  std::map<std::string, int> tally_;
};

TEST_P(RandomEdits, AgreeWithThePlainModelAtEveryTime) {
  const int edits = EditsPerSeed();
  const int check_every = std::max(25, edits / 20);  // fsck looks at what came since; at the end, at all
  for (int i = 0; i < edits; ++i) {
    switch (Draw(0, 9)) {
      case 0:
        MergeByEdges();
        break;
      case 1:
        SplitByEdges();
        break;
      case 2:
      case 3:
      case 4:
        Invert();
        break;
      default:
        EditPoints();
    }
    if (i % check_every == check_every - 1) {
      ExpectClean(dataset(), {.past_operations_max = 2 * check_every});
    }
    ASSERT_FALSE(HasFailure()) << "seed " << seed_ << ", after edit " << i;
  }
  for (const auto& [what, count] : tally_) {
    std::cout << count << " times: " << what << '\n';
  }
  EXPECT_GT(tally_["merge"], 0);
  EXPECT_GT(tally_["split in voxels"], 0);
  EXPECT_GT(tally_["merge by edges"], 0);
  if (!SmallTests()) {  // of few edits, perhaps none of a kind that most often is refused
    EXPECT_GT(tally_["undo"], 0);
    EXPECT_GT(tally_["undo with voxels"], 0);
  }

  for (size_t i = 0; i < states_.size(); ++i) {
    const State& state = states_[i];
    const Array3<uint64_t> labels = ExportSupervoxels(dataset(), state.generation);
    ASSERT_TRUE(std::equal(labels.data(), labels.data() + labels.size(), state.labels->data())) << "state " << i;
    EXPECT_EQ(PartitionOf(RootsOf(dataset(), labels, state.time)), state.objects) << "at the time of state " << i;
    if (i + 1 < states_.size()) {
      const absl::Time just_before = states_[i + 1].time - absl::Milliseconds(1);
      EXPECT_EQ(PartitionOf(RootsOf(dataset(), labels, just_before)), state.objects) << "just before state " << i + 1;
    }
  }
  project_ = {};
  project_ = Open(path_);
  ASSERT_NE(project_.editor, nullptr);
  EXPECT_TRUE(editor().recovered().empty());
  ExpectClean(dataset(), {.past_operations_max = 2 * edits});
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomEdits, testing::Range(0, kSeeds));

}  // namespace
}  // namespace cleave::edit
