#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/ingest_redis.h"
#include "nlohmann/json.hpp"

#include "base/parallel.h"
#include "base/status.h"
#include "ingest/ingest_worker.h"
#include "ingest/worker_crew.h"

namespace cleave::cli {
namespace {

class WorkerIngestCommand final : public Command {
 public:
  CommandText text() const override {
    return {"worker ingest", "", "Do jobs of an ingest until none is left; as many of these as you like, at once",
            "cleave worker ingest demo --threads 2\n"
            "cleave worker ingest /mnt/lab/demo --redis redis://queue.lab:6379"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder, made by `cleave ingest graph`")->required();
    app.add_option("--threads", options_.threads, "Threads to use; default: one for each processor")
        ->check(CLI::Range(1, 1024));
    app.add_option("--lease", lease_seconds_,
                   "Seconds after which others take the job of a worker that is alive but does not stir")
        ->capture_default_str()
        ->check(CLI::Range(1, 86400));
    redis_.Register(app,
                    "The Redis server that the ingest shares its jobs through: "
                    "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]");
    app.add_flag("--follow", options_.wait_for_more,
                 "Wait for more jobs, and end when standard input closes: how `cleave ingest graph` runs its workers");
  }

  absl::Status Run(Console& console) override {
    options_.queue.lease = absl::Seconds(lease_seconds_);
    if (options_.wait_for_more) {
      ingest::EndWithStandardInput();
    }
    CLEAVE_ASSIGN_OR_RETURN(options_.redis, redis_.Options(console));
    CLEAVE_ASSIGN_OR_RETURN(const ingest::WorkerReport report, ingest::RunIngestWorker(project_, options_));
    console.Show({{"done", report.done}, {"failed", report.failed}, {"left", report.left}},
                 absl::StrCat("did ", report.done, " jobs, ", report.failed, " failed, ", report.left, " left\n"));
    return absl::OkStatus();
  }

 private:
  std::string project_;
  ingest::WorkerOptions options_;
  IngestRedis redis_;
  int lease_seconds_ = 60;
};

}  // namespace

std::unique_ptr<Command> MakeWorkerIngestCommand() { return std::make_unique<WorkerIngestCommand>(); }

}  // namespace cleave::cli
