#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "volume/neuropil.h"
#include "volume/npy.h"

namespace cleave::cli {
namespace {

class GenerateCommand final : public Command {
 public:
  CommandText text() const override {
    return {"generate", "Try", "Grow a piece of neuropil that never lived, to try things on",
            "cleave generate --out labels.npy --size 256,256,64 --seed 7"};
  }

  void Register(CLI::App& app) override {
    app.add_option("--out", out_, "The file to write: .npy, uint64, shape (x, y, z), x fastest")
        ->type_name("FILE.npy")
        ->required();
    app.add_option("--size", size_, "Voxels along each axis")->type_name("X,Y,Z")->default_str(size_);
    app.add_option("--resolution", resolution_, "The size of a voxel in nm")
        ->type_name("X,Y,Z")
        ->default_str(resolution_);
    app.add_option("--seed", options_.seed, "The same seed grows the same neuropil")->capture_default_str();
    app.add_option("--density", options_.neurites_per_um3, "Neurites that begin in a cubic micrometre")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
  }

  absl::Status Run(Console& console) override {
    constexpr int64_t kVoxelsMax = (int64_t{1} << 32) - 1;
    CLEAVE_ASSIGN_OR_RETURN(options_.extent, Named("--size", ParseExtent(size_)));
    CLEAVE_ASSIGN_OR_RETURN(options_.voxel_size_nm, Named("--resolution", ParseVoxelSize(resolution_)));
    const Extent3 extent = options_.extent;
    if (extent.x > kVoxelsMax / extent.y / extent.z) {
      return absl::InvalidArgumentError(
          absl::StrCat("--size: ", size_, " has 2^32 voxels or more; name a smaller size"));
    }
    const Array3<uint64_t> labels = volume::MakeNeuropil(options_);
    uint64_t largest = 0;
    for (int64_t i = 0; i < labels.size(); ++i) {
      largest = std::max(largest, labels.data()[i]);
    }
    CLEAVE_RETURN_IF_ERROR(volume::WriteNpy(out_, labels.view()));
    const uint64_t neurites = largest == 0 ? 0 : largest - options_.first_label + 1;
    console.Show({{"out", out_},
                  {"size", ToJson(extent)},
                  {"voxel_size_nm", ToJson(options_.voxel_size_nm)},
                  {"seed", options_.seed},
                  {"neurites", neurites}},
                 absl::StrCat("wrote ", out_, ": ", neurites, " neurites in ", CountText(Count(extent)),
                              " voxels, seed ", options_.seed, "\n"));
    return absl::OkStatus();
  }

 private:
  volume::NeuropilOptions options_;
  std::string out_;
  std::string size_ = "256,256,64";
  std::string resolution_ = "8,8,40";
};

}  // namespace

std::unique_ptr<Command> MakeGenerateCommand() { return std::make_unique<GenerateCommand>(); }

}  // namespace cleave::cli
