#include "CLI/CLI.hpp"
#include "cli/arguments.h"
#include "cli/base_kind.h"
#include "cli/command.h"
#include "cli/ingest_report.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "graph/graph_meta.h"
#include "ingest/file_ingest.h"

namespace cleave::cli {
namespace {

class IngestCommand final : public Command {
 public:
  CommandText text() const override {
    return {
        "ingest", "Project", "Make a project from a segmentation with chunk ids, edge files and component files",
        "cleave ingest demo --segmentation file:///data/watershed/ --edges /data/edges --components /data/components "
        "--chunk-size 256,256,512"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", options_.base.project_folder, "The folder to make, or one whose ingest was stopped")
        ->required();
    app.add_option("--segmentation", options_.base.labels,
                   "PATH.npy, PATH.npy.zst or the URL of a precomputed volume; its labels are supervoxel ids")
        ->type_name("FILE|URL")
        ->required();
    app.add_option("--edges", options_.edges, "The folder of edges_X_Y_Z.proto.zst")
        ->type_name("FOLDER|URL")
        ->required();
    app.add_option("--components", options_.components,
                   "The folder of components_X_Y_Z.proto; default: every supervoxel begins as it is cut by chunks")
        ->type_name("FOLDER|URL");
    app.add_option("--chunk-size", chunk_size_, "Voxels of a chunk of the graph, as the ids were made")
        ->type_name("X,Y,Z")
        ->required();
    app.add_option("--resolution", resolution_, "The size of a voxel in nm; default: what the volume says")
        ->type_name("X,Y,Z");
    app.add_option("--voxel-offset", offset_, "The first voxel of the volume; default: the source's own")
        ->type_name("X,Y,Z");
    app.add_option("--base", base_,
                   "'copy': the project holds all voxels. 'overlay': it reads them where they are, in a precomputed "
                   "volume")
        ->type_name("KIND")
        ->capture_default_str();
    app.add_option("--graph-id", options_.base.graph_id, "The name of the graph")->capture_default_str();
    app.add_option("--scales", options_.base.scales,
                   "Scales of the volume, the finest among them; default: until one fits in a chunk of the store, of "
                   "an overlay 1")
        ->type_name("COUNT")
        ->check(CLI::Range(1, graph::kScaleCountMax));
    app.add_option("--threads", options_.base.threads, "Threads to use; default: one for each processor")
        ->check(CLI::Range(1, 1024));
  }

  absl::Status Run(Console& console) override {
    ingest::IngestOptions& base = options_.base;
    CLEAVE_ASSIGN_OR_RETURN(base.chunk_size, Named("--chunk-size", ParseExtent(chunk_size_)));
    if (!resolution_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(base.voxel_size_nm, Named("--resolution", ParseVoxelSize(resolution_)));
    }
    if (!offset_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(base.voxel_offset, Named("--voxel-offset", ParsePoint(offset_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(base.base, Named("--base", ParseBaseKind(base_)));
    CLEAVE_ASSIGN_OR_RETURN(const ingest::IngestReport report, ingest::IngestFiles(options_, console.progress()));
    console.Show(IngestReportJson(base.project_folder, report), IngestReportText(base.project_folder, report));
    return absl::OkStatus();
  }

 private:
  ingest::FileIngestOptions options_;
  std::string chunk_size_;
  std::string resolution_;
  std::string offset_;
  std::string base_ = "copy";
};

}  // namespace

std::unique_ptr<Command> MakeIngestCommand() { return std::make_unique<IngestCommand>(); }

}  // namespace cleave::cli
