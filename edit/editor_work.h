// The operations of one commit, while the editor carries them out. For the editor's own files.
#pragma once

#include <optional>
#include <vector>

#include "base/stages.h"
#include "edit/editor.h"
#include "edit/lock_queue.h"
#include "edit/request_keys.h"
#include "edit/session.h"
#include "edit/task.h"
#include "graph/ids.h"

namespace cleave::edit {

struct Editor::Work {
  Tasks tasks;
  size_t& failed;
  std::optional<graph::OperationId> operation = {};  // of the only task, if it is not to get a new one
  std::optional<KeyedRequest> keyed = {};
  std::vector<OperationRecord> records = {};           // as the log begins them
  std::vector<std::vector<graph::NodeId>> roots = {};  // that each task needs, in the stored state
  std::vector<graph::NodeId> all_roots = {};           // of all tasks, ascending
  bool fresh_roots = false;                            // found just now
  Session* session = nullptr;
  LockQueue::Place* place = nullptr;
  std::vector<PlannedOperation> planned = {};
  Stages stages = {};

  [[nodiscard]] bool is_batch() const { return tasks.size() > 1; }
};

}  // namespace cleave::edit
