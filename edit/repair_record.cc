#include "edit/repair_record.h"

#include <zstd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "edit/repair.pb.h"
#include "graph/edges.h"
#include "table/columns.h"
#include "table/pickle.h"
#include "table/serializers.h"

namespace cleave::edit {
namespace {

using graph::NodeId;
namespace columns = table::columns;

const table::Column kRepairColumn{"2", "cleave_repair"};
constexpr int kRecordCompressionLevel = 3;
constexpr uint64_t kLargestRecord = uint64_t{1} << 31;
// A zstd block holds at most 128 KiB and takes at least four bytes.
constexpr uint64_t kLargestRecordRatio = uint64_t{1} << 15;
constexpr size_t kIdsShown = 6;

std::string RepairRowKey(graph::OperationId id) { return absl::StrFormat("r%020d", Value(id)); }

std::string IdList(const std::vector<NodeId>& ids) {
  const size_t shown = std::min(ids.size(), kIdsShown);
  std::vector<uint64_t> first;
  for (size_t i = 0; i < shown; ++i) {
    first.push_back(Value(ids[i]));
  }
  return absl::StrCat(ids.empty() ? "none" : absl::StrJoin(first, ", "),
                      ids.size() > shown ? absl::StrCat(" and ", ids.size() - shown, " more") : "");
}

template <typename T>
std::optional<std::string> IdsIn(const absl::StatusOr<std::vector<T>>& ids) {
  return ids.ok() ? std::optional(IdList(*ids)) : std::nullopt;
}

std::optional<std::string> DecodedWords(const table::Column& column, const std::string& value) {
  if (column == columns::kParent) {
    const absl::StatusOr<uint64_t> id = table::DecodeValue<uint64_t>(value);
    return id.ok() ? std::optional(absl::StrCat(*id)) : std::nullopt;
  }
  if (column == columns::kChild) {
    return IdsIn(table::DecodeCompressedArray<NodeId>(value));
  }
  if (column == columns::kFormerParent || column == columns::kNewParent || column == columns::kFormerIdentity ||
      column == columns::kNewIdentity) {
    return IdsIn(table::DecodeArray<NodeId>(value));
  }
  if (absl::StartsWith(column.qualifier, "atomic_cross_edges_")) {
    const absl::StatusOr<std::vector<graph::EdgeEnds>> edges = table::DecodeCompressedArray<graph::EdgeEnds>(value);
    return edges.ok() ? std::optional(absl::StrCat(edges->size(), " edges")) : std::nullopt;
  }
  if (column == columns::kStatus) {
    const absl::StatusOr<int64_t> status = table::DecodePickledInteger(value);
    return status.ok() ? std::optional(absl::StrCat("status ", *status)) : std::nullopt;
  }
  if (column == columns::kOperationId || column == columns::kLock || column == columns::kIndefiniteLock) {
    const absl::StatusOr<uint64_t> id = table::DecodeIdText(value);
    return id.ok() ? std::optional(absl::StrCat("operation ", *id)) : std::nullopt;
  }
  return absl::StrCat("'", absl::CHexEscape(value.substr(0, 40)), "'");
}

std::string ValueWords(const table::Column& column, const std::optional<std::string>& value) {
  if (!value.has_value()) {
    return "nothing";
  }
  return DecodedWords(column, *value).value_or(absl::StrCat(value->size(), " bytes that cannot be decoded"));
}

proto::RepairCell PackCell(const CellChange& change) {
  proto::RepairCell cell;
  cell.set_row(change.row);
  cell.set_family(change.column.family);
  cell.set_qualifier(change.column.qualifier);
  if (change.time.has_value()) {
    cell.set_time_us(absl::ToUnixMicros(*change.time));
  }
  if (change.before.has_value()) {
    cell.set_before(*change.before);
  }
  if (change.after.has_value()) {
    cell.set_after(*change.after);
  }
  return cell;
}

CellChange UnpackCell(const proto::RepairCell& cell) {
  CellChange change{cell.row(), {cell.family(), cell.qualifier()}, std::nullopt, std::nullopt, std::nullopt};
  if (cell.has_time_us()) {
    change.time = absl::FromUnixMicros(cell.time_us());
  }
  if (cell.has_before()) {
    change.before = cell.before();
  }
  if (cell.has_after()) {
    change.after = cell.after();
  }
  return change;
}

Mend UnpackMend(const proto::RepairMend& message) {
  Mend mend;
  mend.invariant = message.invariant();
  mend.what = message.what();
  mend.evidence = message.evidence();
  mend.ids.assign(message.ids().begin(), message.ids().end());
  if (const auto& w = message.where(); w.size() == 6) {
    mend.where = Box{{w[0], w[1], w[2]}, {w[3], w[4], w[5]}};
  }
  for (const proto::RepairCell& cell : message.cells()) {
    mend.cells.push_back(UnpackCell(cell));
  }
  for (const proto::RepairVoxels& voxels : message.voxels()) {
    mend.voxels.push_back({voxels.key(), voxels.restored_from(), voxels.replaced()});
  }
  return mend;
}

}  // namespace

std::string DescribeChange(const CellChange& change) {
  return absl::StrCat(
      "row ", change.row, ", ", change.column.qualifier, " at ",
      change.time.has_value() ? absl::FormatTime(*change.time, absl::UTCTimeZone()) : "the repair's time", ": ",
      ValueWords(change.column, change.before), " -> ", ValueWords(change.column, change.after));
}

std::string DescribeChange(const VoxelChange& change) {
  return absl::StrCat("voxel chunk ", change.key, ": as in generation ", change.replaced, " -> as in generation ",
                      change.restored_from);
}

std::string EncodeMends(const std::vector<Mend>& mends) {
  proto::RepairRecord record;
  for (const Mend& mend : mends) {
    proto::RepairMend* message = record.add_mends();
    message->set_invariant(mend.invariant);
    message->set_what(mend.what);
    message->set_evidence(mend.evidence);
    for (const uint64_t id : mend.ids) {
      message->add_ids(id);
    }
    if (mend.where.has_value()) {
      for (const VoxelPoint corner : {mend.where->lo, mend.where->hi}) {
        for (int axis = 0; axis < 3; ++axis) {
          message->add_where(corner[axis]);
        }
      }
    }
    for (const CellChange& change : mend.cells) {
      *message->add_cells() = PackCell(change);
    }
    for (const VoxelChange& change : mend.voxels) {
      proto::RepairVoxels* voxels = message->add_voxels();
      voxels->set_key(change.key);
      voxels->set_restored_from(change.restored_from);
      voxels->set_replaced(change.replaced);
    }
  }
  const std::string content = record.SerializeAsString();
  std::string frame(ZSTD_compressBound(content.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), content.data(), content.size(), kRecordCompressionLevel));
  return frame;
}

