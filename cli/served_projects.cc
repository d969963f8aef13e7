#include "cli/served_projects.h"

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::cli {
namespace {

namespace fs = std::filesystem;

// Of half a second each: several people may cut voxels of one chunk at once, on a machine that is busy, too.
constexpr int kLockTries = 40;

NamedProject ReadArgument(const std::string& text) {
  std::error_code error;
  const size_t mark = text.find('=');
  if (mark == std::string::npos || fs::is_directory(text, error)) {
    return {.name = "", .folder = text, .project = {}};
  }
  return {.name = text.substr(0, mark), .folder = text.substr(mark + 1), .project = {}};
}

std::string FolderName(const std::string& folder) {
  std::error_code error;
  const fs::path path = fs::weakly_canonical(folder, error);
  return path.filename().string();
}

void GiveNames(std::vector<NamedProject>& projects) {
  std::map<std::string, int> counts;
  for (const NamedProject& one : projects) {
    ++counts[one.name.empty() ? one.project.dataset->meta().graph_id : one.name];
  }
  for (NamedProject& one : projects) {
    if (one.name.empty()) {
      const std::string& graph_id = one.project.dataset->meta().graph_id;
      one.name = counts[graph_id] == 1 ? graph_id : FolderName(one.folder);
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<NamedProject>> OpenProjects(const std::vector<std::string>& given, Console& console) {
  std::vector<NamedProject> projects;
  std::map<std::string, std::string> seen;  // by the folder's full path
  for (const std::string& text : given) {
    NamedProject one = ReadArgument(text);
    if (one.folder != text) {
      CLEAVE_RETURN_IF_ERROR(server::ValidateName(one.name));
    }
    std::error_code error;
    const auto [place, is_new] = seen.emplace(fs::weakly_canonical(one.folder, error).string(), text);
    if (!is_new) {
      return absl::InvalidArgumentError(absl::StrCat(place->second, " and ", text, " are the same project"));
    }
    absl::StatusOr<Project> opened = OpenProject(one.folder, console, {.lock_tries = kLockTries});
    if (!opened.ok()) {
      return given.size() == 1 ? opened.status() : Annotate(opened.status(), one.folder);
    }
    one.project = *std::move(opened);
    projects.push_back(std::move(one));
  }
  GiveNames(projects);
  CLEAVE_RETURN_IF_ERROR(server::ValidateNames(Served(projects)));
  return projects;
}

std::vector<server::ServedDataset> Served(const std::vector<NamedProject>& projects) {
  std::vector<server::ServedDataset> served;
  served.reserve(projects.size());
  for (const NamedProject& one : projects) {
    served.push_back({one.name, one.project.dataset.get(), one.project.editor.get()});
  }
  return served;
}

}  // namespace cleave::cli
