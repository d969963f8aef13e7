#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/labels.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "volume/label_source.h"
#include "volume/volume.h"

namespace cleave::cli {
namespace {

constexpr int64_t kSlabPlanes = 32;

// What lies at the two points of a split: labels in the truth, objects in the project.
struct Sides {
  uint64_t source = 0;
  uint64_t sink = 0;
};

// Voxels of either object whose true label is one of the two.
struct Tally {
  int64_t source_right = 0;
  int64_t sink_right = 0;
  int64_t source_wrong = 0;  // in the source's object, with the sink's label
  int64_t sink_wrong = 0;

  [[nodiscard]] int64_t right() const { return source_right + sink_right; }
  [[nodiscard]] int64_t scored() const { return right() + source_wrong + sink_wrong; }
  [[nodiscard]] double agreement() const {
    return scored() == 0 ? 0 : static_cast<double>(right()) / static_cast<double>(scored());
  }
};

void AddTo(Tally& tally, const Array3<uint64_t>& truth, const Sides& labels, const Array3<uint64_t>& objects,
           const Sides& roots) {
  for (int64_t i = 0; i < truth.size(); ++i) {
    const uint64_t label = truth.data()[i];
    const uint64_t root = objects.data()[i];
    if ((label != labels.source && label != labels.sink) || (root != roots.source && root != roots.sink)) {
      continue;
    }
    const bool right = (label == labels.source) == (root == roots.source);
    int64_t& count = root == roots.source ? (right ? tally.source_right : tally.source_wrong)
                                          : (right ? tally.sink_right : tally.sink_wrong);
    ++count;
  }
}

class AgreementCommand final : public Command {
 public:
  CommandText text() const override {
    return {"agreement", "Try", "Compare a split of a false merger with the truth, voxel by voxel",
            "cleave agreement demo --truth labels.npy.zst --source 120,80,12 --sink 131,84,12"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--truth", truth_, "The labels before they were fused: PATH.npy, PATH.npy.zst or a URL")
        ->type_name("FILE|URL")
        ->required();
    app.add_option("--source", source_, "A voxel of one part")->type_name("X,Y,Z")->required();
    app.add_option("--sink", sink_, "A voxel of the other")->type_name("X,Y,Z")->required();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const VoxelPoint source, Named("--source", ParsePoint(source_)));
    CLEAVE_ASSIGN_OR_RETURN(const VoxelPoint sink, Named("--sink", ParsePoint(sink_)));
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_ASSIGN_OR_RETURN(const auto truth, volume::OpenLabelSource(truth_));
    graph::Dataset& dataset = *project.dataset;
    // The truth may have had another offset than the project was given.
    const VoxelPoint shift = truth->bounds().lo - dataset.meta().volume.lo;
    if (truth->bounds().extent() != dataset.meta().volume.extent()) {
      return absl::InvalidArgumentError(absl::StrCat("--truth: ", truth->Describe(), " has ",
                                                     ToString(truth->bounds().extent()), " voxels, the project ",
                                                     ToString(dataset.meta().volume.extent())));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Sides roots, RootsAt(dataset, source, sink));
    CLEAVE_ASSIGN_OR_RETURN(const Sides labels, LabelsAt(*truth, source + shift, sink + shift));
    CLEAVE_ASSIGN_OR_RETURN(const LabelReader reader, LabelReader::Open(dataset, {}, LabelKind::kRoots));
    Tally tally;
    const Box& volume = dataset.meta().volume;
    console.progress().Begin("comparing", volume.extent().z, "planes");
    for (int64_t z = volume.lo.z; z < volume.hi.z; z += kSlabPlanes) {
      Box slab = volume;
      slab.lo.z = z;
      slab.hi.z = std::min(volume.hi.z, z + kSlabPlanes);
      CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> objects, reader.Read(slab));
      CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> true_labels, truth->ReadBox({slab.lo + shift, slab.hi + shift}));
      AddTo(tally, true_labels, labels, objects, roots);
      console.progress().Advance(slab.extent().z);
    }
    console.progress().End();
    Show(console, labels, roots, tally);
    return absl::OkStatus();
  }

 private:
  static absl::StatusOr<Sides> RootsAt(graph::Dataset& dataset, VoxelPoint source, VoxelPoint sink) {
    const VoxelPoint points[] = {source, sink};
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> labels,
                            dataset.segmentation().ReadVoxels(volume::kFinestScale, points));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::NodeId> roots, dataset.Now().Roots(graph::ToNodeIds(labels)));
    if (roots[0] == graph::NodeId{} || roots[1] == graph::NodeId{}) {
      return absl::InvalidArgumentError(
          absl::StrCat(roots[0] == graph::NodeId{} ? "--source" : "--sink", ": the point lies on background"));
    }
    if (roots[0] == roots[1]) {
      return absl::FailedPreconditionError(
          absl::StrCat("both points lie in object ", Value(roots[0]), "; split it first"));
    }
    return Sides{Value(roots[0]), Value(roots[1])};
  }

  static absl::StatusOr<Sides> LabelsAt(const volume::LabelSource& truth, VoxelPoint source, VoxelPoint sink) {
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> at_source, truth.ReadBox(BoxAt(source, {1, 1, 1})));
    CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> at_sink, truth.ReadBox(BoxAt(sink, {1, 1, 1})));
    const Sides sides{at_source[{}], at_sink[{}]};
    if (sides.source == sides.sink) {
      return absl::InvalidArgumentError(
          absl::StrCat("both points have the true label ", sides.source, "; there is nothing to compare"));
    }
    return sides;
  }

  static void Show(Console& console, const Sides& labels, const Sides& roots, const Tally& tally) {
    console.Show({{"labels", {absl::StrCat(labels.source), absl::StrCat(labels.sink)}},
                  {"roots", {absl::StrCat(roots.source), absl::StrCat(roots.sink)}},
                  {"scored", tally.scored()},
                  {"right", tally.right()},
                  {"wrong", {tally.source_wrong, tally.sink_wrong}},
                  {"agreement", tally.agreement()}},
                 absl::StrFormat("object %d is label %d: %s voxels, %s of them wrong\n"
                                 "object %d is label %d: %s voxels, %s of them wrong\n"
                                 "agreement with the truth: %.4f %%\n",
                                 roots.source, labels.source, CountText(tally.source_right + tally.source_wrong),
                                 CountText(tally.source_wrong), roots.sink, labels.sink,
                                 CountText(tally.sink_right + tally.sink_wrong), CountText(tally.sink_wrong),
                                 100 * tally.agreement()));
  }

  std::string project_;
  std::string truth_;
  std::string source_;
  std::string sink_;
};

}  // namespace

std::unique_ptr<Command> MakeAgreementCommand() { return std::make_unique<AgreementCommand>(); }

}  // namespace cleave::cli
