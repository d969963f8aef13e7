#include <algorithm>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/labels.h"
#include "cli/moment.h"
#include "cli/npy_slab_writer.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

class ExportCommand final : public Command {
 public:
  CommandText text() const override {
    return {"export", "Look", "Write a box of supervoxels or objects to a NumPy file",
            "cleave export demo --what roots --box 0,0,0,256,256,64 --out roots.npy\n"
            "cleave export demo --what supervoxels --box 0,0,0,256,256,64 --generation 2 --out before.npy"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--what", what_, "'supervoxels' or 'roots'")->type_name("KIND")->required();
    app.add_option("--box", box_, "The voxels; default: the whole volume")->type_name("X0,Y0,Z0,X1,Y1,Z1");
    RegisterMoment(app, moment_);
    app.add_option("--out", out_, "The file to write: .npy, uint64, shape (x, y, z), x fastest")
        ->type_name("FILE.npy")
        ->required();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const LabelKind kind, Named("--what", ParseLabelKind(what_)));
    Box box;
    if (!box_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(box, Named("--box", ParseBox(box_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    graph::Dataset& dataset = *project.dataset;
    if (box_.empty()) {
      box = dataset.meta().volume;
    }
    CLEAVE_ASSIGN_OR_RETURN(const edit::Instant instant, ResolveMoment(dataset, moment_));
    CLEAVE_ASSIGN_OR_RETURN(const LabelReader reader, LabelReader::Open(dataset, instant, kind));
    CLEAVE_RETURN_IF_ERROR(Write(dataset, reader, box, console.progress()));
    Json json = {{"out", out_}, {"what", what_}, {"box", ToJson(box)}, {"shape", ToJson(box.extent())}};
    json.update(InstantJson(instant));
    console.Show(
        json, absl::StrCat("wrote ", out_, ": ", CountText(Count(box.extent())), " voxels of ", ToString(box), "\n"));
    return absl::OkStatus();
  }

 private:
  // Slabs end where storage chunks end, so that no chunk is read twice.
  absl::Status Write(graph::Dataset& dataset, const LabelReader& reader, const Box& box, Progress& progress) const {
    CLEAVE_RETURN_IF_ERROR(CheckInside(dataset.meta().volume, box));
    const int64_t lowest = dataset.meta().volume.lo.z;
    const int64_t depth = dataset.segmentation().info().scales.front().chunk_size.z;
    NpySlabWriter writer(out_, box.extent());
    CLEAVE_RETURN_IF_ERROR(writer.status());
    progress.Begin("exporting", box.extent().z, "planes");
    for (int64_t z = box.lo.z; z < box.hi.z;) {
      Box slab = box;
      slab.lo.z = z;
      slab.hi.z = std::min(box.hi.z, lowest + (FloorDivide(z - lowest, depth) + 1) * depth);
      CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, reader.Read(slab));
      writer.Append(labels);
      progress.Advance(slab.extent().z);
      z = slab.hi.z;
    }
    progress.End();
    return writer.Finish();
  }

  static absl::Status CheckInside(const Box& volume, const Box& box) {
    if (!volume.Contains(box)) {
      return absl::OutOfRangeError(
          absl::StrCat("--box: ", ToString(box), " is not inside the volume ", ToString(volume)));
    }
    return absl::OkStatus();
  }

  std::string project_;
  std::string what_;
  std::string box_;
  MomentText moment_;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> MakeExportCommand() { return std::make_unique<ExportCommand>(); }

}  // namespace cleave::cli
