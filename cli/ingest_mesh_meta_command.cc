#include <filesystem>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "ingest/dataset_file.h"
#include "ingest/ingest_folder.h"
#include "mesh/mesh_settings.h"

namespace cleave::cli {
namespace {

class IngestMeshMetaCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ingest mesh-meta", "", "Store what mesh workers and clients must know of a project's meshes",
            "cleave ingest mesh-meta demo --max-layer 4\n"
            "cleave ingest mesh-meta dataset.yaml\n"
            "cleave ingest mesh-meta demo --folder file:///data/demo/ --dir graphene_meshes"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder, or the dataset file that it was made from")->required();
    app.add_option("--folder", folder_, "Where the folder of meshes lies; default: the project's own folder 'meshes'")
        ->type_name("FOLDER|URL");
    app.add_option("--dir", asked_.dir, "The folder of meshes below that; default: mesh")->type_name("NAME");
    app.add_option("--dynamic-dir", asked_.dynamic_dir,
                   "The folder of this graph's own meshes below that; default: dynamic_GRAPH")
        ->type_name("NAME");
    app.add_option("--max-layer", asked_.max_layer,
                   "The highest layer whose nodes get meshes; default: the one below roots, at most 6")
        ->type_name("LAYER");
    app.add_option("--mip", asked_.mip, "The scale that meshes are made of; default: 0")->type_name("SCALE");
    app.add_option("--max-error", asked_.max_error_nm, "How far simplification may move a surface, in nm; default: 40")
        ->type_name("NM");
    app.add_option("--draco-grid-size", asked_.draco_grid_size_nm,
                   "The lattice of Draco's positions, in nm; default: half of the smallest side of a voxel")
        ->type_name("NM");
    app.add_option("--minishard-bits", asked_.minishard_bits, "Of the shards of every layer; default: 3")
        ->type_name("BITS");
    app.add_option("--initial-time", initial_time_,
                   "Meshes of nodes made before it are in shards; stays once it is stored. Default: right after ingest")
        ->type_name("TIME");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const mesh::MeshSettings settings, Settings());
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_ASSIGN_OR_RETURN(const mesh::MeshMetaReport report, mesh::StoreMeshMeta(*project.dataset, settings));
    if (report.kept_initial_time) {
      console.Note(absl::StrCat("the initial time stays ", TimeText(report.meta.initial_time),
                                ": meshes were sorted by it into shards and single files"),
                   /*important=*/true);
    }
    Json changes = Json::array();
    for (const mesh::MeshChange& change : report.changes) {
      changes.push_back(
          {{"where", change.where}, {"member", change.member}, {"before", change.before}, {"now", change.now}});
    }
    console.Show({{"project", project_},
                  {"first", report.is_first},
                  {"info_file", report.info_file},
                  {"initial_time", TimeText(report.meta.initial_time)},
                  {"initial_time_kept", report.kept_initial_time},
                  {"record", Json::parse(mesh::FormatMeshMeta(report.meta))},
                  {"info", Json::parse(mesh::FormatMeshInfo(report.info))},
                  {"changes", changes}},
                 Text(report));
    return absl::OkStatus();
  }

 private:
  static std::string TimeText(absl::Time time) {
    return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
  }

  // The file's section, and over it what the command line says.
  absl::StatusOr<mesh::MeshSettings> Settings() {
    ingest::DatasetFile dataset;
    if (std::filesystem::is_regular_file(project_)) {
      CLEAVE_ASSIGN_OR_RETURN(dataset, ingest::ReadDatasetFile(project_));
      project_ = dataset.options.base.project_folder;
    } else if (absl::StatusOr<ingest::DatasetFile> kept = ingest::IngestFolder(project_).ReadDataset(); kept.ok()) {
      dataset = *std::move(kept);
    }
    mesh::MeshSettings settings;
    if (!dataset.mesh.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(settings, mesh::ParseMeshSettings(dataset.mesh));
    }
    if (!folder_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(asked_.folder, Named("--folder", mesh::MeshFolderUrl(AbsoluteFolder())));
    }
    if (!initial_time_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(const absl::Time time, Named("--initial-time", ParseTime(initial_time_)));
      asked_.initial_time = absl::FromUnixMillis(absl::ToUnixMillis(time));
    }
    const auto put = [](auto& target, const auto& given) { target = given.has_value() ? given : target; };
    put(settings.folder, asked_.folder);
    put(settings.dir, asked_.dir);
    put(settings.dynamic_dir, asked_.dynamic_dir);
    put(settings.max_layer, asked_.max_layer);
    put(settings.mip, asked_.mip);
    put(settings.max_error_nm, asked_.max_error_nm);
    put(settings.draco_grid_size_nm, asked_.draco_grid_size_nm);
    put(settings.minishard_bits, asked_.minishard_bits);
    put(settings.initial_time, asked_.initial_time);
    return settings;
  }

  std::string AbsoluteFolder() const {
    return folder_.find("://") != std::string::npos ? folder_
                                                    : std::filesystem::absolute(folder_).lexically_normal().string();
  }

  std::string Text(const mesh::MeshMetaReport& report) const {
    std::string text =
        absl::StrCat(report.is_first          ? "stored"
                     : report.changes.empty() ? "nothing changes in"
                                              : "changed",
                     " what is known of the meshes of ", project_, "; ", report.info_file,
                     " says how they are sharded, and nodes made from ", TimeText(report.meta.initial_time),
                     " on have files of their own in ", report.meta.dynamic_dir, "/\n");
    for (const mesh::MeshChange& change : report.changes) {
      absl::StrAppend(&text, "  ", change.where, " ", change.member, ": ",
                      change.before.empty() ? "nothing" : change.before, " -> ",
                      change.now.empty() ? "nothing" : change.now, "\n");
    }
    return text;
  }

  std::string project_;
  std::string folder_;
  std::string initial_time_;
  mesh::MeshSettings asked_;
};

}  // namespace

std::unique_ptr<Command> MakeIngestMeshMetaCommand() { return std::make_unique<IngestMeshMetaCommand>(); }

}  // namespace cleave::cli
