#include "cli/graph_arguments.h"

#include <fstream>
#include <iostream>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/arguments.h"
#include "cli/moment.h"
#include "nlohmann/json.hpp"

#include "base/status.h"

namespace cleave::cli {
namespace {

absl::Status ReadIds(const std::string& path, std::vector<std::string>& ids) {
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) {
      return absl::InvalidArgumentError(absl::StrCat("--file: cannot read ", path));
    }
  }
  std::istream& in = path == "-" ? std::cin : file;
  for (std::string line; std::getline(in, line);) {
    if (const absl::string_view id = absl::StripAsciiWhitespace(line); !id.empty()) {
      ids.emplace_back(id);
    }
  }
  return in.bad() ? absl::InvalidArgumentError(absl::StrCat("--file: cannot read ", path)) : absl::OkStatus();
}

}  // namespace

void RegisterGraph(CLI::App& app, GraphText& text, const GraphOptions& options, const std::string& ids_help) {
  app.add_option("PROJECT", text.project, "The project's folder")->required();
  if (options.ids) {
    app.add_option("--ids", text.ids, ids_help)->type_name("ID,ID,...")->delimiter(',');
    app.add_option("--file", text.file, "A file with ids, one a line; - is standard input")->type_name("PATH");
  }
  if (options.at) {
    app.add_option("--at", text.at, "The state at this time instead of the newest")->type_name("TIME");
  }
  if (options.box) {
    app.add_option("--box", text.box, "Only nodes whose chunk overlaps this box")->type_name("X0,Y0,Z0,X1,Y1,Z1");
  }
}

absl::StatusOr<GraphQuestion> OpenGraph(const GraphText& text, Console& console) {
  std::vector<std::string> texts = text.ids;
  if (!text.file.empty()) {
    CLEAVE_RETURN_IF_ERROR(ReadIds(text.file, texts));
  }
  GraphQuestion question;
  CLEAVE_ASSIGN_OR_RETURN(question.ids, Named("ids", ParseNodeIds(texts)));
  if (!text.box.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(question.box, Named("--box", ParseBox(text.box)));
  }
  CLEAVE_ASSIGN_OR_RETURN(question.project, OpenProject(text.project, console));
  for (const graph::NodeId id : question.ids) {
    CLEAVE_RETURN_IF_ERROR(question.project.dataset->layout().Validate(id));
  }
  CLEAVE_ASSIGN_OR_RETURN(const edit::Instant instant,
                          ResolveMoment(*question.project.dataset, {.at = text.at, .generation = ""}));
  question.at = instant.graph_time;
  return question;
}

absl::StatusOr<GraphQuestion> OpenGraphWithIds(const GraphText& text, Console& console) {
  CLEAVE_ASSIGN_OR_RETURN(GraphQuestion question, OpenGraph(text, console));
  if (question.ids.empty()) {
    return absl::InvalidArgumentError("give ids with --ids or --file; see --help");
  }
  return question;
}

Json AtJson(const GraphQuestion& question) {
  return question.at == absl::InfiniteFuture() ? Json() : Json(TimeText(question.at));
}

std::string IdLine(const std::vector<graph::NodeId>& ids) { return absl::StrJoin(graph::ToIntegers(ids), " "); }

absl::StatusOr<absl::Time> TimeOr(const std::string& option, const std::string& text, absl::Time otherwise) {
  return text.empty() ? absl::StatusOr<absl::Time>(otherwise) : Named(option, ParseTime(text));
}

}  // namespace cleave::cli
