#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/labels.h"
#include "cli/moment.h"
#include "cli/picture.h"
#include "cli/png.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

class PictureCommand final : public Command {
 public:
  CommandText text() const override {
    return {"picture", "Look", "Draw a section, each id in a colour of its own",
            "cleave picture demo --what roots --z 12 --out now.png\n"
            "cleave picture demo --what roots --z 12 --generation 2 --beside-newest --source 120,80,12 "
            "--sink 131,84,12 --out split.png"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--what", what_, "'supervoxels' or 'roots'")->type_name("KIND")->required();
    app.add_option("--z", z_, "The section")->type_name("Z")->required();
    app.add_option("--box", box_, "Only this part of it, as far as it lies in the volume; its z is not looked at")
        ->type_name("X0,Y0,Z0,X1,Y1,Z1");
    RegisterMoment(app, moment_);
    app.add_flag("--beside-newest", beside_newest_, "Draw the newest state too, to the right");
    app.add_option("--source", sources_, "Mark this voxel with a cross; hollow when in another section")
        ->type_name("X,Y,Z");
    app.add_option("--sink", sinks_, "Mark this voxel with a disc")->type_name("X,Y,Z");
    app.add_option("--highlight", highlighted_, "Ids in strong colours; all others are dimmed")->type_name("ID");
    app.add_option("--scale", scale_, "Pixels of a voxel; default: such that the picture is readable")
        ->type_name("N")
        ->check(CLI::Range(1, 64));
    app.add_option("--out", out_, "The file to write")->type_name("FILE.png")->required();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const LabelKind kind, Named("--what", ParseLabelKind(what_)));
    CLEAVE_ASSIGN_OR_RETURN(PictureOptions options, Options());
    std::optional<Box> part;
    if (!box_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(part, Named("--box", ParseBox(box_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    graph::Dataset& dataset = *project.dataset;
    CLEAVE_ASSIGN_OR_RETURN(const Box section, Section(dataset.meta().volume, part));
    options.scale = scale_ > 0 ? scale_ : ReadableScale(section.extent());
    CLEAVE_ASSIGN_OR_RETURN(std::vector<edit::Instant> instants, Instants(dataset));
    std::vector<Image> pictures;
    for (const edit::Instant& instant : instants) {
      CLEAVE_ASSIGN_OR_RETURN(const LabelReader reader, LabelReader::Open(dataset, instant, kind));
      CLEAVE_ASSIGN_OR_RETURN(const Array3<uint64_t> labels, reader.Read(section));
      pictures.push_back(DrawLabels(labels.view(), section.lo, options));
    }
    const Image picture = Beside(pictures);
    CLEAVE_RETURN_IF_ERROR(WritePng(out_, picture));
    const PixelExtent extent = picture.extent();
    console.Show({{"out", out_},
                  {"what", what_},
                  {"box", ToJson(section)},
                  {"scale", options.scale},
                  {"pixels", {extent.width, extent.height}}},
                 absl::StrCat("wrote ", out_, ": ", extent.width, " x ", extent.height, " pixels\n"));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<PictureOptions> Options() const {
    PictureOptions options;
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<VoxelPoint> sources, Named("--source", ParsePoints(sources_)));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<VoxelPoint> sinks, Named("--sink", ParsePoints(sinks_)));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<graph::NodeId> ids, Named("--highlight", ParseNodeIds(highlighted_)));
    for (const VoxelPoint point : sources) {
      options.marks.push_back({point, true});
    }
    for (const VoxelPoint point : sinks) {
      options.marks.push_back({point, false});
    }
    options.highlighted = graph::ToIntegers(ids);
    return options;
  }

  // The part of the section that lies in the volume.
  absl::StatusOr<Box> Section(const Box& volume, const std::optional<Box>& part) const {
    Box section = part.has_value() ? Intersect(*part, volume) : volume;
    section.lo.z = z_;
    section.hi.z = z_ + 1;
    if (section.empty() || !volume.Contains(section)) {
      return absl::OutOfRangeError(absl::StrCat("section ", z_, part.has_value() ? " of --box " + box_ : std::string(),
                                                " is outside the volume ", ToString(volume)));
    }
    return section;
  }

  absl::StatusOr<std::vector<edit::Instant>> Instants(graph::Dataset& dataset) const {
    CLEAVE_ASSIGN_OR_RETURN(const edit::Instant instant, ResolveMoment(dataset, moment_));
    std::vector<edit::Instant> instants = {instant};
    if (beside_newest_) {
      instants.emplace_back();
    }
    return instants;
  }

  std::string project_;
  std::string what_;
  int64_t z_ = 0;
  std::string box_;
  MomentText moment_;
  bool beside_newest_ = false;
  std::vector<std::string> sources_;
  std::vector<std::string> sinks_;
  std::vector<std::string> highlighted_;
  int64_t scale_ = 0;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> MakePictureCommand() { return std::make_unique<PictureCommand>(); }

}  // namespace cleave::cli
