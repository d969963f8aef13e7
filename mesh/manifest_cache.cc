#include "mesh/manifest_cache.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cleave::mesh {
namespace {

constexpr size_t kFileBytesMax = 200;

bool IsShardFile(absl::string_view file) {
  const auto is_plain = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '/';
  };
  return !file.empty() && file.size() <= kFileBytesMax && std::ranges::all_of(file, is_plain);
}

bool IsHex(absl::string_view text) {
  return text.size() % 2 == 0 && text.size() <= 1000 &&
         std::ranges::all_of(text, [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
}

}  // namespace

std::string EncodeCachedMesh(const CachedMesh& mesh) {
  switch (mesh.kind) {
    case CachedMesh::Kind::kShard:
      return absl::StrCat("S", mesh.shard.file, ":", mesh.shard.place.offset, ":", mesh.shard.place.length);
    case CachedMesh::Kind::kAbsent:
      return absl::StrCat("X", mesh.shard.file, ":", absl::BytesToHexString(mesh.generation.bytes()));
    case CachedMesh::Kind::kFile:
      break;
  }
  return "F";
}

std::optional<CachedMesh> DecodeCachedMesh(absl::string_view text) {
  if (text == "F") {
    return CachedMesh{.kind = CachedMesh::Kind::kFile};
  }
  CachedMesh mesh;
  if (absl::ConsumePrefix(&text, "S")) {
    const std::vector<absl::string_view> words = absl::StrSplit(text, ':');
    mesh.kind = CachedMesh::Kind::kShard;
    if (words.size() != 3 || !IsShardFile(words[0]) || !absl::SimpleAtoi(words[1], &mesh.shard.place.offset) ||
        !absl::SimpleAtoi(words[2], &mesh.shard.place.length)) {
      return std::nullopt;
    }
    mesh.shard.file = std::string(words[0]);
    return mesh;
  }
  if (absl::ConsumePrefix(&text, "X")) {
    const std::vector<absl::string_view> words = absl::StrSplit(text, ':');
    mesh.kind = CachedMesh::Kind::kAbsent;
    if (words.size() != 2 || !IsShardFile(words[0]) || !IsHex(words[1])) {
      return std::nullopt;
    }
    mesh.shard.file = std::string(words[0]);
    mesh.generation =
        words[1].empty() ? store::Generation::Absent() : store::Generation(absl::HexStringToBytes(words[1]));
    return mesh;
  }
  return std::nullopt;
}

}  // namespace cleave::mesh
