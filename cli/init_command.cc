#include "CLI/CLI.hpp"
#include "cli/arguments.h"
#include "cli/base_kind.h"
#include "cli/command.h"
#include "cli/ingest_report.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "graph/graph_meta.h"
#include "ingest/ingest.h"

namespace cleave::cli {
namespace {

class InitCommand final : public Command {
 public:
  CommandText text() const override {
    return {"init", "Project", "Make a project from a segmentation",
            "cleave init demo --segmentation labels.npy.zst --resolution 8,8,40 --chunk-size 128,128,128\n"
            "cleave init demo --segmentation file:///data/seg/ --fuse 17,23\n"
            "cleave init demo --segmentation file:///data/supervoxels/ --base overlay --chunk-size 256,256,512"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", options_.project_folder, "The folder to make")->required();
    app.add_option("--segmentation", options_.labels, "PATH.npy, PATH.npy.zst or the URL of a precomputed volume")
        ->type_name("FILE|URL")
        ->required();
    app.add_option("--resolution", resolution_, "The size of a voxel in nm; default: what the volume says")
        ->type_name("X,Y,Z");
    app.add_option("--chunk-size", chunk_size_, "Voxels of a chunk of the graph")
        ->type_name("X,Y,Z")
        ->default_str(chunk_size_);
    app.add_option("--voxel-offset", offset_, "The first voxel of the volume; default: the source's own")
        ->type_name("X,Y,Z");
    app.add_option("--base", base_,
                   "'copy': the project holds all voxels. 'overlay': it reads them where they are; the labels are "
                   "supervoxel ids already")
        ->type_name("KIND")
        ->capture_default_str();
    app.add_option(
           "--pieces", options_.pieces_file,
           "For an overlay: lines 'supervoxel,label', what the supervoxels are pieces of; touching pieces of one "
           "label in two chunks are held together")
        ->type_name("FILE");
    app.add_option("--agglomeration", options_.agglomeration_file,
                   "Lines 'label,object': the labels that begin as one object")
        ->type_name("FILE");
    app.add_option("--fuse", fuse_, "Make two labels one first: a false merger. May be given again")->type_name("A,B");
    app.add_option("--graph-id", options_.graph_id, "The name of the graph")->capture_default_str();
    app.add_option("--scales", options_.scales,
                   "Scales of the volume, the finest among them; default: until one fits in a chunk of the store, of "
                   "an overlay 1")
        ->type_name("COUNT")
        ->check(CLI::Range(1, graph::kScaleCountMax));
    app.add_option("--threads", options_.threads, "Threads to use; default: one for each processor")
        ->check(CLI::Range(1, 1024));
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(options_.chunk_size, Named("--chunk-size", ParseExtent(chunk_size_)));
    if (!resolution_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(options_.voxel_size_nm, Named("--resolution", ParseVoxelSize(resolution_)));
    }
    if (!offset_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(options_.voxel_offset, Named("--voxel-offset", ParsePoint(offset_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(options_.base, Named("--base", ParseBaseKind(base_)));
    for (const std::string& pair : fuse_) {
      CLEAVE_ASSIGN_OR_RETURN(const ingest::FusePair parsed, Named("--fuse", ParseFusePair(pair)));
      options_.fuse.push_back(parsed);
    }
    CLEAVE_ASSIGN_OR_RETURN(const ingest::IngestReport report, ingest::Ingest(options_, console.progress()));
    console.Show(IngestReportJson(options_.project_folder, report), IngestReportText(options_.project_folder, report));
    return absl::OkStatus();
  }

 private:
  ingest::IngestOptions options_;
  std::string resolution_;
  std::string chunk_size_ = "128,128,128";
  std::string base_ = "copy";
  std::string offset_;
  std::vector<std::string> fuse_;
};

}  // namespace

std::unique_ptr<Command> MakeInitCommand() { return std::make_unique<InitCommand>(); }

}  // namespace cleave::cli
