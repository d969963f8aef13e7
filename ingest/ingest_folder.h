// Where the processes of one ingest meet: PROJECT/ingest/, which goes when the ingest ends.
//
//   plan             the queues in order, a name a line: a queue is begun when those before it are done
//   queues/NAME/     file_job_queue.h
//   workers/         worker_presence.h
//   coordinator      locked by the process that owns the table
//   redis            where an ingest by Redis has its queues and workers: redis_job_engine.h; else there is none
//   stage            JSON: what the coordinator does, and how far it has come
//   surfaces/, rows/ spool.h
//   writing/         staged_store.h
//
// PROJECT/dataset.json, what is ingested (dataset_file.h), stays.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "ingest/dataset_file.h"
#include "ingest/spool.h"

namespace cleave::ingest {

// Names of queues. Those of coarser scales are "scales-0", "scales-1"...
inline constexpr char kVoxelQueue[] = "voxels";      // voxels into the base, and surfaces
inline constexpr char kSurfaceQueue[] = "surfaces";  // surfaces alone
inline constexpr char kGraphQueue[] = "graph";       // edges and rows, from surfaces
[[nodiscard]] std::string ScaleQueue(int tier);

class IngestFolder {
 public:
  explicit IngestFolder(const std::string& project_folder);

  [[nodiscard]] const std::string& project() const { return project_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string QueuePath(const std::string& name) const { return path_ + "/queues/" + name; }
  [[nodiscard]] std::string workers_path() const { return path_ + "/workers"; }
  [[nodiscard]] std::string coordinator_path() const { return path_ + "/coordinator"; }
  // What workers are about to write (staged_store.h).
  [[nodiscard]] std::string staging_path() const { return path_ + "/writing"; }
  [[nodiscard]] Spool& spool() { return spool_; }
  // Whether an ingest is under way.
  [[nodiscard]] bool exists() const;
  // Makes the folders.
  [[nodiscard]] absl::Status Create() const;
  // With all that is in it.
  [[nodiscard]] absl::Status Remove() const;

  [[nodiscard]] absl::Status WritePlan(const std::vector<std::string>& queues);
  // Empty when there is none.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ReadPlan() const;
  [[nodiscard]] absl::Status WriteDataset(const DatasetFile& dataset);
  // NOT_FOUND when the folder is no project of a dataset file.
  [[nodiscard]] absl::StatusOr<DatasetFile> ReadDataset() const;
  // What `redis` holds; nothing when there is no such file. Written only when there is none yet.
  [[nodiscard]] absl::StatusOr<std::optional<std::string>> ReadRedis() const;
  [[nodiscard]] absl::Status WriteRedisIfNone(const std::string& text);
  // Any text; not durable, for who watches. Nothing when there is none.
  [[nodiscard]] absl::Status WriteStage(const std::string& text) const;
  [[nodiscard]] std::optional<std::string> ReadStage() const;

 private:
  std::string project_;
  std::string path_;
  std::shared_ptr<store::Store> project_store_;
  std::shared_ptr<store::Store> store_;
  Spool spool_;
};

}  // namespace cleave::ingest
