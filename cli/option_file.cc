#include "cli/option_file.h"

#include <set>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "yaml-cpp/yaml.h"

namespace cleave::cli {
namespace {

absl::Status WrongAt(const std::string& path, const YAML::Mark& mark, absl::string_view what) {
  return absl::InvalidArgumentError(mark.is_null() ? absl::StrCat(path, ": ", what)
                                                   : absl::StrCat(path, ", line ", mark.line + 1, ": ", what));
}

// Options that may stand in a file: those with a long name, except those that are about this run alone.
CLI::Option* FindOption(CLI::App& app, const std::string& name) {
  static const std::set<std::string> of_this_run = {"help", "config", "json", "quiet"};
  return of_this_run.contains(name) ? nullptr : app.get_option_no_throw("--" + name);
}

absl::Status Set(CLI::Option& option, const std::vector<std::string>& values) {
  try {
    for (const std::string& value : values) {
      option.add_result(value);
    }
    option.run_callback();
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return absl::OkStatus();
}

// A value, or those of a list; empty for anything else.
std::vector<std::string> ValuesOf(const YAML::Node& node) {
  if (node.IsScalar()) {
    return {node.Scalar()};
  }
  std::vector<std::string> values;
  for (size_t i = 0; node.IsSequence() && i < node.size(); ++i) {
    if (!node[i].IsScalar()) {
      return {};
    }
    values.push_back(node[i].Scalar());
  }
  return values;
}

absl::Status ApplyMap(CLI::App& app, const std::string& path, const YAML::Node& map) {
  std::set<std::string> seen;
  for (const auto& entry : map) {
    const YAML::Mark mark = entry.first.Mark();
    const std::vector<std::string> values = ValuesOf(entry.second);
    if (!entry.first.IsScalar() || values.empty()) {
      return WrongAt(path, mark, "expected 'OPTION: VALUE'");
    }
    const std::string& name = entry.first.Scalar();
    CLI::Option* option = FindOption(app, name);
    if (option == nullptr) {
      return WrongAt(path, mark, absl::StrCat("there is no option '", name, "'; see --help"));
    }
    if (!seen.insert(name).second) {
      return WrongAt(path, mark, absl::StrCat("'", name, "' is given twice"));
    }
    if (entry.second.IsSequence() && option->get_items_expected_max() < 2) {
      return WrongAt(path, mark, absl::StrCat("'", name, "' takes one value, not a list"));
    }
    if (option->count() > 0) {
      continue;  // on the command line
    }
    if (const absl::Status status = Set(*option, values); !status.ok()) {
      return WrongAt(path, mark, status.message());
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyOptionFile(CLI::App& app, const std::string& path) {
  YAML::Node file;
  try {
    file = YAML::LoadFile(path);
  } catch (const YAML::BadFile&) {
    return absl::NotFoundError(absl::StrCat("cannot read ", path));
  } catch (const YAML::Exception& error) {
    return WrongAt(path, error.mark, error.msg);
  }
  if (file.IsNull()) {
    return absl::OkStatus();  // nothing but comments
  }
  return file.IsMap() ? ApplyMap(app, path, file) : WrongAt(path, file.Mark(), "expected lines 'OPTION: VALUE'");
}

}  // namespace cleave::cli
