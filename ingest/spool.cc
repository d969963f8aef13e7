#include "ingest/spool.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ingest/spool.pb.h"
#include "ocdbt/byte_coding.h"
#include "ocdbt/crc32c.h"

namespace cleave::ingest {
namespace {

constexpr int kNumbersOfContact = 5;
constexpr int kNumbersOfCounts = 5;
constexpr int kFaces = 6;

std::string ChunkName(absl::string_view folder, ChunkPoint chunk) {
  return absl::StrCat(folder, "/", chunk.x, "_", chunk.y, "_", chunk.z);
}

const char* FolderOf(SpoolKind kind) { return kind == SpoolKind::kRows ? "rows" : "surfaces"; }

template <typename Message>
std::string Frame(const Message& message) {
  std::string body;
  message.SerializeToString(&body);
  std::string bytes;
  ocdbt::PutU32Le(bytes, ocdbt::Crc32c(body));
  return bytes + body;
}

template <typename Message>
absl::StatusOr<Message> Unframe(absl::string_view bytes) {
  ocdbt::ByteReader reader(bytes);
  const uint32_t checksum = reader.U32Le();
  const absl::string_view body = reader.Rest();
  Message message;
  if (!reader.ok() || ocdbt::Crc32c(body) != checksum || body.size() > size_t{INT32_MAX} ||
      !message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return absl::DataLossError("is damaged");
  }
  return message;
}

absl::Status DecodeFace(const proto::ChunkSurfaces::Face& face, size_t places, Array3<uint32_t>& plane) {
  absl::Status wrong = absl::DataLossError("a face is none");
  if (face.extent_size() != 3) {
    return wrong;
  }
  const Extent3 extent{face.extent(0), face.extent(1), face.extent(2)};
  int64_t count = 1;
  for (const int64_t size : face.extent()) {
    if (size < 1 || size > face.places_size() || count > face.places_size()) {
      return wrong;
    }
    count *= size;
  }
  if (count != face.places_size() ||
      std::ranges::any_of(face.places(), [&](uint32_t place) { return place >= places; })) {
    return wrong;
  }
  plane = Array3<uint32_t>(extent);
  std::ranges::copy(face.places(), plane.data());
  return absl::OkStatus();
}

}  // namespace

std::string EncodeSurfaces(const ChunkSupervoxels& chunk) {
  proto::ChunkSurfaces message;
  for (const graph::NodeId id : chunk.ids) {
    message.add_ids(Value(id));
  }
  message.mutable_labels()->Add(chunk.labels.begin(), chunk.labels.end());
  message.mutable_objects()->Add(chunk.objects.begin(), chunk.objects.end());
  for (const Contact<uint32_t>& contact : chunk.contacts) {
    message.add_contacts(contact.pair.a);
    message.add_contacts(contact.pair.b);
    for (const int64_t faces : contact.faces.by_axis) {
      message.add_contacts(static_cast<uint64_t>(faces));
    }
  }
  for (const auto& sides : chunk.faces) {
    for (const Array3<uint32_t>& plane : sides) {
      if (plane.size() == 0) {
        continue;
      }
      proto::ChunkSurfaces::Face* face = message.add_faces();
      for (int axis = 0; axis < 3; ++axis) {
        face->add_extent(plane.extent()[axis]);
      }
      face->mutable_places()->Add(plane.data(), plane.data() + plane.size());
    }
  }
  return Frame(message);
}

absl::StatusOr<ChunkSupervoxels> DecodeSurfaces(ChunkPoint position, absl::string_view bytes) {
  CLEAVE_ASSIGN_OR_RETURN(const proto::ChunkSurfaces message, Unframe<proto::ChunkSurfaces>(bytes));
  const auto places = static_cast<size_t>(message.ids_size());
  const bool whole = message.faces_size() == kFaces && message.labels_size() == message.ids_size() &&
                     message.objects_size() == message.ids_size();
  const bool ids_alone = message.faces_size() == 0 && message.labels_size() == 0 && message.objects_size() == 0 &&
                         message.contacts_size() == 0;
  if (places == 0 || message.ids(0) != 0 || (!whole && !ids_alone) ||
      message.contacts_size() % kNumbersOfContact != 0) {
    return absl::DataLossError("is no surface of a chunk");
  }
  ChunkSupervoxels chunk;
  chunk.position = position;
  for (const uint64_t id : message.ids()) {
    chunk.ids.push_back(graph::NodeId{id});
  }
  chunk.labels.assign(message.labels().begin(), message.labels().end());
  chunk.objects.assign(message.objects().begin(), message.objects().end());
  for (int i = 0; i < message.contacts_size(); i += kNumbersOfContact) {
    const uint64_t a = message.contacts(i);
    const uint64_t b = message.contacts(i + 1);
    if (a >= places || b >= places) {
      return absl::DataLossError("a contact is of no supervoxel");
    }
    Contact<uint32_t>& contact = chunk.contacts.emplace_back();
    contact.pair = {static_cast<uint32_t>(a), static_cast<uint32_t>(b)};
    for (int axis = 0; axis < 3; ++axis) {
      contact.faces.by_axis[static_cast<size_t>(axis)] = static_cast<int64_t>(message.contacts(i + 2 + axis));
    }
  }
  for (int i = 0; i < message.faces_size(); ++i) {
    CLEAVE_RETURN_IF_ERROR(
        DecodeFace(message.faces(i), places, chunk.faces[static_cast<size_t>(i / 2)][static_cast<size_t>(i % 2)]));
  }
  return chunk;
}

std::string EncodeRows(const ChunkRows& rows) {
  proto::ChunkRows message;
  for (const table::RowMutation& mutation : rows.rows) {
    proto::ChunkRows::Row* row = message.add_rows();
    row->set_key(mutation.key);
    for (const table::Change& change : mutation.changes) {
      const auto& set = std::get<table::SetCell>(change);
      proto::ChunkRows::Cell* cell = row->add_cells();
      cell->set_family(set.column.family);
      cell->set_qualifier(set.column.qualifier);
      cell->set_time_us(absl::ToUnixMicros(set.time.value()));
      cell->set_value(set.value);
    }
  }
  const AtomicLayerCounts& counts = rows.counts;
  for (const int64_t count :
       {counts.supervoxels, counts.edges_inside, counts.edges_between, counts.edges_cross, counts.l2_nodes}) {
    message.add_counts(count);
  }
  return Frame(message);
}

absl::StatusOr<ChunkRows> DecodeRows(absl::string_view bytes) {
  CLEAVE_ASSIGN_OR_RETURN(proto::ChunkRows message, Unframe<proto::ChunkRows>(bytes));
  if (message.counts_size() != kNumbersOfCounts ||
      std::ranges::any_of(message.counts(), [](int64_t count) { return count < 0; })) {
    return absl::DataLossError("holds no counts");
  }
  ChunkRows rows;
  rows.counts = {message.counts(0), message.counts(1), message.counts(2), message.counts(3), message.counts(4)};
  rows.rows.reserve(static_cast<size_t>(message.rows_size()));
  for (proto::ChunkRows::Row& row : *message.mutable_rows()) {
    table::RowMutation& mutation = rows.rows.emplace_back(table::RowMutation{std::move(*row.mutable_key()), {}});
    for (proto::ChunkRows::Cell& cell : *row.mutable_cells()) {
      mutation.changes.push_back(
          table::SetCell{{std::move(*cell.mutable_family()), std::move(*cell.mutable_qualifier())},
                         absl::FromUnixMicros(cell.time_us()),
                         std::move(*cell.mutable_value())});
    }
  }
  return rows;
}

absl::StatusOr<std::string> Spool::Read(const std::string& key) const {
  CLEAVE_ASSIGN_OR_RETURN(store::ReadResult read, store_->Read(key));
  return read.value.has_value() ? absl::StatusOr<std::string>(*std::move(read.value))
                                : absl::NotFoundError(absl::StrCat(store_->Describe(key), " is missing"));
}

absl::Status Spool::WriteSurfaces(const ChunkSupervoxels& chunk) {
  return store_->Write(ChunkName("surfaces", chunk.position), EncodeSurfaces(chunk)).status();
}

absl::StatusOr<ChunkSupervoxels> Spool::ReadSurfaces(ChunkPoint chunk) const {
  const std::string key = ChunkName("surfaces", chunk);
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, Read(key));
  absl::StatusOr<ChunkSupervoxels> surfaces = DecodeSurfaces(chunk, bytes);
  return surfaces.ok() ? std::move(surfaces) : Annotate(surfaces.status(), store_->Describe(key));
}

