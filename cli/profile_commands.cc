#include <algorithm>
#include <filesystem>
#include <iterator>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/arguments.h"
#include "cli/batch_file.h"
#include "cli/command.h"
#include "cli/edit_report.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "cli/user_name.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/recording.h"

namespace cleave::cli {
namespace {

Json PointsJson(const std::vector<VoxelPoint>& points) {
  Json list = Json::array();
  for (const VoxelPoint point : points) {
    list.push_back({point.x, point.y, point.z});
  }
  return list;
}

// The only edit of a file.
absl::StatusOr<edit::BatchItem> OneEdit(absl::string_view json) {
  CLEAVE_ASSIGN_OR_RETURN(edit::BatchRequest batch, ParseBatch(json, UserName()));
  if (batch.items.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a recording is of one edit; the file has ", batch.items.size(), " of them"));
  }
  return std::move(batch.items.front());
}

std::string MebibytesText(int64_t bytes) { return absl::StrFormat("%.2f MiB", static_cast<double>(bytes) / (1 << 20)); }

struct Spread {
  explicit Spread(std::vector<absl::Duration> durations) : sorted(std::move(durations)) { std::ranges::sort(sorted); }
  [[nodiscard]] absl::Duration median() const { return sorted[sorted.size() / 2]; }
  [[nodiscard]] Json json() const {
    return {{"min", absl::ToDoubleSeconds(sorted.front())},
            {"median", absl::ToDoubleSeconds(median())},
            {"max", absl::ToDoubleSeconds(sorted.back())}};
  }
  [[nodiscard]] std::string text() const {
    return absl::StrFormat("%.2f ms (%.2f to %.2f)", absl::ToDoubleMilliseconds(median()),
                           absl::ToDoubleMilliseconds(sorted.front()), absl::ToDoubleMilliseconds(sorted.back()));
  }

  std::vector<absl::Duration> sorted;
};

class ProfileRecordCommand final : public Command {
 public:
  CommandText text() const override {
    return {"profile record", "", "Record one edit with all that its plan reads, in a folder of its own; edit nothing",
            "cleave profile record demo slow-cut --source 120,80,12 --sink 131,84,12\n"
            "cleave profile record demo slow-cut --edit edit.json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("RECORDING", folder_, "The folder to make")->required();
    CLI::Option* edit = app.add_option("--edit", file_, "The edit: a file as `cleave batch` takes it, with one item")
                            ->type_name("FILE.json");
    CLI::Option* sources =
        app.add_option("--source", sources_, "A split instead: voxels of one part")->type_name("X,Y,Z")->excludes(edit);
    app.add_option("--sink", sinks_, "Voxels of the other part")->type_name("X,Y,Z")->excludes(edit)->needs(sources);
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const std::string edit_text, EditText());
    const std::string name = file_.empty() ? "the split" : file_;
    CLEAVE_ASSIGN_OR_RETURN(const edit::BatchItem item, Named(name, OneEdit(edit_text)));
    CLEAVE_ASSIGN_OR_RETURN(const edit::Recording recording, edit::RecordEdit(project_, item, edit_text, folder_));
    console.Show(
        {{"recording", folder_},
         {"rows", recording.row_count},
         {"chunks", recording.chunk_count},
         {"edge_files", recording.edge_file_count},
         {"bytes", recording.read_bytes},
         {"profile", ProfileJson(recording.report.stages)}},
        absl::StrCat("recorded ", folder_, ": ", CountText(recording.row_count), " rows, ",
                     CountText(recording.chunk_count), " chunks of voxels, ", CountText(recording.edge_file_count),
                     " edge files, ", MebibytesText(recording.read_bytes), "\n", ProfileText(recording.report.stages)));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<std::string> EditText() const {
    if (!file_.empty()) {
      return ReadBatchFile(file_);
    }
    if (sources_.empty() || sinks_.empty()) {
      return absl::InvalidArgumentError("say which edit: --edit FILE.json, or --source and --sink of a split");
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<VoxelPoint> sources, Named("--source", ParsePoints(sources_)));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<VoxelPoint> sinks, Named("--sink", ParsePoints(sinks_)));
    const Json item = {{"kind", "split"}, {"sources", PointsJson(sources)}, {"sinks", PointsJson(sinks)}};
    return Json{{"items", Json::array({item})}}.dump() + "\n";
  }

