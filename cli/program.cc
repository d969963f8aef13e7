#include "cli/program.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/exit_code.h"

namespace cleave::cli {
namespace {

constexpr char kSummary[] =
    "cleave: proofreading for connectomics. A project is a folder that holds a versioned segmentation and the\n"
    "chunked graph over it. Points are X,Y,Z in voxels of scale 0; boxes X0,Y0,Z0,X1,Y1,Z1 with the upper end\n"
    "excluded; times are RFC 3339 (2026-01-31T12:00:00Z) or seconds since 1970.";
constexpr char kExitCodes[] =
    "Exit codes: 0 done; 1 internal error; 2 wrong arguments or input; 3 not found; 4 refused by the present state;\n"
    "5 damaged data; 6 in use by another process. 'cleave COMMAND --help' tells more; docs/cli.md tells all.";

// A group of commands: `cleave NAME COMMAND`.
struct GroupText {
  absl::string_view name;
  absl::string_view heading;
  absl::string_view summary;
  absl::string_view examples;
};
constexpr GroupText kGroups[] = {
    {"graph", "Ask", "Ask the graph: nodes, edges, ways, history, for one id or for many",
     "cleave graph roots demo --ids 72057594037927941,72057594037927942\n"
     "cleave graph lineage demo --ids 288230376151711745"},
    {"stuck", "Project", "Look at operations that were left in the middle, and settle them",
     "cleave stuck list demo\ncleave stuck show demo 17\ncleave stuck replay demo 17"},
    {"table", "Project", "Exchange a project's table with PyChunkedGraph",
     "cleave table dump demo --out demo.jsonl.zst\n"
     "cleave table load graph.jsonl.zst demo --segmentation file:///data/watershed/ --edges /data/edges"},
    {"profile", "Try", "Record an edit with all that it reads, and time it from there, after a change of the program",
     "cleave profile record demo slow-cut --source 120,80,12 --sink 131,84,12\n"
     "cleave profile replay slow-cut --stage \"voxel cut\" --runs 20"},
    {"worker", "Serve", "Do what follows edits where no server does it, and jobs of an ingest",
     "cleave worker downsample demo\ncleave worker redis demo --redis redis://localhost\ncleave worker ingest demo"},
    {"ocdbt", "Store", "Keep a versioned key-value store: an OCDBT database, TensorStore's format",
     "cleave ocdbt create store\ncleave ocdbt put store greeting hello\ncleave ocdbt versions store"},
};

std::string Examples(absl::string_view lines) {
  std::string text = "Example:";
  for (const absl::string_view line : absl::StrSplit(lines, '\n')) {
    absl::StrAppend(&text, "\n  ", line);
  }
  return text;
}

// Where a command belongs, and its name there. "ocdbt ls" belongs to the group `ocdbt`.
std::pair<CLI::App*, std::string> ParentOf(CLI::App& app, const std::string& name) {
  const std::vector<std::string> words = absl::StrSplit(name, ' ');
  if (words.size() == 1) {
    return {&app, name};
  }
  const std::vector<CLI::App*> present =
      app.get_subcommands([&](const CLI::App* other) { return other->get_name() == words[0]; });
  if (!present.empty()) {
    return {present.front(), words[1]};
  }
  const auto* const text =
      std::ranges::find_if(kGroups, [&](const GroupText& group) { return group.name == words[0]; });
  CLI::App* group = app.add_subcommand(words[0], std::string(text->summary));
  group->group(std::string(text->heading));
  group->require_subcommand(1);
  group->footer(Examples(text->examples));
  return {group, words[1]};
}

void AddCommand(CLI::App& app, Command& command, OutputMode& mode) {
  const CommandText text = command.text();
  const auto [parent, name] = ParentOf(app, text.name);
  CLI::App* added = parent->add_subcommand(name, text.summary);
  added->group(text.group.empty() ? "Commands" : text.group);
  added->footer(Examples(text.example));
  command.Register(*added);
  added->add_flag("--json", mode.json, "Print the result as one JSON object");
  added->add_flag("--quiet", mode.quiet, "No progress and no remarks on standard error");
}

// `ingest` is a command, and has commands below it. Where one of these is asked for, it asks for nothing itself.
void RelaxCommandsAbove(CLI::App& app, const std::vector<std::string>& arguments) {
  CLI::App* command = &app;
  for (const std::string& word : arguments) {
    const std::vector<CLI::App*> below =
        command->get_subcommands([&](const CLI::App* other) { return other->get_name() == word; });
    if (below.empty()) {
      return;
    }
    for (CLI::Option* option : command->get_options()) {
      option->required(false);
    }
    command = below.front();
  }
}

// The name of the command that was asked for.
std::string ChosenCommand(const CLI::App& app) {
  const CLI::App* command = app.get_subcommands().front();
  std::string name = command->get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    absl::StrAppend(&name, " ", command->get_name());
  }
  return name;
}

// An exception of a library (most likely: no memory) is an error like any other.
absl::Status RunGuarded(Command& command, Console& console) {
  try {
    return command.Run(console);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory; try a smaller box");
  } catch (const std::exception& e) {
    return absl::InternalError(e.what());
  }
}

}  // namespace

int RunProgram(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  CLI::App app(kSummary, "cleave");
  app.footer(kExitCodes);
  app.require_subcommand(1);
  app.set_version_flag("--version", "cleave " CLEAVE_VERSION);
  OutputMode mode;
  const std::vector<std::unique_ptr<Command>> commands = MakeCommands();
  for (const std::unique_ptr<Command>& command : commands) {
    AddCommand(app, *command, mode);
  }
  RelaxCommandsAbove(app, arguments);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& asked) {  // help or version
    return app.exit(asked, out, err);
  } catch (const CLI::Error& error) {
    mode.json = std::ranges::find(arguments, "--json") != arguments.end();
    Console(out, err, mode).ShowError(absl::InvalidArgumentError(absl::StrCat(error.what(), "; see --help")));
    return static_cast<int>(ExitCode::kUsage);
  }
  const std::string chosen = ChosenCommand(app);
  const auto command = std::ranges::find_if(commands, [&](const auto& c) { return c->text().name == chosen; });
  Console console(out, err, mode);
  const absl::Status status = RunGuarded(**command, console);
  if (!status.ok()) {
    console.ShowError(status);
  }
  return static_cast<int>(ExitCodeOf(status));
}

}  // namespace cleave::cli