absl::Status Spool::WriteRows(ChunkPoint chunk, const ChunkRows& rows) {
  return store_->Write(ChunkName("rows", chunk), EncodeRows(rows)).status();
}

absl::StatusOr<ChunkRows> Spool::ReadRows(ChunkPoint chunk) const {
  const std::string key = ChunkName("rows", chunk);
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, Read(key));
  absl::StatusOr<ChunkRows> rows = DecodeRows(bytes);
  return rows.ok() ? std::move(rows) : Annotate(rows.status(), store_->Describe(key));
}

absl::StatusOr<std::vector<bool>> Spool::Have(SpoolKind kind, std::span<const ChunkPoint> chunks) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> list,
                          store_->List(store::KeyRange::Prefix(absl::StrCat(FolderOf(kind), "/"))));
  const absl::flat_hash_set<absl::string_view> names(list.begin(), list.end());
  std::vector<bool> have;
  have.reserve(chunks.size());
  for (const ChunkPoint chunk : chunks) {
    have.push_back(names.contains(ChunkName(FolderOf(kind), chunk)));
  }
  return have;
}

absl::Status Spool::Remove(SpoolKind kind, ChunkPoint chunk) {
  return store_->Delete(ChunkName(FolderOf(kind), chunk));
}

}  // namespace cleave::ingest
