#include <algorithm>
#include <memory>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/time/clock.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/edit_options.h"
#include "cli/edit_report.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "cli/split_preview.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "volume/npy.h"

namespace cleave::cli {
namespace {

class SplitCommand final : public Command {
 public:
  CommandText text() const override {
    return {"split", "Edit", "Part one object, cutting supervoxels in two where no edge can be cut",
            "cleave split demo --source 120,80,12 --sink 131,84,12\n"
            "cleave split demo --source 120,80,12 118,77,14 --sink 131,84,12 --preview --picture cut.png\n"
            "cleave split demo --source 120,80,12 --sink 131,84,12 --side 3:140,90,12 3:141,95,13\n"
            "cleave split demo --paint strokes.npy --paint-at 100,60,8\n"
            "cleave split demo --edge 72057594037927937,72057594037927940"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--source", sources_, "Voxels of one part")->type_name("X,Y,Z");
    app.add_option("--sink", sinks_, "Voxels of the other part")->type_name("X,Y,Z");
    app.add_option("--side", sides_, "Voxels of a third part (SIDE 3) and of further ones, each cut from all others")
        ->type_name("SIDE:X,Y,Z");
    CLI::Option* paint = app.add_option("--paint", paint_,
                                        "Painted voxels, beside points or instead: an array of 1 (sources), 2 (sinks), "
                                        "3 and so on, and 0; paint on other objects is left out")
                             ->type_name("FILE.npy");
    app.add_option("--paint-at", paint_at_, "Where the painted array's first voxel lies; default: the volume's")
        ->type_name("X,Y,Z")
        ->needs(paint);
    app.add_option("--paint-box", paint_boxes_, "Paint a box, over the array; a later one lies over an earlier one")
        ->type_name("SIDE:X0,Y0,Z0,X1,Y1,Z1");
    app.add_option("--edge", edges_, "Remove these edges, pairs of supervoxels, instead")->type_name("A,B");
    app.add_flag("--no-augment", no_augment_, "Do not keep each side's points together by the paths between them");
    app.add_flag("--allow-isolating", allow_isolating_, "Also a cut that cuts off nothing but the points' supervoxels");
    CLI::Option* preview =
        app.add_flag("--preview", preview_, "Only say what the split would do; `cleave commit` does exactly that");
    app.add_option("--sides", files_.sides,
                   "With --preview: an array of 1 (source side), 2 (sink side), 3 and so on, and 0")
        ->type_name("FILE.npy")
        ->needs(preview);
    app.add_option("--picture", files_.picture, "With --preview: a section through the cut, each side in a colour")
        ->type_name("FILE.png")
        ->needs(preview);
    options_.Register(app);
  }

  absl::Status Run(Console& console) override {
    edit::SplitRequest request;
    CLEAVE_ASSIGN_OR_RETURN(request.sources, Named("--source", ParsePoints(sources_)));
    CLEAVE_ASSIGN_OR_RETURN(request.sinks, Named("--sink", ParsePoints(sinks_)));
    CLEAVE_ASSIGN_OR_RETURN(request.edges, Named("--edge", ParseEdges(edges_)));
    CLEAVE_RETURN_IF_ERROR(TakeSides(request));
    request.user = options_.user();
    request.terms = options_.terms();
    request.augment_paths = !no_augment_;
    request.refuse_isolating_cut = !allow_isolating_;
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console, options_.editor()));
    CLEAVE_RETURN_IF_ERROR(TakePaint(project.dataset->meta().volume, request));
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(const edit::EditReport report,
                            preview_ ? project.editor->Preview(request) : project.editor->Split(request));
    const absl::Duration total = absl::Now() - start;
    Json json = EditJson(report, total);
    if (preview_) {
      CLEAVE_RETURN_IF_ERROR(ShowSplitPreview(*project.dataset, report, files_, json));
    }
    console.Show(json, EditText(report, total));
    return absl::OkStatus();
  }

 private:
  absl::Status TakeSides(edit::SplitRequest& request) const {
    for (const std::string& text : sides_) {
      CLEAVE_ASSIGN_OR_RETURN(const SidedText sided, Named("--side", ParseSided(text)));
      CLEAVE_ASSIGN_OR_RETURN(const VoxelPoint point, Named("--side", ParsePoint(sided.rest)));
      if (sided.side < 3) {
        return absl::InvalidArgumentError("--side counts from 3: sides 1 and 2 are --source and --sink");
      }
      const auto place = static_cast<size_t>(sided.side) - 3;
      request.more_sides.resize(std::max(request.more_sides.size(), place + 1));
      request.more_sides[place].push_back(point);
    }
    for (const std::string& text : paint_boxes_) {
      CLEAVE_ASSIGN_OR_RETURN(const SidedText sided, Named("--paint-box", ParseSided(text)));
      CLEAVE_ASSIGN_OR_RETURN(const Box box, Named("--paint-box", ParseBox(sided.rest)));
      request.paint.boxes.push_back({box, static_cast<uint8_t>(sided.side)});
    }
    return absl::OkStatus();
  }

  absl::Status TakePaint(const Box& volume, edit::SplitRequest& request) const {
    if (paint_.empty()) {
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(Array3<uint8_t> sides, Named("--paint", volume::ReadNpy<uint8_t>(paint_)));
    request.paint.sides = std::make_shared<const Array3<uint8_t>>(std::move(sides));
    request.paint.corner = volume.lo;
    if (!paint_at_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(request.paint.corner, Named("--paint-at", ParsePoint(paint_at_)));
    }
    return absl::OkStatus();
  }

  std::string project_;
  std::vector<std::string> sources_;
  std::vector<std::string> sinks_;
  std::vector<std::string> sides_;
  std::string paint_;
  std::string paint_at_;
  std::vector<std::string> paint_boxes_;
  std::vector<std::string> edges_;
  bool no_augment_ = false;
  bool allow_isolating_ = false;
  bool preview_ = false;
  SplitPreviewFiles files_;
  EditOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeSplitCommand() { return std::make_unique<SplitCommand>(); }

}  // namespace cleave::cli
