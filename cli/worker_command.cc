#include <cstdint>
#include <memory>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "cli/served_redis.h"
#include "nlohmann/json.hpp"

#include "base/parallel.h"
#include "base/status.h"
#include "work/downsample_worker.h"

namespace cleave::cli {
namespace {

class WorkerDownsampleCommand final : public Command {
 public:
  CommandText text() const override {
    return {"worker downsample", "", "Bring the coarser scales up to date with the edits, then end",
            "cleave worker downsample demo\ncleave worker downsample demo --all"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_flag("--all", all_,
                 "Make all coarser scales anew and write what differs: for a project that was made before they were "
                 "kept, or where fsck finds invariant 8 broken");
    app.add_option("--threads", options_.threads, "Threads to use; default: one for each processor")
        ->check(CLI::Range(1, 1024));
    app.add_option("--memory-mib", memory_mib_, "Memory for labels, all threads together, in MiB")
        ->capture_default_str()
        ->check(CLI::Range(1, 1 << 20));
  }

  absl::Status Run(Console& console) override {
    options_.memory_bytes = static_cast<int64_t>(memory_mib_) << 20;
    absl::StatusOr<Project> project = OpenProject(project_, console);
    if (absl::IsUnavailable(project.status())) {
      return Annotate(
          project.status(),
          "a `cleave serve` of the project keeps its coarser scales itself, and no worker can run beside it");
    }
    CLEAVE_RETURN_IF_ERROR(project.status());
    CLEAVE_RETURN_IF_ERROR(work::ReleaseDeadWorkers(*project->dataset));
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<work::DownsampleWorker> worker,
                            work::DownsampleWorker::Create(*project->dataset, options_));
    work::WorkDone done;
    if (all_) {
      CLEAVE_ASSIGN_OR_RETURN(done, worker->FillScales(console.progress()));
    } else {
      CLEAVE_ASSIGN_OR_RETURN(const work::DownsampleQueue queue, work::ReadDownsampleQueue(*project->dataset));
      if (!queue.kept) {
        return absl::FailedPreconditionError(
            absl::StrCat("the coarser scales of ", project_, " were never filled; fill them with --all"));
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(const work::WorkDone drained, worker->Drain());
    done += drained;
    CLEAVE_ASSIGN_OR_RETURN(const work::DownsampleQueue left, work::ReadDownsampleQueue(*project->dataset));
    console.Show({{"events", done.events},
                  {"blocks", done.blocks},
                  {"chunks_written", done.chunks_written},
                  {"events_left", left.events}},
                 absl::StrCat(done.events, " edits followed, ", done.blocks, " blocks made, ", done.chunks_written,
                              " chunks written; ", left.events, " edits left in the queue\n"));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  bool all_ = false;
  int memory_mib_ = 512;
  work::DownsampleOptions options_ = {.threads = DefaultThreadCount()};
};

class WorkerRedisCommand final : public Command {
 public:
  CommandText text() const override {
    return {"worker redis", "", "Append the edits that a Redis stream lacks to it, then end",
            "cleave worker redis demo --redis redis://localhost\n"
            "cleave worker redis demo --redis redis://:secret@queue.lab:6379/2 --redis-stream edits --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--redis", url_, "The server: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]")
        ->type_name("URL")
        ->envname("CLEAVE_REDIS")
        ->required();
    app.add_option("--redis-stream", stream_, "The stream's key; without it, cleave:GRAPH_ID:events")->type_name("KEY");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_ASSIGN_OR_RETURN(const work::RedisEventsOptions options,
                            RedisEventsOf(url_, stream_, project.dataset->meta().graph_id));
    CLEAVE_ASSIGN_OR_RETURN(const int64_t count, work::RedisEvents(*project.dataset, options).Drain());
    console.Show({{"events", count}, {"stream", options.stream}},
                 absl::StrCat(count, " edits appended to ", options.stream, " on ", options.address.ToString(), "\n"));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string url_;
  std::string stream_;
};

}  // namespace

std::unique_ptr<Command> MakeWorkerRedisCommand() { return std::make_unique<WorkerRedisCommand>(); }
std::unique_ptr<Command> MakeWorkerDownsampleCommand() { return std::make_unique<WorkerDownsampleCommand>(); }

}  // namespace cleave::cli
