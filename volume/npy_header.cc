#include "volume/npy_header.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"

namespace cleave::volume {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr int64_t kAlignment = 64;
constexpr int64_t kVoxelsMax = int64_t{1} << 40;

// The text of an entry's value, from behind its colon to the end of the dictionary.
absl::StatusOr<absl::string_view> ValueOf(absl::string_view text, absl::string_view entry) {
  for (const char quote : {'\'', '"'}) {
    const std::string name = absl::StrCat(std::string(1, quote), entry, std::string(1, quote));
    const size_t at = text.find(name);
    if (at != absl::string_view::npos) {
      absl::string_view rest = absl::StripLeadingAsciiWhitespace(text.substr(at + name.size()));
      if (absl::ConsumePrefix(&rest, ":")) {
        return absl::StripLeadingAsciiWhitespace(rest);
      }
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("npy header: no entry '", entry, "'"));
}

absl::StatusOr<NpyType> ParseType(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(const absl::string_view value, ValueOf(text, "descr"));
  const absl::string_view shown = value.substr(0, value.find(','));
  if (value.size() >= 5 && (value[0] == '\'' || value[0] == '"') && value[4] == value[0]) {
    const char order = value[1];
    const char kind = value[2];
    const int64_t byte_count = value[3] - '0';
    const bool is_size = byte_count == 1 || byte_count == 2 || byte_count == 4 || byte_count == 8;
    const bool is_order = order == '<' || (byte_count == 1 && (order == '|' || order == '>'));
    if (is_size && is_order && (kind == 'u' || kind == 'i')) {
      return NpyType{.is_signed = kind == 'i', .byte_count = byte_count};
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("npy header: dtype ", shown, " is not supported; expected a little-endian integer, such as '<u4'"));
}

absl::StatusOr<bool> ParseFortranOrder(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(const absl::string_view value, ValueOf(text, "fortran_order"));
  if (absl::StartsWith(value, "True")) {
    return true;
  }
  if (absl::StartsWith(value, "False")) {
    return false;
  }
  return absl::InvalidArgumentError("npy header: fortran_order is neither True nor False");
}

absl::StatusOr<Extent3> ParseShape(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(absl::string_view value, ValueOf(text, "shape"));
  const size_t end = value.find(')');
  if (!absl::ConsumePrefix(&value, "(") || end == absl::string_view::npos) {
    return absl::InvalidArgumentError("npy header: shape is not a tuple");
  }
  value = value.substr(0, end - 1);
  const auto unexpected = [value] {
    return absl::InvalidArgumentError(
        absl::StrCat("npy header: shape (", value,
                     ") is not supported; expected three positive sizes (x, y, z), or four with a last of 1"));
  };
  std::vector<int64_t> sizes;
  for (const absl::string_view part : absl::StrSplit(value, ',', absl::SkipWhitespace())) {
    int64_t size = 0;
    if (sizes.size() == 4 || !absl::SimpleAtoi(part, &size) || size <= 0 || size > kVoxelsMax) {
      return unexpected();
    }
    sizes.push_back(size);
  }
  if (sizes.size() < 3 || (sizes.size() == 4 && sizes[3] != 1)) {
    return unexpected();
  }
  if (sizes[1] > kVoxelsMax / sizes[0] || sizes[2] > kVoxelsMax / (sizes[0] * sizes[1])) {
    return absl::InvalidArgumentError(absl::StrCat("npy header: shape (", value, ") has too many voxels"));
  }
  return Extent3{sizes[0], sizes[1], sizes[2]};
}

}  // namespace

absl::StatusOr<int64_t> NpyLengthBytes(absl::string_view preamble) {
  if (!absl::StartsWith(preamble, kMagic)) {
    return absl::InvalidArgumentError("not a .npy file (nor one compressed with zstd): the magic string is missing");
  }
  const int major = preamble[6];
  if (major < 1 || major > 3) {
    return absl::InvalidArgumentError(absl::StrCat("npy version ", major, " is not supported; expected 1, 2 or 3"));
  }
  return major == 1 ? 2 : 4;
}

absl::StatusOr<NpyHeader> ParseNpyDictionary(absl::string_view text) {
  NpyHeader header;
  CLEAVE_ASSIGN_OR_RETURN(header.type, ParseType(text));
  CLEAVE_ASSIGN_OR_RETURN(header.fortran_order, ParseFortranOrder(text));
  CLEAVE_ASSIGN_OR_RETURN(header.extent, ParseShape(text));
  return header;
}

std::string FormatNpyHeader(const NpyHeader& header) {
  const char order = header.type.byte_count == 1 ? '|' : '<';
  std::string dictionary =
      absl::StrCat("{'descr': '", std::string(1, order), header.type.is_signed ? "i" : "u", header.type.byte_count,
                   "', 'fortran_order': ", header.fortran_order ? "True" : "False", ", 'shape': (", header.extent.x,
                   ", ", header.extent.y, ", ", header.extent.z, "), }");
  const auto unpadded = kNpyPreambleBytes + 2 + static_cast<int64_t>(dictionary.size()) + 1;
  dictionary.append(static_cast<size_t>(CeilDivide(unpadded, kAlignment) * kAlignment - unpadded), ' ');
  dictionary += '\n';
  std::string bytes(kMagic);
  bytes += {'\x01', '\x00'};
  bytes += {static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
  return bytes + dictionary;
}

}  // namespace cleave::volume
