// Recovery while a dataset is being edited: what nobody works on any more is finished without a restart.
//
// A thread looks through the operations in flight now and then; an edit that meets a lock does so at once. An operation
// is left alone while this process runs it, and while its worker, wherever it is, gives a sign of life
// (IsSilent). One that this process ran and could not finish needs no such wait: its worker is known to have given up.
// Thread-safe.
#pragma once

#include <map>
#include <set>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "edit/recovery.h"
#include "graph/dataset.h"
#include "graph/ids.h"

namespace cleave::edit {

class Recoverer {
 public:
  // `expiry`: that of the locks, by `clock`. `period`: between two looks of the thread, in real time; 0 for no thread.
  // `dataset` and `clock` must outlive the recoverer.
  Recoverer(graph::Dataset& dataset, Clock& clock, absl::Duration expiry, absl::Duration period);
  Recoverer(const Recoverer&) = delete;
  Recoverer& operator=(const Recoverer&) = delete;
  // Waits for a recovery that is under way.
  ~Recoverer();

  // An operation that this process runs: made before its first row is written, ended after its last.
  class Run {
   public:
    Run(Recoverer& recoverer, graph::OperationId operation);
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run();
    // It left nothing behind.
    void Finished() { finished_ = true; }

   private:
    Recoverer& recoverer_;
    const graph::OperationId operation_;
    bool finished_ = false;
  };

  // Every operation in flight (RecoverOperations). REQUIRES: nobody runs one.
  [[nodiscard]] absl::Status RecoverAll();
  // Those that nobody works on; returns how many were finished. What cannot be finished stays, and does not keep others
  // from it; the errors are those of reading the list.
  [[nodiscard]] absl::StatusOr<int> RecoverSilent();

  // All that were recovered until now, in that order, then those whose recovery was last tried in vain.
  [[nodiscard]] std::vector<RecoveredOperation> recovered() const;

 private:
  void Loop();
  void Note(RecoveredOperation operation);
  [[nodiscard]] absl::StatusOr<bool> MayRecover(const InFlight& operation);
  void ForgetLeft(const std::set<graph::OperationId>& known, const std::vector<InFlight>& in_flight);

  graph::Dataset& dataset_;
  Clock& clock_;
  const absl::Duration expiry_;
  const absl::Duration period_;
  absl::Mutex pass_mutex_;  // one pass at a time; taken before mutex_
  mutable absl::Mutex mutex_;
  absl::CondVar stop_changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<graph::OperationId> running_ ABSL_GUARDED_BY(mutex_);
  std::set<graph::OperationId> left_ ABSL_GUARDED_BY(mutex_);  // ran here, and may have left something behind
  std::vector<RecoveredOperation> recovered_ ABSL_GUARDED_BY(mutex_);
  std::map<graph::OperationId, absl::Status> problems_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace cleave::edit
