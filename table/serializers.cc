#include "table/serializers.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/status.h"

namespace cleave::table {
namespace {

constexpr absl::string_view kZstdMagic = "\x28\xb5\x2f\xfd";
constexpr int kCompressionLevel = 3;

// A cell that claims to be larger is damaged: it would be 32 million ids.
constexpr size_t kMaxArrayBytes = size_t{1} << 28;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_CCtx* CompressionContext() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx* DecompressionContext() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return context.get();
}

absl::Status TooLarge() {
  return absl::DataLossError(absl::StrCat("compressed cell: holds more than ", kMaxArrayBytes, " bytes"));
}

absl::Status BadFrame(absl::string_view why) { return absl::DataLossError(absl::StrCat("compressed cell: ", why)); }

// The length of the UTF-8 sequence at the beginning of `text`; 0 when there is none. Unicode 15, table 3-7.
size_t SequenceSize(absl::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return follows(1) ? 2 : 0;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool is_overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool is_surrogate = lead == 0xED && byte(1) >= 0xA0;
    return follows(1) && follows(2) && !is_overlong && !is_surrogate ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool is_overlong = lead == 0xF0 && byte(1) < 0x90;
    const bool is_too_large = lead == 0xF4 && byte(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !is_overlong && !is_too_large ? 4 : 0;
  }
  return 0;
}

// For frames that do not tell their size.
absl::StatusOr<std::string> DecompressStream(absl::string_view frame) {
  ZSTD_DCtx* const context = DecompressionContext();
  ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
  std::string bytes;
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  for (;;) {
    if (bytes.size() >= kMaxArrayBytes) {
      return TooLarge();
    }
    const size_t done = bytes.size();
    bytes.resize(std::max(2 * done, ZSTD_DStreamOutSize()));
    ZSTD_outBuffer out{bytes.data(), bytes.size(), done};
    const size_t left = ZSTD_decompressStream(context, &out, &in);
    bytes.resize(out.pos);
    if (ZSTD_isError(left)) {
      return BadFrame(ZSTD_getErrorName(left));
    }
    if (left == 0) {
      return in.pos == in.size ? absl::StatusOr<std::string>(std::move(bytes)) : BadFrame("bytes follow its frame");
    }
    if (in.pos == in.size && out.pos < out.size) {
      return BadFrame("its frame is cut short");
    }
  }
}

}  // namespace

namespace internal {

std::string Compress(absl::string_view bytes) {
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size = ZSTD_compressCCtx(CompressionContext(), frame.data(), frame.size(), bytes.data(), bytes.size(),
                                        kCompressionLevel);
  if (ZSTD_isError(size)) {
    return std::string(bytes);  // out of memory only; an uncompressed cell is read as well
  }
  frame.resize(size);
  return frame;
}

absl::StatusOr<std::string> DecompressIfCompressed(absl::string_view value) {
  if (!absl::StartsWith(value, kZstdMagic)) {
    return std::string(value);
  }
  const unsigned long long content_size = ZSTD_getFrameContentSize(value.data(), value.size());
  if (content_size == ZSTD_CONTENTSIZE_ERROR) {
    return BadFrame("its header is damaged");
  }
  if (content_size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return DecompressStream(value);
  }
  if (content_size > kMaxArrayBytes) {
    return TooLarge();
  }
  if (ZSTD_findFrameCompressedSize(value.data(), value.size()) != value.size()) {
    return BadFrame("its frame is cut short, or bytes follow it");
  }
  std::string bytes(content_size, '\0');
  const size_t size =
      ZSTD_decompressDCtx(DecompressionContext(), bytes.data(), bytes.size(), value.data(), value.size());
  if (ZSTD_isError(size)) {
    return BadFrame(ZSTD_getErrorName(size));
  }
  return size == bytes.size() ? absl::StatusOr<std::string>(std::move(bytes)) : BadFrame("its header is damaged");
}

absl::Status BadSize(absl::string_view what, size_t element_bytes, size_t value_bytes) {
  return absl::DataLossError(
      absl::StrCat("cell of ", value_bytes, " bytes is no ", what, " of ", element_bytes, "-byte elements"));
}

}  // namespace internal

std::string EncodeIdText(uint64_t id) { return absl::StrFormat("%020u", id); }

absl::StatusOr<uint64_t> DecodeIdText(absl::string_view value) {
  uint64_t id = 0;
  if (value.empty() || value.size() > 20 || !std::all_of(value.begin(), value.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(value, &id)) {
    return absl::DataLossError(absl::StrCat("cell of ", value.size(), " bytes is no id in decimal digits"));
  }
  return id;
}

std::string EncodeCounter(int64_t count) {
  const uint64_t big_endian = __builtin_bswap64(static_cast<uint64_t>(count));
  return EncodeValue(big_endian);
}

absl::StatusOr<int64_t> DecodeCounter(absl::string_view value) {
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t big_endian, DecodeValue<uint64_t>(value));
  return static_cast<int64_t>(__builtin_bswap64(big_endian));
}

absl::StatusOr<std::string> DecodeText(absl::string_view value) {
  for (size_t i = 0; i < value.size();) {
    const size_t size = SequenceSize(value.substr(i));
    if (size == 0) {
      return absl::DataLossError(absl::StrCat("cell is no UTF-8 text at byte ", i));
    }
    i += size;
  }
  return std::string(value);
}

}  // namespace cleave::table