  std::string project_;
  std::string folder_;
  std::string file_;
  std::vector<std::string> sources_;
  std::vector<std::string> sinks_;
};

class ProfileReplayCommand final : public Command {
 public:
  CommandText text() const override {
    return {"profile replay", "", "Plan a recorded edit again and time it: the whole, or one stage alone",
            "cleave profile replay slow-cut\n"
            "cleave profile replay slow-cut --stage \"voxel cut\" --runs 20 --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("RECORDING", folder_, "What `cleave profile record` made")->required();
    app.add_option("--stage", stage_, "Do this stage alone again and again, each time with what the edit gave it")
        ->type_name("NAME");
    app.add_option("--runs", runs_, "How often")->type_name("N")->check(CLI::Range(1, 100000))->capture_default_str();
  }

  absl::Status Run(Console& console) override {
    const std::string file = (std::filesystem::path(folder_) / edit::kRecordedEditFile).string();
    CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadBatchFile(file));
    CLEAVE_ASSIGN_OR_RETURN(const edit::BatchItem item, Named(file, OneEdit(text)));
    const edit::EditorOptions options = {
        .dry_run = true,
        .profile = true,
        .repetition = stage_.empty() ? StageRepetition{} : StageRepetition{stage_, runs_},
        .recovery_period = absl::ZeroDuration()};
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(folder_, console, options));
    return stage_.empty() ? ReplayWhole(*project.editor, item, console) : ReplayStage(*project.editor, item, console);
  }

 private:
  struct Timed {
    absl::Duration total;
    edit::EditReport report;
  };
  static absl::StatusOr<Timed> Plan(edit::Editor& editor, const edit::BatchItem& item) {
    const absl::Time start = absl::Now();
    CLEAVE_ASSIGN_OR_RETURN(edit::BatchReport batch, editor.Run({.items = {item}}));
    const absl::Duration total = absl::Now() - start;
    CLEAVE_RETURN_IF_ERROR(batch.items.front().status);
    return Timed{total, std::move(batch.items.front().edit)};
  }

  absl::Status ReplayWhole(edit::Editor& editor, const edit::BatchItem& item, Console& console) const {
    std::vector<Timed> all;
    for (int i = 0; i < runs_; ++i) {
      CLEAVE_ASSIGN_OR_RETURN(Timed timed, Plan(editor, item));
      all.push_back(std::move(timed));
    }
    std::ranges::sort(all, {}, &Timed::total);
    std::vector<absl::Duration> totals;
    std::ranges::transform(all, std::back_inserter(totals), &Timed::total);
    const Spread spread(std::move(totals));
    const Stages& stages = all[all.size() / 2].report.stages;
    console.Show({{"runs", runs_},
                  {"seconds", spread.json()},
                  {"profile", ProfileJson(stages)},
                  {"repeatable_stages", stages.repeatable()}},
                 absl::StrCat(runs_, " plans, each ", spread.text(), "; the one in the middle:\n", ProfileText(stages),
                              "stages for --stage: ", absl::StrJoin(stages.repeatable(), ", "), "\n"));
    return absl::OkStatus();
  }

  absl::Status ReplayStage(edit::Editor& editor, const edit::BatchItem& item, Console& console) const {
    CLEAVE_ASSIGN_OR_RETURN(const Timed timed, Plan(editor, item));
    const Stages& stages = timed.report.stages;
    if (stages.repeated().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--stage: this edit has no stage '", stage_,
                       "' that can be done alone; it has: ", absl::StrJoin(stages.repeatable(), ", ")));
    }
    const Spread spread(stages.repeated());
    const std::vector<StageProfile> profile = stages.Profile();
    const auto found = std::ranges::find(profile, stage_, &StageProfile::name);
    const int64_t peak_bytes = found == profile.end() ? 0 : found->peak_memory_bytes;
    console.Show({{"stage", stage_},
                  {"runs", spread.sorted.size()},
                  {"seconds", spread.json()},
                  {"peak_memory_bytes", peak_bytes}},
                 absl::StrCat(stage_, ": ", spread.sorted.size(), " runs, each ", spread.text(), ", at most ",
                              MebibytesText(peak_bytes), " of memory\n"));
    return absl::OkStatus();
  }

  std::string folder_;
  std::string stage_;
  int runs_ = 5;
};

}  // namespace

std::unique_ptr<Command> MakeProfileRecordCommand() { return std::make_unique<ProfileRecordCommand>(); }
std::unique_ptr<Command> MakeProfileReplayCommand() { return std::make_unique<ProfileReplayCommand>(); }

}  // namespace cleave::cli
