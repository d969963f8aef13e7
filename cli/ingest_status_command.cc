#include <cmath>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/command.h"
#include "cli/ingest_redis.h"
#include "cli/json_text.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "ingest/stage_file.h"

namespace cleave::cli {
namespace {

// Seconds that are left at this rate; null when nobody can know.
Json SecondsLeft(int64_t done, int64_t total, double per_second) {
  return per_second > 0 && total > 0 ? Json(std::ceil(static_cast<double>(total - done) / per_second)) : Json(nullptr);
}

Json QueueJson(const ingest::QueueStatus& queue) {
  Json failures = Json::array();
  for (const ingest::JobFailure& failure : queue.failures) {
    failures.push_back({{"job", failure.index}, {"message", std::string(failure.status.message())}});
  }
  return {{"name", queue.name},
          {"lost", queue.lost},
          {"unit", queue.unit},
          {"done", queue.done},
          {"total", queue.total},
          {"per_second", queue.per_second},
          {"seconds_left", SecondsLeft(queue.done, queue.total, queue.per_second)},
          {"jobs",
           {{"queued", queue.jobs.queued},
            {"taken", queue.jobs.taken},
            {"done", queue.jobs.done},
            {"failed", queue.jobs.failed}}},
          {"failures", failures}};
}

std::string ProgressText(absl::string_view name, int64_t done, int64_t total, absl::string_view unit,
                         double per_second) {
  std::string text = absl::StrCat("  ", name, ": ", CountText(done),
                                  total > 0 ? absl::StrCat(" of ", CountText(total)) : "", " ", unit);
  if (per_second > 0) {
    absl::StrAppendFormat(&text, ", %.1f a second", per_second);
    if (total > done) {
      absl::StrAppendFormat(&text, ", %.0f s left", std::ceil(static_cast<double>(total - done) / per_second));
    }
  }
  return text + "\n";
}

class IngestStatusCommand final : public Command {
 public:
  CommandText text() const override {
    return {"ingest status", "", "Say how far the ingest of a dataset file has come, and how fast it goes",
            "cleave ingest status demo"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    redis_.Register(app, "The Redis server of an ingest that shares its jobs through one");
  }

  absl::Status Run(Console& console) override {
    CLEAVE_ASSIGN_OR_RETURN(const auto redis, redis_.Options(console));
    CLEAVE_ASSIGN_OR_RETURN(const ingest::IngestStatus status, ingest::ReadIngestStatus(project_, redis));
    Json queues = Json::array();
    for (const ingest::QueueStatus& queue : status.queues) {
      queues.push_back(QueueJson(queue));
    }
    Json stage = nullptr;
    if (status.stage.has_value()) {
      const ingest::StageStatus& at = *status.stage;
      stage = {{"name", at.name},
               {"unit", at.unit},
               {"done", at.done},
               {"total", at.total},
               {"per_second", at.per_second},
               {"seconds_left", SecondsLeft(at.done, at.total, at.per_second)}};
    }
    console.Show({{"project", project_},
                  {"ended", status.ended},
                  {"coordinator", status.coordinator},
                  {"workers", status.workers},
                  {"stage", stage},
                  {"queues", queues}},
                 Text(status));
    return absl::OkStatus();
  }

 private:
  std::string Text(const ingest::IngestStatus& status) const {
    if (status.ended) {
      return absl::StrCat("the ingest of ", project_, " has ended\n");
    }
    std::string text = absl::StrCat(status.coordinator ? "a" : "no", " process makes the table of ", project_, "; ",
                                    status.workers, status.workers == 1 ? " worker" : " workers", " at work\n");
    for (const ingest::QueueStatus& queue : status.queues) {
      if (queue.lost) {
        absl::StrAppend(&text, "  ", queue.name, ": Redis has lost it; `cleave ingest graph` makes it again\n");
        continue;
      }
      absl::StrAppend(&text, ProgressText(queue.name, queue.done, queue.total, queue.unit, queue.per_second));
      for (const ingest::JobFailure& failure : queue.failures) {
        absl::StrAppend(&text, "    failed: ", failure.status.message(), "\n");
      }
    }
    if (status.coordinator && status.stage.has_value()) {
      const ingest::StageStatus& at = *status.stage;
      absl::StrAppend(&text, ProgressText(absl::StrCat("now ", at.name), at.done, at.total, at.unit, at.per_second));
    }
    return text;
  }

  std::string project_;
  IngestRedis redis_;
};

}  // namespace

std::unique_ptr<Command> MakeIngestStatusCommand() { return std::make_unique<IngestStatusCommand>(); }

}  // namespace cleave::cli
