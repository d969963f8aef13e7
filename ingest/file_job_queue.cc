#include "ingest/file_job_queue.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include <sys/file.h>

#include "base/status.h"
#include "ocdbt/byte_coding.h"
#include "ocdbt/crc32c.h"

namespace cleave::ingest {
namespace {

std::string FailureName(int64_t index) { return absl::StrCat("failed-", index); }

bool IsHeldBy(const JobRecord& record, const TakenJob& job) {
  return record.state == JobState::kTaken && record.worker == job.worker && record.takes == job.takes;
}

}  // namespace

std::string EncodeJobRecord(const JobRecord& record) {
  std::string rest;
  ocdbt::PutU32Le(rest, static_cast<uint32_t>(record.state));
  ocdbt::PutU32Le(rest, record.takes);
  ocdbt::PutU32Le(rest, 0);
  ocdbt::PutU64Le(rest, static_cast<uint64_t>(record.worker));
  ocdbt::PutU64Le(rest, static_cast<uint64_t>(absl::ToUnixMillis(record.expires)));
  ocdbt::PutU64Le(rest, static_cast<uint64_t>(absl::ToUnixMillis(record.changed)));
  rest.resize(static_cast<size_t>(kJobRecordBytes) - sizeof(uint32_t), '\0');
  std::string bytes;
  ocdbt::PutU32Le(bytes, ocdbt::Crc32c(rest));
  return bytes + rest;
}

JobRecord DecodeJobRecord(absl::string_view bytes) {
  ocdbt::ByteReader reader(bytes);
  const uint32_t checksum = reader.U32Le();
  const uint32_t state = reader.U32Le();
  JobRecord record;
  record.takes = reader.U32Le();
  (void)reader.U32Le();
  record.worker = WorkerId{reader.U64Le()};
  record.expires = absl::FromUnixMillis(static_cast<int64_t>(reader.U64Le()));
  record.changed = absl::FromUnixMillis(static_cast<int64_t>(reader.U64Le()));
  if (!reader.ok() || state > static_cast<uint32_t>(JobState::kFailed) ||
      checksum != ocdbt::Crc32c(bytes.substr(sizeof(uint32_t)))) {
    return {};
  }
  record.state = static_cast<JobState>(state);
  return record;
}

// All records, under the lock of the file.
class FileJobQueue::Locked {
 public:
  [[nodiscard]] static absl::StatusOr<Locked> Lock(const FileJobQueue& queue) {
    Locked locked(queue);
    while (flock(queue.file_.get(), LOCK_EX) != 0) {
      if (errno != EINTR) {
        return store::ErrnoError("lock", queue.jobs_path());
      }
    }
    locked.owns_ = true;
    CLEAVE_ASSIGN_OR_RETURN(
        const std::string bytes,
        store::ReadAt(queue.file_, 0, static_cast<uint64_t>(queue.size_ * kJobRecordBytes), queue.jobs_path()));
    for (int64_t i = 0; i < queue.size_; ++i) {
      locked.records_.push_back(
          DecodeJobRecord(absl::string_view(bytes).substr(static_cast<size_t>(i * kJobRecordBytes), kJobRecordBytes)));
    }
    return locked;
  }
  Locked(Locked&& other) noexcept
      : queue_(other.queue_), records_(std::move(other.records_)), owns_(std::exchange(other.owns_, false)) {}
  Locked& operator=(Locked&&) = delete;
  ~Locked() {
    if (owns_) {
      (void)flock(queue_.file_.get(), LOCK_UN);
    }
  }

  [[nodiscard]] const std::vector<JobRecord>& records() const { return records_; }

  absl::Status Set(int64_t index, const JobRecord& record) {
    records_[static_cast<size_t>(index)] = record;
    return store::WriteAt(queue_.file_, static_cast<uint64_t>(index * kJobRecordBytes), EncodeJobRecord(record),
                          queue_.jobs_path());
  }

  // The record of a job that its holder still holds.
  absl::StatusOr<JobRecord> HeldBy(const TakenJob& job) const {
    const JobRecord& record = records_[static_cast<size_t>(job.index)];
    if (!IsHeldBy(record, job)) {
      return absl::AbortedError(absl::StrCat(queue_.folder_, ": job ", job.index, " is no longer this worker's"));
    }
    return record;
  }

 private:
  explicit Locked(const FileJobQueue& queue) : queue_(queue) {}
  const FileJobQueue& queue_;
  std::vector<JobRecord> records_;
  bool owns_ = false;
};

FileJobQueue::FileJobQueue(std::string folder, store::FileDescriptor file, int64_t size, const JobQueueOptions& options)
    : folder_(std::move(folder)), file_(std::move(file)), size_(size), options_(options), messages_(folder_) {}

absl::StatusOr<std::unique_ptr<FileJobQueue>> FileJobQueue::Create(const std::string& folder, int64_t jobs,
                                                                   std::span<const int64_t> done,
                                                                   const JobQueueOptions& options) {
  absl::StatusOr<std::unique_ptr<FileJobQueue>> queue = Open(folder, options);
  if (absl::IsNotFound(queue.status())) {
    std::vector<JobRecord> records(static_cast<size_t>(jobs), {.changed = options.clock->Now()});
    for (const int64_t job : done) {
      records[static_cast<size_t>(job)].state = JobState::kDone;
    }
    std::string bytes;
    for (const JobRecord& record : records) {
      bytes += EncodeJobRecord(record);
    }
    store::FileStore store(folder);
    CLEAVE_RETURN_IF_ERROR(store.Write("jobs", bytes).status());
    queue = Open(folder, options);
  }
  CLEAVE_RETURN_IF_ERROR(queue.status());
  if ((*queue)->size() != jobs) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, " is a queue of ", (*queue)->size(), " jobs, not of ", jobs));
  }
  return queue;
}

