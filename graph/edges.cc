#include "graph/edges.h"

#include <zstd.h>

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"

#include "base/parallel.h"
#include "base/status.h"
#include "graph/edges.pb.h"
#include "store/store.h"

namespace cleave::graph {
namespace {

static_assert(std::endian::native == std::endian::little, "edge arrays are copied as they stand in memory");

constexpr int kCompressionLevel = 3;
constexpr uint64_t kLargestFile = uint64_t{1} << 32;  // a frame that claims more is damaged
constexpr uint64_t kLargestRatio = 40000;             // zstd's own limit: 128 KiB from a block of 4 bytes

template <typename T, typename Get>
std::string PackColumn(const std::vector<Edge>& edges, Get get) {
  std::string bytes(edges.size() * sizeof(T), '\0');
  for (size_t i = 0; i < edges.size(); ++i) {
    const T value = static_cast<T>(get(edges[i]));
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return bytes;
}

void Pack(const std::vector<Edge>& edges, proto::Edges* message) {
  message->set_node_ids1(PackColumn<uint64_t>(edges, [](const Edge& e) { return Value(e.node1); }));
  message->set_node_ids2(PackColumn<uint64_t>(edges, [](const Edge& e) { return Value(e.node2); }));
  message->set_affinities(PackColumn<float>(edges, [](const Edge& e) { return e.affinity; }));
  message->set_areas(PackColumn<uint64_t>(edges, [](const Edge& e) { return e.area; }));
}

template <typename T>
T Element(const std::string& column, size_t index) {
  T value;
  std::memcpy(&value, column.data() + index * sizeof(T), sizeof(T));
  return value;
}

absl::StatusOr<std::vector<Edge>> Unpack(const proto::Edges& message, absl::string_view category) {
  const size_t count = message.node_ids1().size() / sizeof(uint64_t);
  if (message.node_ids1().size() != count * sizeof(uint64_t) ||
      message.node_ids2().size() != count * sizeof(uint64_t) || message.affinities().size() != count * sizeof(float) ||
      message.areas().size() != count * sizeof(uint64_t)) {
    return absl::DataLossError(
        absl::StrCat("the arrays of the ", category, " edges differ in length: ", message.node_ids1().size(),
                     " bytes of first ids, ", message.node_ids2().size(), " of second ids, ",
                     message.affinities().size(), " of affinities, ", message.areas().size(), " of areas"));
  }
  std::vector<Edge> edges(count);
  for (size_t i = 0; i < count; ++i) {
    edges[i] = {NodeId{Element<uint64_t>(message.node_ids1(), i)}, NodeId{Element<uint64_t>(message.node_ids2(), i)},
                Element<float>(message.affinities(), i), Element<uint64_t>(message.areas(), i)};
  }
  return edges;
}

// For frames that do not state their size, as a streaming compressor leaves them.
absl::StatusOr<std::string> DecompressStream(absl::string_view bytes) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::string content;
  for (size_t left = 1; left != 0;) {
    const size_t done = content.size();
    content.resize(done + ZSTD_DStreamOutSize());
    ZSTD_outBuffer out{content.data(), content.size(), done};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    content.resize(out.pos);
    if (ZSTD_isError(left) != 0 || content.size() > kLargestFile ||
        (left != 0 && in.pos == in.size && out.pos < out.size)) {
      return absl::DataLossError("the zstd frame is damaged or cut short");
    }
  }
  return in.pos == in.size ? absl::StatusOr<std::string>(std::move(content))
                           : absl::DataLossError("bytes follow the zstd frame");
}

absl::StatusOr<std::string> Decompress(absl::string_view bytes) {
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return DecompressStream(bytes);
  }
  if (size == ZSTD_CONTENTSIZE_ERROR || size > kLargestFile || size > kLargestRatio * bytes.size()) {
    return absl::DataLossError("not a zstd frame of a plausible size");
  }
  std::string content(size, '\0');
  const size_t written = ZSTD_decompress(content.data(), content.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(written) != 0 || written != size) {
    return absl::DataLossError("the zstd frame is damaged or cut short");
  }
  return content;
}

}  // namespace

std::string EdgeFiles::FileName(ChunkPoint chunk) {
  return absl::StrCat("edges_", chunk.x, "_", chunk.y, "_", chunk.z, ".proto.zst");
}

std::string EncodeChunkEdges(const ChunkEdges& edges) {
  proto::ChunkEdges message;
  Pack(edges.in, message.mutable_in_chunk());
  Pack(edges.cross, message.mutable_cross_chunk());
  Pack(edges.between, message.mutable_between_chunk());
  const std::string content = message.SerializeAsString();
  std::string bytes(ZSTD_compressBound(content.size()), '\0');
  bytes.resize(ZSTD_compress(bytes.data(), bytes.size(), content.data(), content.size(), kCompressionLevel));
  return bytes;
}

absl::StatusOr<ChunkEdges> DecodeChunkEdges(absl::string_view bytes) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string content, Decompress(bytes));
  proto::ChunkEdges message;
  if (!message.ParseFromString(content)) {
    return absl::DataLossError("not a protobuf message of chunk edges");
  }
  ChunkEdges edges;
  CLEAVE_ASSIGN_OR_RETURN(edges.in, Unpack(message.in_chunk(), "in-chunk"));
  CLEAVE_ASSIGN_OR_RETURN(edges.cross, Unpack(message.cross_chunk(), "cross-chunk"));
  CLEAVE_ASSIGN_OR_RETURN(edges.between, Unpack(message.between_chunk(), "between-chunk"));
  return edges;
}

absl::StatusOr<ChunkEdges> EdgeFiles::Read(ChunkPoint chunk) const {
  const std::string name = FileName(chunk);
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store_->Read(name));
  if (!read.value.has_value()) {
    return ChunkEdges{};
  }
  absl::StatusOr<ChunkEdges> edges = DecodeChunkEdges(*read.value);
  if (!edges.ok()) {
    return Annotate(edges.status(), store_->Describe(name));
  }
  return edges;
}

absl::StatusOr<std::vector<ChunkEdges>> EdgeFiles::ReadMany(std::span<const ChunkPoint> chunks) const {
  std::vector<ChunkEdges> results(chunks.size());
  CLEAVE_RETURN_IF_ERROR(
      ParallelFor(static_cast<int64_t>(chunks.size()), DefaultThreadCount(), [&](int64_t i) -> absl::Status {
        CLEAVE_ASSIGN_OR_RETURN(results[i], Read(chunks[i]));
        return absl::OkStatus();
      }));
  return results;
}

absl::Status EdgeFiles::Write(ChunkPoint chunk, const ChunkEdges& edges) {
  if (edges.in.empty() && edges.between.empty() && edges.cross.empty()) {
    return absl::OkStatus();
  }
  return WriteEncoded(chunk, EncodeChunkEdges(edges));
}

absl::Status EdgeFiles::WriteEncoded(ChunkPoint chunk, absl::string_view bytes) {
  return store_->Write(FileName(chunk), bytes).status();
}

absl::Status EdgeFiles::Remove(ChunkPoint chunk) { return store_->Delete(FileName(chunk)); }

}  // namespace cleave::graph
