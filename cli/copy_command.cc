#include <filesystem>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/branch.h"

namespace cleave::cli {
namespace {

class CopyCommand final : public Command {
 public:
  CommandText text() const override {
    return {"copy", "Project", "Make a graph of its own name that begins as this one is, with its own fork and meshes",
            "cleave copy demo sandbox\n"
            "cleave copy demo /data/trial --graph-id demo_trial --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("SOURCE", source_, "The project's folder")->required();
    app.add_option("DESTINATION", destination_, "The folder of the new one, which must not exist or be empty")
        ->required();
    app.add_option("--graph-id", graph_id_, "The name of the new graph; default: that of the folder DESTINATION")
        ->type_name("NAME");
  }

  absl::Status Run(Console& console) override {
    std::string graph_id = graph_id_;
    if (graph_id.empty()) {
      graph_id = std::filesystem::absolute(destination_ + "/").lexically_normal().parent_path().filename().string();
    }
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(source_, console));
    absl::StatusOr<edit::BranchReport> report = edit::CopyProject(*project.dataset, destination_, graph_id);
    if (!report.ok()) {
      return graph_id_.empty() ? Annotate(report.status(), absl::StrCat("graph id ", graph_id, " (see --graph-id)"))
                               : report.status();
    }
    const bool has_meshes = !report->dynamic_mesh_dir.empty();
    console.Show(
        {{"project", destination_},
         {"graph_id", report->graph_id},
         {"dynamic_mesh_dir", has_meshes ? Json(report->dynamic_mesh_dir) : Json()},
         {"time", TimeText(report->time)},
         {"generation", report->generation},
         {"operations", report->operation_count},
         {"linked_files", report->files.linked},
         {"copied_files", report->files.copied}},
        absl::StrCat("made ", destination_, ", graph ", report->graph_id, ", as of ", TimeText(report->time), ": ",
                     CountText(report->operation_count), " operations; ", CountText(report->files.linked),
                     " files linked, ", CountText(report->files.copied), " copied",
                     has_meshes ? absl::StrCat("; meshes of edits go to ", report->dynamic_mesh_dir) : "", "\n"));
    return absl::OkStatus();
  }

 private:
  std::string source_;
  std::string destination_;
  std::string graph_id_;
};

}  // namespace

std::unique_ptr<Command> MakeCopyCommand() { return std::make_unique<CopyCommand>(); }

}  // namespace cleave::cli
