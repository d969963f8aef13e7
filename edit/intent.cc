#include "edit/intent.h"

#include <zstd.h>

#include <array>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include <openssl/sha.h>

#include "base/status.h"
#include "edit/intent.pb.h"

namespace cleave::edit {
namespace {

constexpr absl::string_view kMagic = "CLEAVEI1";
constexpr int kCompressionLevel = 1;
constexpr uint64_t kLargestIntent = (uint64_t{1} << 31) - 1;  // protobuf's own limit
// A zstd block holds at most 128 KiB and takes at least four bytes.
constexpr uint64_t kLargestRatio = uint64_t{1} << 15;

std::string Digest(absl::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return {digest.begin(), digest.end()};
}

struct ToMessage {
  proto::Change* message;

  void operator()(const table::SetCell& change) const {
    message->set_kind(proto::Change::SET_CELL);
    SetColumn(change.column, change.time);
    message->set_value(change.value);
  }
  void operator()(const table::DeleteCells& change) const {
    message->set_kind(proto::Change::DELETE_CELLS);
    SetColumn(change.column, change.time);
  }
  void operator()(const table::DeleteRow&) const { message->set_kind(proto::Change::DELETE_ROW); }

  void SetColumn(const table::Column& column, const std::optional<absl::Time>& time) const {
    message->set_family(column.family);
    message->set_qualifier(column.qualifier);
    if (time.has_value()) {
      message->set_time_us(absl::ToUnixMicros(*time));
    }
  }
};

void Pack(const std::vector<table::RowMutation>& rows,
          google::protobuf::RepeatedPtrField<proto::RowMutation>* messages) {
  for (const table::RowMutation& row : rows) {
    proto::RowMutation* message = messages->Add();
    message->set_key(row.key);
    for (const table::Change& change : row.changes) {
      std::visit(ToMessage{message->add_changes()}, change);
    }
  }
}

table::Change UnpackChange(const proto::Change& message) {
  const table::Column column{message.family(), message.qualifier()};
  std::optional<absl::Time> time;
  if (message.has_time_us()) {
    time = absl::FromUnixMicros(message.time_us());
  }
  switch (message.kind()) {
    case proto::Change::DELETE_CELLS:
      return table::DeleteCells{column, time};
    case proto::Change::DELETE_ROW:
      return table::DeleteRow{};
    default:
      return table::SetCell{column, time, message.value()};
  }
}

std::vector<table::RowMutation> Unpack(const google::protobuf::RepeatedPtrField<proto::RowMutation>& messages) {
  std::vector<table::RowMutation> rows;
  for (const proto::RowMutation& message : messages) {
    table::RowMutation row{message.key(), {}};
    for (const proto::Change& change : message.changes()) {
      row.changes.push_back(UnpackChange(change));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// One level deep: followers have none.
// NOLINTNEXTLINE(misc-no-recursion)
proto::Intent ToProto(const Intent& intent) {
  proto::Intent message;
  message.set_operation_id(Value(intent.operation));
  message.set_time_us(absl::ToUnixMicros(intent.time));
  Pack(intent.prepare, message.mutable_prepare());
  Pack(intent.flip, message.mutable_flip());
  for (const store::KeyedWrite& write : intent.voxels) {
    proto::ChunkWrite* chunk = message.add_voxels();
    chunk->set_key(write.key);
    if (write.value.has_value()) {
      chunk->set_value(*write.value);
    }
    if (write.if_generation.has_value()) {
      chunk->set_if_generation(write.if_generation->bytes());
    }
  }
  for (const graph::NodeId id : intent.old_roots) {
    message.add_old_roots(Value(id));
  }
  for (const graph::NodeId id : intent.new_roots) {
    message.add_new_roots(Value(id));
  }
  for (const ChunkPoint chunk : intent.chunk_scope) {
    for (int axis = 0; axis < 3; ++axis) {
      message.add_chunk_scope(chunk[axis]);
    }
  }
  message.set_graph_first(intent.graph_first);
  for (const Intent& follower : intent.followers) {
    *message.add_followers() = ToProto(follower);
  }
  return message;
}

// protobuf itself bounds how deep a message is.
// NOLINTNEXTLINE(misc-no-recursion)
Intent FromProto(const proto::Intent& message) {
  Intent intent;
  intent.operation = graph::OperationId{message.operation_id()};
  intent.time = absl::FromUnixMicros(message.time_us());
  intent.prepare = Unpack(message.prepare());
  intent.flip = Unpack(message.flip());
  for (const proto::ChunkWrite& chunk : message.voxels()) {
    store::KeyedWrite write{chunk.key(), std::nullopt, std::nullopt};
    if (chunk.has_value()) {
      write.value = chunk.value();
    }
    if (chunk.has_if_generation()) {
      write.if_generation = store::Generation(chunk.if_generation());
    }
    intent.voxels.push_back(std::move(write));
  }
  for (const uint64_t id : message.old_roots()) {
    intent.old_roots.push_back(graph::NodeId{id});
  }
  for (const uint64_t id : message.new_roots()) {
    intent.new_roots.push_back(graph::NodeId{id});
  }
  for (int i = 0; i + 2 < message.chunk_scope_size(); i += 3) {
    intent.chunk_scope.push_back({message.chunk_scope(i), message.chunk_scope(i + 1), message.chunk_scope(i + 2)});
  }
  intent.graph_first = message.graph_first();
  for (const proto::Intent& follower : message.followers()) {
    intent.followers.push_back(FromProto(follower));
  }
  return intent;
}

void StampRows(absl::Time time, std::vector<table::RowMutation>& rows) {
  for (table::RowMutation& row : rows) {
    for (table::Change& change : row.changes) {
      if (auto* set = std::get_if<table::SetCell>(&change); set != nullptr && !set->time.has_value()) {
        set->time = time;
      }
    }
  }
}

}  // namespace

Intent MakeIntent(graph::OperationId operation, absl::Time time, Plan plan) {
  StampRows(time, plan.prepare);
  StampRows(time, plan.flip);
  return {operation,
          time,
          std::move(plan.prepare),
          std::move(plan.voxels),
          std::move(plan.flip),
          std::move(plan.old_roots),
          std::move(plan.new_roots),
          std::move(plan.chunk_scope),
          plan.graph_first,
          {}};
}

absl::StatusOr<std::string> EncodeIntent(const Intent& intent) {
  const proto::Intent message = ToProto(intent);
  if (message.ByteSizeLong() > kLargestIntent) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the edit is too large to be written down: ", message.ByteSizeLong(), " bytes, ", kLargestIntent,
                     " are possible; split a smaller part of the object"));
  }
  const std::string content = message.SerializeAsString();
  std::string frame(ZSTD_compressBound(content.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), content.data(), content.size(), kCompressionLevel));
  return absl::StrCat(kMagic, Digest(frame), frame);
}

absl::StatusOr<Intent> DecodeIntent(absl::string_view bytes) {
  if (!absl::StartsWith(bytes, kMagic) || bytes.size() < kMagic.size() + SHA256_DIGEST_LENGTH) {
    return absl::DataLossError("not an intent");
  }
  const absl::string_view digest = bytes.substr(kMagic.size(), SHA256_DIGEST_LENGTH);
  const absl::string_view frame = bytes.substr(kMagic.size() + SHA256_DIGEST_LENGTH);
  if (Digest(frame) != digest) {
    return absl::DataLossError("the intent's digest does not match its content");
  }
  const uint64_t size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size > kLargestIntent || size > frame.size() * kLargestRatio) {
    return absl::DataLossError("the intent's frame has no plausible size");
  }
  std::string content(size, '\0');
  const size_t written = ZSTD_decompress(content.data(), content.size(), frame.data(), frame.size());
  proto::Intent message;
  if (ZSTD_isError(written) != 0 || written != size || !message.ParseFromString(content)) {
    return absl::DataLossError("the intent's content cannot be decoded");
  }
  return FromProto(message);
}

std::string IntentKey(graph::OperationId operation) { return absl::StrFormat("%020d", Value(operation)); }

}  // namespace cleave::edit