absl::StatusOr<std::vector<Mend>> DecodeMends(absl::string_view bytes) {
  const uint64_t size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size > kLargestRecord || size > bytes.size() * kLargestRecordRatio) {
    return absl::DataLossError("the record of the repair has no plausible size");
  }
  std::string content(size, '\0');
  const size_t written = ZSTD_decompress(content.data(), content.size(), bytes.data(), bytes.size());
  proto::RepairRecord record;
  if (ZSTD_isError(written) != 0 || written != size || !record.ParseFromString(content)) {
    return absl::DataLossError("the record of the repair cannot be decoded");
  }
  std::vector<Mend> mends;
  for (const proto::RepairMend& message : record.mends()) {
    mends.push_back(UnpackMend(message));
  }
  return mends;
}

table::RowMutation RepairRow(graph::OperationId operation, const std::vector<Mend>& mends) {
  return {RepairRowKey(operation), {table::SetCell{kRepairColumn, std::nullopt, EncodeMends(mends)}}};
}

absl::StatusOr<std::vector<Mend>> ReadRepair(const table::TableReader& table, graph::OperationId operation) {
  CLEAVE_ASSIGN_OR_RETURN(const table::Row row, table.ReadRow(RepairRowKey(operation), {.columns = {kRepairColumn}}));
  const table::Cell* cell = row.Newest(kRepairColumn);
  if (cell == nullptr) {
    return absl::NotFoundError(absl::StrCat("operation ", Value(operation), " is no repair"));
  }
  absl::StatusOr<std::vector<Mend>> mends = DecodeMends(cell->value);
  return mends.ok() ? mends : Annotate(mends.status(), absl::StrCat("row ", row.key));
}

}  // namespace cleave::edit
