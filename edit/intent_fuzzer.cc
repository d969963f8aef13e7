// Goal: no bytes make the intent decoder crash, hang or take more memory than they should; what it accepts can be
// written and read again. A digest stands before the content, so the input is taken as the content and given its
// digest: once as a zstd frame, once as the message inside of one.
#include <zstd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include <openssl/sha.h>

#include "edit/intent.h"

namespace {

std::string WithDigest(absl::string_view frame) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(frame.data()), frame.size(), digest.data());
  return absl::StrCat("CLEAVEI1", std::string(digest.begin(), digest.end()), frame);
}

void Decode(const std::string& bytes) {
  const absl::StatusOr<cleave::edit::Intent> intent = cleave::edit::DecodeIntent(bytes);
  if (!intent.ok()) {
    return;
  }
  const absl::StatusOr<std::string> again = cleave::edit::EncodeIntent(*intent);
  if (!again.ok() || !cleave::edit::DecodeIntent(*again).ok()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  Decode(std::string(input));
  Decode(WithDigest(input));
  std::string frame(ZSTD_compressBound(size), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), data, size, 1));
  Decode(WithDigest(frame));
  return 0;
}
