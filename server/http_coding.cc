#include "server/http_coding.h"

#include <zlib.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cleave::server {
namespace {

constexpr size_t kWorthCompressingBytes = 1400;
constexpr int kGzipWindowBits = 15 + 16;    // + 16: zlib writes gzip
constexpr int kEitherWindowBits = 15 + 32;  // + 32: gzip or zlib, told by the header
constexpr int kFastLevel = 1;

Bytef* BytesOf(absl::string_view bytes) { return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data())); }

}  // namespace

std::optional<std::string> Inflate(absl::string_view bytes, uint64_t bytes_max) {
  z_stream stream{};
  if (inflateInit2(&stream, kEitherWindowBits) != Z_OK) {
    return std::nullopt;
  }
  stream.next_in = BytesOf(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  std::vector<char> block(1 << 16);
  int code = Z_OK;
  while (code == Z_OK && out.size() <= bytes_max) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(block.data(), block.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  return code == Z_STREAM_END && out.size() <= bytes_max ? std::optional(std::move(out)) : std::nullopt;
}

std::string Gzip(absl::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, kFastLevel, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return {};
  }
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = BytesOf(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = BytesOf(out);
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return code == Z_STREAM_END ? out : std::string();
}

bool AcceptsGzip(absl::string_view accept_encoding) {
  for (const absl::string_view part : absl::StrSplit(accept_encoding, ',')) {
    const std::vector<absl::string_view> words = absl::StrSplit(part, ';');
    if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(words[0]), "gzip")) {
      continue;
    }
    absl::string_view quality = words.size() > 1 ? absl::StripAsciiWhitespace(words[1]) : "q=1";
    double value = 1;
    return !absl::ConsumePrefix(&quality, "q=") || !absl::SimpleAtod(quality, &value) || value > 0;
  }
  return false;
}

void CompressAnswer(const Request& request, Response& response) {
  if (!response.may_compress || response.code != 200) {
    return;
  }
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (response.body.size() < kWorthCompressingBytes || !AcceptsGzip(HeaderOf(request, "accept-encoding"))) {
    return;
  }
  std::string compressed = Gzip(response.body);
  if (compressed.empty() || compressed.size() >= response.body.size()) {
    return;
  }
  response.body = std::move(compressed);
  response.headers.emplace_back("Content-Encoding", "gzip");
}

}  // namespace cleave::server
