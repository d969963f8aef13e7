#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/ingest_redis.h"
#include "cli/ingest_report.h"
#include "nlohmann/json.hpp"

#include "base/parallel.h"
#include "base/status.h"
#include "ingest/process_ingest.h"

namespace cleave::cli {
namespace {

// What `ingest graph` and `ingest layer` have in common.
class IngestByProcessesCommand : public Command {
 public:
  void Register(CLI::App& app) override {
    app.add_option("DATASET", dataset_file_, "A dataset file: docs/cli.md tells its keys")
        ->type_name("FILE")
        ->required();
    app.add_option("--workers", workers_,
                   "Worker processes to start; 0: only those that `cleave worker ingest` runs. Default: one for each "
                   "processor")
        ->check(CLI::Range(0, 1024));
    app.add_option("--threads", worker_threads_,
                   "Threads of each worker; default: the processors, shared among the workers")
        ->check(CLI::Range(1, 1024));
    redis_.Register(app,
                    "Share jobs through this Redis server, for workers on other machines: "
                    "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]; default: what the file says, else files");
    CLI::Option* voxels = app.add_flag("--voxels-only", voxels_only_, "Make the voxels, and leave the graph as it is");
    app.add_flag("--graph-only", graph_only_, "Make the graph, and leave the voxels as they are")->excludes(voxels);
    app.add_flag(
        "--queue-only", options_.queue_only,
        "Queue the jobs of layer 2 for `cleave worker ingest`, then end; the same command without this goes on");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const ingest::DatasetFile dataset, ingest::ReadDatasetFile(dataset_file_));
    options_.part = voxels_only_  ? ingest::IngestPart::kVoxels
                    : graph_only_ ? ingest::IngestPart::kGraph
                                  : ingest::IngestPart::kAll;
    if (workers_ > 0) {
      options_.start_workers = [this, url = redis_.Url(dataset.redis)](const std::string& project) {
        return StartWorkers(project, url);
      };
    }
    CLEAVE_ASSIGN_OR_RETURN(options_.redis, redis_.Options(console, dataset.redis));
    CLEAVE_ASSIGN_OR_RETURN(const ingest::ProcessIngestReport result,
                            ingest::IngestByProcesses(dataset, options_, console.progress()));
    const std::string& project = dataset.options.base.project_folder;
    Json json = IngestReportJson(project, result.report);
    json.erase("thread_seconds");
    json["ended"] = result.ended;
    json["jobs"] = result.jobs;
    console.Show(json, Text(project, result));
    return absl::OkStatus();
  }

 protected:
  ingest::ProcessIngestOptions options_;

 private:
  absl::StatusOr<std::unique_ptr<ingest::WorkerCrew>> StartWorkers(const std::string& project,
                                                                   const std::string& redis_url) const {
    std::error_code error;
    const std::string program = std::filesystem::read_symlink("/proc/self/exe", error).string();
    if (error) {
      return absl::UnavailableError(absl::StrCat("cannot find this program's file: ", error.message()));
    }
    const int threads = worker_threads_ > 0 ? worker_threads_ : std::max(1, DefaultThreadCount() / workers_);
    return ingest::StartWorkers(
        {program, "worker", "ingest", project, "--follow", "--quiet", "--threads", absl::StrCat(threads)}, workers_,
        {absl::StrCat("CLEAVE_REDIS=", redis_url)});
  }

  std::string Text(const std::string& project, const ingest::ProcessIngestReport& result) const {
    if (result.ended) {
      return IngestReportText(project, result.report);
    }
    if (options_.queue_only) {
      return absl::StrCat(result.jobs, " jobs are in the queues of ", project, "; `cleave worker ingest ", project,
                          "` does them, then `cleave ingest graph ", dataset_file_, "` goes on\n");
    }
    return absl::StrCat("made a part of ", project, "; `cleave ingest graph ", dataset_file_, "` makes the rest\n");
  }

  std::string dataset_file_;
  int workers_ = DefaultThreadCount();
  int worker_threads_ = 0;
  IngestRedis redis_;
  bool voxels_only_ = false;
  bool graph_only_ = false;
};

class IngestGraphCommand final : public IngestByProcessesCommand {
 public:
  CommandText text() const override {
    return {"ingest graph", "", "Make the project of a dataset file, by many processes",
            "cleave ingest graph dataset.yaml --workers 8\n"
            "cleave ingest graph dataset.yaml --queue-only && cleave worker ingest demo\n"
            "cleave ingest graph dataset.yaml --workers 0 --redis redis://queue.lab:6379"};
  }
};

class IngestLayerCommand final : public IngestByProcessesCommand {
 public:
  CommandText text() const override {
    return {"ingest layer", "", "Make one layer of the project of a dataset file",
            "cleave ingest layer 2 dataset.yaml --voxels-only\ncleave ingest layer 3 dataset.yaml"};
  }
  void Register(CLI::App& app) override {
    app.add_option("LAYER", options_.layer, "2: chunks, by workers. Above: parents, by threads of this process")
        ->type_name("INT")
        ->required();
    IngestByProcessesCommand::Register(app);
  }
};

}  // namespace

std::unique_ptr<Command> MakeIngestGraphCommand() { return std::make_unique<IngestGraphCommand>(); }
std::unique_ptr<Command> MakeIngestLayerCommand() { return std::make_unique<IngestLayerCommand>(); }

}  // namespace cleave::cli
