// A chunk's mark is an array of u64: supervoxels, edges inside, between, cross, L2 nodes; then for each neighbour its
// L2 chunk id, the number of edges to it and their digest.
#include "ingest/ingest_state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "table/row_keys.h"
#include "table/serializers.h"

namespace cleave::ingest {
namespace {

using graph::NodeId;
using Json = nlohmann::ordered_json;

const table::Column kState{"0", "cleave_ingest"};
const table::Column kMark{"0", "cleave_mark"};
constexpr int64_t kMarksPerBatch = 10000;
constexpr size_t kCounts = 5;
constexpr size_t kNumbersOfBorder = 3;

std::string MarkKey(NodeId l2_chunk_id) { return absl::StrCat(kIngestRowKey, table::NodeRowKey(Value(l2_chunk_id))); }

table::RowRange MarkRange() { return {absl::StrCat(kIngestRowKey, "0"), absl::StrCat(kIngestRowKey, ":")}; }

absl::StatusOr<ChunkMark> DecodeMark(const std::string& value) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, table::DecodeArray<uint64_t>(value));
  if (numbers.size() < kCounts || (numbers.size() - kCounts) % kNumbersOfBorder != 0) {
    return absl::DataLossError("is no mark of a chunk");
  }
  const auto count = [&](size_t i) { return static_cast<int64_t>(numbers[i]); };
  ChunkMark mark{{count(0), count(1), count(2), count(3), count(4)}, {}};
  for (size_t i = kCounts; i < numbers.size(); i += kNumbersOfBorder) {
    mark.borders[NodeId{numbers[i]}] = {numbers[i + 1], numbers[i + 2]};
  }
  return mark;
}

}  // namespace

absl::StatusOr<std::optional<IngestState>> ReadIngestState(const table::TableReader& table) {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row,
                          table.ReadRow(kIngestRowKey, {.columns = {kState}, .cells_per_column = 1}));
  const table::Cell* cell = row.Newest(kState);
  if (cell == nullptr) {
    return std::optional<IngestState>();
  }
  const Json json = Json::parse(cell->value, nullptr, /*allow_exceptions=*/false);
  const auto number = [&json](const char* name) {
    return json.is_object() && json.contains(name) && json[name].is_number_integer() ? json[name].get<int64_t>() : -1;
  };
  IngestState state;
  state.layer = static_cast<int>(number("layer"));
  state.next_chunk = number("next_chunk");
  state.counts = {number("supervoxels"), number("edges_inside"), number("edges_between"), number("edges_cross"),
                  number("l2_nodes")};
  state.roots = number("roots");
  if (state.layer < graph::kL2Layer || state.next_chunk < 0 || state.roots < 0 || state.counts.l2_nodes < 0 ||
      !json.contains("request") || !json["request"].is_string()) {
    return absl::DataLossError("the row 'ingest' of the table is damaged");
  }
  state.request = json["request"].get<std::string>();
  state.voxels_committed = json.value("voxels_committed", Json()) == true;
  return std::optional(std::move(state));
}

table::RowMutation IngestStateRow(const IngestState& state) {
  Json json = {{"request", state.request},
               {"layer", state.layer},
               {"next_chunk", state.next_chunk},
               {"supervoxels", state.counts.supervoxels},
               {"edges_inside", state.counts.edges_inside},
               {"edges_between", state.counts.edges_between},
               {"edges_cross", state.counts.edges_cross},
               {"l2_nodes", state.counts.l2_nodes},
               {"roots", state.roots}};
  if (state.voxels_committed) {
    json["voxels_committed"] = true;
  }
  // One cell, whenever it is written.
  return {kIngestRowKey, {table::SetCell{kState, absl::UnixEpoch(), json.dump()}}};
}

table::RowMutation ChunkMarkRow(NodeId l2_chunk_id, const ChunkMark& mark) {
  std::vector<uint64_t> numbers;
  for (const int64_t count : {mark.counts.supervoxels, mark.counts.edges_inside, mark.counts.edges_between,
                              mark.counts.edges_cross, mark.counts.l2_nodes}) {
    numbers.push_back(static_cast<uint64_t>(count));
  }
  for (const auto& [neighbour, border] : mark.borders) {
    numbers.insert(numbers.end(), {Value(neighbour), border.count, border.digest});
  }
  return {MarkKey(l2_chunk_id), {table::SetCell{kMark, absl::UnixEpoch(), table::EncodeArray(numbers)}}};
}

table::RowMutation RemoveChunkMarkRow(NodeId l2_chunk_id) {
  return {MarkKey(l2_chunk_id), {table::DeleteCells{kMark, absl::UnixEpoch()}}};
}

absl::Status RemoveChunkMarks(table::Table& table) {
  for (;;) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                            table.ReadRange(MarkRange(), {.columns = {kMark}}, kMarksPerBatch));
    if (rows.empty()) {
      return absl::OkStatus();
    }
    std::vector<table::RowMutation> removals;
    removals.reserve(rows.size());
    for (const table::Row& row : rows) {
      removals.push_back({row.key, {table::DeleteCells{kMark, absl::UnixEpoch()}}});
    }
    CLEAVE_RETURN_IF_ERROR(table.ordered().Apply(removals));
  }
}

absl::StatusOr<std::map<NodeId, ChunkMark>> ReadChunkMarks(const table::TableReader& table) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<table::Row> rows,
                          table.ReadRange(MarkRange(), {.columns = {kMark}, .cells_per_column = 1}, 0));
  std::map<NodeId, ChunkMark> marks;
  for (const table::Row& row : rows) {
    CLEAVE_ASSIGN_OR_RETURN(const uint64_t id, table::ParseNodeRowKey(absl::StripPrefix(row.key, kIngestRowKey)));
    absl::StatusOr<ChunkMark> mark = DecodeMark(row.Newest(kMark)->value);
    CLEAVE_RETURN_IF_ERROR(Annotate(mark.status(), absl::StrCat("row ", row.key)));
    marks.emplace(NodeId{id}, *std::move(mark));
  }
  return marks;
}

}  // namespace cleave::ingest
