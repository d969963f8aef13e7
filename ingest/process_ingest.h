// The ingest of large data by many processes: this one owns the table, workers do what is heavy.
//
//   CLEAVE_ASSIGN_OR_RETURN(const DatasetFile dataset, ReadDatasetFile("dataset.yaml"));
//   ProcessIngestOptions options;
//   options.start_workers = [](const std::string& project) { return StartWorkers({...}, 4); };
//   CLEAVE_ASSIGN_OR_RETURN(const ProcessIngestReport report, IngestByProcesses(dataset, options, *MakeProgressBar()));
//
// Whatever is killed, workers or this, at whatever moment: running it again goes on, and the result is that of an
// undisturbed run, cell by cell and voxel by voxel, and that of Ingest or IngestFiles.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "base/parallel.h"
#include "base/progress.h"
#include "ingest/dataset_file.h"
#include "ingest/ingest.h"
#include "ingest/job_engine.h"
#include "ingest/job_queue.h"
#include "ingest/worker_crew.h"

namespace cleave::ingest {

// Which half is made. The base is sealed when both are whole.
enum class IngestPart { kAll, kVoxels, kGraph };

struct ProcessIngestOptions {
  IngestPart part = IngestPart::kAll;
  // This layer only, from 2 on; the layers below must be whole. Nothing: all that are left.
  std::optional<int> layer;
  // Makes the project and the queues of layer 2, and ends: workers started by others do the jobs.
  bool queue_only = false;
  int threads = DefaultThreadCount();  // of this process
  // Called when there are jobs, with the project's folder. Empty: workers of others do them all.
  std::function<absl::StatusOr<std::unique_ptr<WorkerCrew>>(const std::string& project_folder)> start_workers = {};
  JobQueueOptions queue = {};
  // Jobs are shared through this Redis server instead of files; nothing: as the dataset file says. Whoever goes on with
  // the ingest, or works for it, must say it too.
  std::optional<RedisJobsOptions> redis = {};
};

struct ProcessIngestReport {
  IngestReport report;  // as far as things are made; of `steps` none, since workers do not tell
  bool ended = false;   // the project can be opened
  int64_t jobs = 0;     // of the queues that were made; 0 once the ingest has ended
};

// Errors beside those of Ingest and IngestFiles: FAILED_PRECONDITION when the folder holds a project of another
// request, or a layer below is not whole, or the ingest goes by files and not by Redis, or the other way round; the
// error of a job, when some failed, which says how many, and of the first few which chunk and why. What the others did
// stays; jobs that failed are tried again by the next run.
[[nodiscard]] absl::StatusOr<ProcessIngestReport> IngestByProcesses(const DatasetFile& dataset,
                                                                    const ProcessIngestOptions& options,
                                                                    Progress& progress);

}  // namespace cleave::ingest
