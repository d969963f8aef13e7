// A plan written down: one durable object per operation, in the intents folder under the operation's 20-digit id.
//
//   magic "CLEAVEI1" | SHA-256 of the rest, 32 bytes | zstd frame of the protobuf message Intent (intent.proto)
//
// The object is written first, then the operation's row points at it: that one row is the commit point. An object
// without such a row belongs to an operation that never happened, and is removed by recovery.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "edit/plan.h"
#include "graph/ids.h"

namespace cleave::edit {

struct Intent {
  graph::OperationId operation{};
  absl::Time time;
  // As in the plan, every cell with its time.
  std::vector<table::RowMutation> prepare;
  std::vector<store::KeyedWrite> voxels;
  std::vector<table::RowMutation> flip;
  std::vector<graph::NodeId> old_roots;
  std::vector<graph::NodeId> new_roots;
  std::vector<ChunkPoint> chunk_scope;
  bool graph_first = false;
  // The other operations of a batch that is done as a whole, in order; these have no followers.
  std::vector<Intent> followers = {};
};

// The plan with the operation's time in every cell that had none.
[[nodiscard]] Intent MakeIntent(graph::OperationId operation, absl::Time time, Plan plan);

// RESOURCE_EXHAUSTED when the plan is too large for one message (2 GiB).
[[nodiscard]] absl::StatusOr<std::string> EncodeIntent(const Intent& intent);
// DATA_LOSS when the bytes are not an intact intent.
[[nodiscard]] absl::StatusOr<Intent> DecodeIntent(absl::string_view bytes);

// The object's key in the intents store.
[[nodiscard]] std::string IntentKey(graph::OperationId operation);

}  // namespace cleave::edit
