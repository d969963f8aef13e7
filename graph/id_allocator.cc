#include "graph/id_allocator.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "table/columns.h"
#include "table/row_keys.h"
#include "table/table.h"

namespace cleave::graph {
namespace {

std::string CounterKey(const IdLayout& layout, const ChunkAddress& chunk) {
  return table::ChunkCounterRowKey(Value(layout.MakeNode(chunk, Segment{0})));
}

}  // namespace

absl::StatusOr<std::vector<NodeId>> IdAllocator::NewNodes(const ChunkAddress& chunk, int64_t count) {
  CLEAVE_ASSIGN_OR_RETURN(const int64_t last,
                          table_.Increment(CounterKey(layout_, chunk), table::columns::kCounter, count));
  if (static_cast<uint64_t>(last) > Value(layout_.SegmentLimit(chunk.layer))) {
    return absl::ResourceExhaustedError(
        absl::StrCat("chunk ", cleave::ToString(chunk.position), " of layer ", chunk.layer,
                     " has no ids left: ", Value(layout_.SegmentLimit(chunk.layer)), " are used"));
  }
  std::vector<NodeId> nodes;
  nodes.reserve(static_cast<size_t>(count));
  for (int64_t segment = last - count + 1; segment <= last; ++segment) {
    nodes.push_back(layout_.MakeNode(chunk, Segment{static_cast<uint64_t>(segment)}));
  }
  return nodes;
}

absl::Status IdAllocator::MarkUsed(const ChunkAddress& chunk, Segment used) {
  const std::string key = CounterKey(layout_, chunk);
  CLEAVE_ASSIGN_OR_RETURN(const int64_t now, table_.Increment(key, table::columns::kCounter, 0));
  if (const auto wanted = static_cast<int64_t>(Value(used)); now < wanted) {
    return table_.Increment(key, table::columns::kCounter, wanted - now).status();
  }
  return absl::OkStatus();
}

absl::StatusOr<OperationId> IdAllocator::NewOperation() {
  CLEAVE_ASSIGN_OR_RETURN(const int64_t id,
                          table_.Increment(table::kOperationCounterRowKey, table::columns::kCounter, 1));
  return OperationId{static_cast<uint64_t>(id)};
}

}  // namespace cleave::graph