absl::StatusOr<std::unique_ptr<FileJobQueue>> FileJobQueue::Open(const std::string& folder,
                                                                 const JobQueueOptions& options) {
  const std::string path = folder + "/jobs";
  CLEAVE_ASSIGN_OR_RETURN(store::FileDescriptor file, store::OpenFile(path, O_RDWR | O_CLOEXEC));
  if (!file.is_open()) {
    return absl::NotFoundError(absl::StrCat(folder, " is no queue of jobs"));
  }
  CLEAVE_ASSIGN_OR_RETURN(const store::FileIdentity identity, store::Identify(file, path));
  const auto bytes = static_cast<int64_t>(identity.size_bytes);
  if (bytes % kJobRecordBytes != 0) {
    return absl::DataLossError(
        absl::StrCat(path, " is cut short; delete the folder ", folder, " and go on: its jobs are then done again"));
  }
  return std::unique_ptr<FileJobQueue>(new FileJobQueue(folder, std::move(file), bytes / kJobRecordBytes, options));
}

absl::StatusOr<std::optional<TakenJob>> FileJobQueue::Take(WorkerId worker) {
  const absl::MutexLock lock(&mutex_);
  CLEAVE_ASSIGN_OR_RETURN(Locked locked, Locked::Lock(*this));
  const absl::Time now = options_.clock->Now();
  for (int64_t i = 0; i < size_; ++i) {
    const JobRecord& record = locked.records()[static_cast<size_t>(i)];
    const bool expired = record.state == JobState::kTaken && record.expires <= now;
    if (record.state != JobState::kQueued && !expired) {
      continue;
    }
    if (record.takes >= options_.takes_max) {
      CLEAVE_RETURN_IF_ERROR(NoteFailure(i, DiedTooOften(record.takes)));
      CLEAVE_RETURN_IF_ERROR(locked.Set(i, {JobState::kFailed, record.takes, record.worker, {}, now}));
      continue;
    }
    const TakenJob job{i, worker, record.takes + 1};
    CLEAVE_RETURN_IF_ERROR(locked.Set(i, {JobState::kTaken, job.takes, worker, now + options_.lease, now}));
    return std::optional(job);
  }
  return std::optional<TakenJob>();
}

absl::Status FileJobQueue::Renew(const TakenJob& job) {
  const absl::MutexLock lock(&mutex_);
  CLEAVE_ASSIGN_OR_RETURN(Locked locked, Locked::Lock(*this));
  CLEAVE_ASSIGN_OR_RETURN(JobRecord record, locked.HeldBy(job));
  record.expires = options_.clock->Now() + options_.lease;
  return locked.Set(job.index, record);
}

absl::Status FileJobQueue::Settle(const TakenJob& job, JobState state) {
  CLEAVE_ASSIGN_OR_RETURN(Locked locked, Locked::Lock(*this));
  CLEAVE_ASSIGN_OR_RETURN(JobRecord record, locked.HeldBy(job));
  record.state = state;
  record.expires = {};
  record.changed = options_.clock->Now();
  return locked.Set(job.index, record);
}

absl::Status FileJobQueue::Finish(const TakenJob& job) {
  const absl::MutexLock lock(&mutex_);
  return Settle(job, JobState::kDone);
}

absl::Status FileJobQueue::Fail(const TakenJob& job, const absl::Status& why) {
  const absl::MutexLock lock(&mutex_);
  CLEAVE_RETURN_IF_ERROR(NoteFailure(job.index, why));
  return Settle(job, JobState::kFailed);
}

absl::Status FileJobQueue::NoteFailure(int64_t index, const absl::Status& why) {
  return messages_.Write(FailureName(index), EncodeFailure(why)).status();
}

absl::Status FileJobQueue::Release(WorkerId dead) {
  const absl::MutexLock lock(&mutex_);
  CLEAVE_ASSIGN_OR_RETURN(Locked locked, Locked::Lock(*this));
  const absl::Time now = options_.clock->Now();
  for (int64_t i = 0; i < size_; ++i) {
    const JobRecord record = locked.records()[static_cast<size_t>(i)];
    if (record.state == JobState::kTaken && record.worker == dead) {
      CLEAVE_RETURN_IF_ERROR(locked.Set(i, {JobState::kQueued, record.takes, record.worker, {}, now}));
    }
  }
  return absl::OkStatus();
}

absl::Status FileJobQueue::Requeue(std::span<const int64_t> jobs) {
  const absl::MutexLock lock(&mutex_);
  CLEAVE_ASSIGN_OR_RETURN(Locked locked, Locked::Lock(*this));
  for (const int64_t job : jobs) {
    CLEAVE_RETURN_IF_ERROR(locked.Set(job, {.changed = options_.clock->Now()}));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<JobRecord>> FileJobQueue::Records() const {
  const absl::MutexLock lock(&mutex_);
  CLEAVE_ASSIGN_OR_RETURN(const Locked locked, Locked::Lock(*this));
  return locked.records();
}

absl::StatusOr<JobCounts> FileJobQueue::Counts() const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<JobRecord> records, Records());
  return CountsOf(records);
}

absl::StatusOr<std::vector<JobFailure>> FileJobQueue::Failures(size_t limit) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<JobRecord> records, Records());
  std::vector<JobFailure> failures;
  for (size_t i = 0; i < records.size() && failures.size() < limit; ++i) {
    if (records[i].state == JobState::kFailed) {
      const auto index = static_cast<int64_t>(i);
      CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, messages_.Read(FailureName(index)));
      failures.push_back({index, DecodeFailure(read.value.value_or(""))});
    }
  }
  return failures;
}

}  // namespace cleave::ingest
