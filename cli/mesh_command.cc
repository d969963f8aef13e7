#include <fstream>
#include <optional>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "mesh/object_mesh.h"

namespace cleave::cli {
namespace {

class MeshCommand final : public Command {
 public:
  CommandText text() const override {
    return {"mesh", "Look", "Write the surface of an object, in nanometres",
            "cleave mesh demo --root 288230376151711745 --out neuron.ply\n"
            "cleave mesh demo --root 288230376151711745 --box 0,0,0,128,128,64 --out part.ply"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--root", root_, "The object's id; a node of any layer is taken as well")
        ->type_name("ID")
        ->required();
    app.add_option("--box", box_, "Only the part in this box")->type_name("X0,Y0,Z0,X1,Y1,Z1");
    app.add_option("--out", out_, "FILE.ply, or any other name for Neuroglancer's single-resolution mesh format")
        ->type_name("FILE")
        ->required();
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const graph::NodeId root, Named("--root", ParseNodeId(root_)));
    std::optional<Box> box;
    if (!box_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(box, Named("--box", ParseBox(box_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_ASSIGN_OR_RETURN(const mesh::Mesh surface,
                            mesh::MeshOfNode(*project.dataset, root, box, console.progress()));
    std::ofstream file(out_, std::ios::binary | std::ios::trunc);
    file << (absl::EndsWith(out_, ".ply") ? mesh::EncodePly(surface) : mesh::EncodeLegacyMesh(surface));
    if (!file.flush()) {
      return absl::InvalidArgumentError(absl::StrCat("cannot write ", out_));
    }
    console.Show(
        {{"root", ToJson(root)},
         {"vertices", surface.vertices_nm.size()},
         {"triangles", surface.triangles.size()},
         {"out", out_}},
        absl::StrCat("wrote ", out_, ": ", CountText(static_cast<int64_t>(surface.triangles.size())), " triangles\n"));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string root_;
  std::string box_;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> MakeMeshCommand() { return std::make_unique<MeshCommand>(); }

}  // namespace cleave::cli
