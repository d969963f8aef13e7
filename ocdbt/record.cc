#include "ocdbt/record.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "ocdbt/crc32c.h"

namespace cleave::ocdbt {
namespace {

constexpr absl::string_view kEmptyWord = "\"\"";

std::string FirstLine(absl::string_view kind) { return absl::StrCat("cleave ", kind, " 1\n"); }

std::string LastLine(absl::string_view before) { return absl::StrFormat("end %08x\n", Crc32c(before)); }

std::string EncodeWord(absl::string_view word) {
  return word.empty() ? std::string(kEmptyWord) : absl::StrReplaceAll(absl::CEscape(word), {{" ", "\\040"}});
}

}  // namespace

std::string EncodeRecord(absl::string_view kind, const RecordLines& lines) {
  std::string text = FirstLine(kind);
  for (const std::vector<std::string>& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      absl::StrAppend(&text, i == 0 ? "" : " ", EncodeWord(line[i]));
    }
    text += '\n';
  }
  text += LastLine(text);
  return text;
}

absl::StatusOr<RecordLines> DecodeRecord(absl::string_view kind, absl::string_view text) {
  const size_t last_line_bytes = LastLine("").size();
  absl::string_view body = text;
  if (text.size() < last_line_bytes || !absl::ConsumePrefix(&body, FirstLine(kind))) {
    return absl::DataLossError(absl::StrCat("is no record of kind \"", kind, "\""));
  }
  const absl::string_view covered = text.substr(0, text.size() - last_line_bytes);
  if (text.substr(covered.size()) != LastLine(covered)) {
    return absl::DataLossError("the checksum of the record is wrong");
  }
  body.remove_suffix(last_line_bytes);
  RecordLines lines;
  for (absl::string_view line : absl::StrSplit(absl::StripSuffix(body, "\n"), '\n', absl::SkipEmpty())) {
    std::vector<std::string>& words = lines.emplace_back();
    for (const absl::string_view word : absl::StrSplit(line, ' ')) {
      std::string& plain = words.emplace_back();
      if (word != kEmptyWord && !absl::CUnescape(word, &plain)) {
        return absl::DataLossError(absl::StrCat("the record holds a word that cannot be read: ", word));
      }
    }
  }
  return lines;
}

}  // namespace cleave::ocdbt
