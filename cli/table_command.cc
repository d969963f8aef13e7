#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "graph/table_dump.h"
#include "ingest/table_load.h"

namespace cleave::cli {
namespace {

class TableDumpCommand final : public Command {
 public:
  CommandText text() const override {
    return {"table dump", "", "Write a project's table to a file, with rows as PyChunkedGraph reads them",
            "cleave table dump demo --out demo.jsonl.zst"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--out", out_, "The file to write: JSON lines, compressed where it ends in .zst")
        ->type_name("FILE")
        ->required();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_ASSIGN_OR_RETURN(const graph::TableDumpReport report,
                            graph::DumpTable(*project.dataset, out_, console.progress()));
    const Json json = {{"out", out_},
                       {"rows", report.rows},
                       {"nodes", report.nodes},
                       {"operations", report.operations},
                       {"lifted_cells", report.lifted_cells}};
    console.Show(json,
                 absl::StrCat("wrote ", out_, ": ", CountText(report.rows), " rows, of them ", CountText(report.nodes),
                              " nodes and ", CountText(report.operations), " operations\n"));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string out_;
};

class TableLoadCommand final : public Command {
 public:
  CommandText text() const override {
    return {"table load", "", "Make a project from a table that PyChunkedGraph wrote, its segmentation and edge files",
            "cleave table load graph.jsonl.zst demo --segmentation file:///data/watershed/ --edges /data/edges"};
  }

  void Register(CLI::App& app) override {
    app.add_option("DUMP", options_.dump, "The file, as `cleave table dump` writes it")->required();
    app.add_option("PROJECT", options_.project_folder, "The folder to make")->required();
    app.add_option("--segmentation", options_.labels,
                   "PATH.npy, PATH.npy.zst or the URL of a precomputed volume: the supervoxels as they are now")
        ->type_name("FILE|URL")
        ->required();
    app.add_option("--edges", options_.edges, "The folder of edges_X_Y_Z.proto.zst")
        ->type_name("FOLDER|URL")
        ->required();
    app.add_option("--chunk-size", chunk_size_, "Voxels of a chunk of the graph; default: what the dump says")
        ->type_name("X,Y,Z");
    app.add_option("--resolution", resolution_, "The size of a voxel in nm; default: what the volume says")
        ->type_name("X,Y,Z");
    app.add_option("--voxel-offset", offset_, "The first voxel of the volume; default: the source's own")
        ->type_name("X,Y,Z");
    app.add_option("--graph-id", graph_id_, "The name of the graph; default: what the dump says");
    app.add_option("--threads", options_.threads, "Threads to use; default: one for each processor")
        ->check(CLI::Range(1, 1024));
  }

  absl::Status Run(Console& console) override {
    if (!chunk_size_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(options_.chunk_size, Named("--chunk-size", ParseExtent(chunk_size_)));
    }
    if (!resolution_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(options_.voxel_size_nm, Named("--resolution", ParseVoxelSize(resolution_)));
    }
    if (!offset_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(options_.voxel_offset, Named("--voxel-offset", ParsePoint(offset_)));
    }
    if (!graph_id_.empty()) {
      options_.graph_id = graph_id_;
    }
    CLEAVE_ASSIGN_OR_RETURN(const ingest::TableLoadReport report, ingest::LoadTable(options_, console.progress()));
    const Json json = {{"project", options_.project_folder},
                       {"rows", report.rows},
                       {"skipped", report.skipped},
                       {"nodes", report.nodes},
                       {"supervoxels", report.supervoxels},
                       {"operations", report.operations},
                       {"unfinished_operations", report.unfinished_operations},
                       {"recovered_l2_nodes", report.recovered_l2_nodes},
                       {"seconds", {{"total", report.seconds}}}};
    console.Show(json, Text(report));
    return absl::OkStatus();
  }

 private:
  std::string Text(const ingest::TableLoadReport& report) const {
    std::string text =
        absl::StrCat("made ", options_.project_folder, "\n  rows         ", CountText(report.rows), "\n  supervoxels  ",
                     CountText(report.supervoxels), "\n  operations   ", CountText(report.operations));
    if (report.unfinished_operations > 0) {
      absl::StrAppend(&text, ", ", CountText(report.unfinished_operations), " of which never ended");
    }
    return absl::StrCat(text, absl::StrFormat("\n  time         %.2f s\n", report.seconds));
  }

  ingest::TableLoadOptions options_;
  std::string chunk_size_;
  std::string resolution_;
  std::string offset_;
  std::string graph_id_;
};

}  // namespace

std::unique_ptr<Command> MakeTableDumpCommand() { return std::make_unique<TableDumpCommand>(); }
std::unique_ptr<Command> MakeTableLoadCommand() { return std::make_unique<TableLoadCommand>(); }

}  // namespace cleave::cli
