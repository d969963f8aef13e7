#include "ocdbt/envelope.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/status.h"
#include "ocdbt/byte_coding.h"
#include "ocdbt/crc32c.h"

namespace cleave::ocdbt {
namespace {

constexpr size_t kMinimumBytes = 16;
constexpr size_t kChecksumBytes = 4;
constexpr size_t kFixedHeaderBytes = 12;
// No writer makes nodes anywhere near this; it bounds what a damaged or hostile object can cost.
constexpr size_t kMaxBodyBytes = size_t{1} << 30;

std::string MagicBytes(ObjectKind kind) {
  const auto magic = static_cast<uint32_t>(kind);
  return {static_cast<char>(magic >> 24), static_cast<char>(magic >> 16), static_cast<char>(magic >> 8),
          static_cast<char>(magic)};
}

void AppendZstd(std::string& out, absl::string_view body, int level) {
  const size_t start = out.size();
  out.resize(start + ZSTD_compressBound(body.size()));
  const size_t written = ZSTD_compress(out.data() + start, out.size() - start, body.data(), body.size(), level);
  out.resize(start + written);  // with a buffer of the bound's size only lack of memory can fail
}

// One frame, which must end where `frame` ends. Its header need not say how long the contents are.
absl::StatusOr<std::string> DecodeZstd(absl::string_view frame) {
  const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(), &ZSTD_freeDStream);
  std::string body;
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  const unsigned long long declared = ZSTD_getFrameContentSize(frame.data(), frame.size());
  // The declared size is only a hint: memory follows what really comes out.
  size_t room = std::min<unsigned long long>(declared, std::max<size_t>(frame.size() * 64, 4096)) + 1;
  while (true) {
    const size_t start = body.size();
    body.resize(start + room);
    ZSTD_outBuffer out{body.data() + start, room, 0};
    const size_t left = ZSTD_decompressStream(stream.get(), &out, &in);
    body.resize(start + out.pos);
    if (ZSTD_isError(left) != 0) {
      return absl::DataLossError(absl::StrCat("zstd: ", ZSTD_getErrorName(left)));
    }
    if (left == 0) {
      break;
    }
    if (in.pos == in.size && out.pos < room) {
      return absl::DataLossError("zstd: the frame ends early");
    }
    if (body.size() > kMaxBodyBytes) {
      return absl::DataLossError("zstd: the contents are larger than any node can be");
    }
    room = std::max<size_t>(body.size(), 4096);
  }
  return in.pos == in.size ? absl::StatusOr<std::string>(std::move(body))
                           : absl::DataLossError("zstd: bytes follow the frame");
}

absl::Status CheckHeader(ObjectKind kind, absl::string_view object) {
  if (object.size() < kMinimumBytes) {
    return absl::DataLossError(
        absl::StrCat("Encoded length (", object.size(), ") is less than minimum length (", kMinimumBytes, ")"));
  }
  if (const std::string magic = MagicBytes(kind); object.substr(0, 4) != magic) {
    return absl::DataLossError(absl::StrCat("Expected to start with hex bytes ", absl::BytesToHexString(magic),
                                            " but received: ", absl::BytesToHexString(object.substr(0, 4))));
  }
  if (const uint64_t length = ByteReader(object.substr(4)).U64Le(); length != object.size()) {
    return absl::DataLossError(
        absl::StrCat("Length in header (", length, ") does not match actual length (", object.size(), ")"));
  }
  const uint32_t expected = ByteReader(object.substr(object.size() - kChecksumBytes)).U32Le();
  const uint32_t actual = Crc32c(object.substr(0, object.size() - kChecksumBytes));
  if (expected != actual) {
    return absl::DataLossError(
        absl::StrFormat("CRC-32C checksum verification failed: stored %08x, computed %08x", expected, actual));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> DecodeBody(ObjectKind kind, absl::string_view object) {
  CLEAVE_RETURN_IF_ERROR(CheckHeader(kind, object));
  ByteReader reader(object.substr(kFixedHeaderBytes, object.size() - kFixedHeaderBytes - kChecksumBytes));
  const uint32_t version = reader.Varint32();
  const uint32_t format = reader.Varint32();
  CLEAVE_RETURN_IF_ERROR(reader.status());
  if (version > 0) {
    return absl::DataLossError(absl::StrCat("Maximum supported version is 0 but received: ", version));
  }
  const absl::string_view body = reader.Rest();
  switch (format) {
    case 0:
      return std::string(body);
    case 1:
      return DecodeZstd(body);
    default:
      return absl::DataLossError(absl::StrCat("Unsupported compression format: ", format));
  }
}

}  // namespace

absl::string_view NameOf(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kManifest:
      return "manifest";
    case ObjectKind::kBtreeNode:
      return "b-tree node";
    case ObjectKind::kVersionTreeNode:
      return "version tree node";
  }
  return "object";
}

std::string EncodeEnvelope(ObjectKind kind, absl::string_view body, const Compression& compression) {
  std::string object = MagicBytes(kind);
  PutU64Le(object, 0);  // the length, known at the end
  PutVarint(object, 0);
  PutVarint(object, compression.zstd ? 1 : 0);
  if (compression.zstd) {
    AppendZstd(object, body, compression.level);
  } else {
    object.append(body.data(), body.size());
  }
  std::string length;
  PutU64Le(length, object.size() + kChecksumBytes);
  object.replace(4, length.size(), length);
  PutU32Le(object, Crc32c(object));
  return object;
}

absl::StatusOr<std::string> DecodeEnvelope(ObjectKind kind, absl::string_view object) {
  absl::StatusOr<std::string> body = DecodeBody(kind, object);
  if (!body.ok()) {
    return Annotate(body.status(), absl::StrCat("Error decoding ", NameOf(kind)));
  }
  return body;
}

}  // namespace cleave::ocdbt
