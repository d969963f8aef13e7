#include "ocdbt/garbage_list.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/record.h"

namespace cleave::ocdbt {
namespace {

constexpr absl::string_view kRecordKind = "garbage";
constexpr absl::string_view kMarked = "marked";
constexpr absl::string_view kCondemned = "condemned";

void AddLines(absl::string_view what, const std::map<std::string, absl::Time>& files, RecordLines& lines) {
  for (const auto& [file, since] : files) {
    lines.push_back({std::string(what), absl::StrCat(absl::ToUnixNanos(since)), file});
  }
}

}  // namespace

std::string EncodeGarbageList(const GarbageList& list) {
  RecordLines lines;
  AddLines(kMarked, list.marked, lines);
  AddLines(kCondemned, list.condemned, lines);
  return EncodeRecord(kRecordKind, lines);
}

absl::StatusOr<GarbageList> DecodeGarbageList(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(const RecordLines lines, DecodeRecord(kRecordKind, text));
  GarbageList list;
  for (const std::vector<std::string>& line : lines) {
    int64_t nanoseconds = 0;
    if (line.size() != 3 || (line[0] != kMarked && line[0] != kCondemned) || !absl::SimpleAtoi(line[1], &nanoseconds)) {
      return absl::DataLossError("a line of the garbage list is not: marked|condemned TIME FILE");
    }
    (line[0] == kMarked ? list.marked : list.condemned)[line[2]] = absl::FromUnixNanos(nanoseconds);
  }
  return list;
}

absl::StatusOr<StoredGarbageList> ReadGarbageList(const store::Store& store) {
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store.Read(kGarbageKey));
  if (!read.value) {
    return StoredGarbageList{};
  }
  absl::StatusOr<GarbageList> list = DecodeGarbageList(*read.value);
  if (!list.ok()) {
    return Annotate(list.status(), absl::StrCat(store.Describe(kGarbageKey), " (it may be deleted)"));
  }
  return StoredGarbageList{*std::move(list), read.generation};
}

absl::StatusOr<std::vector<std::string>> LostFiles(const store::Store& store, const std::vector<std::string>& files) {
  std::vector<std::string> lost;
  if (files.empty()) {
    return lost;
  }
  CLEAVE_ASSIGN_OR_RETURN(const StoredGarbageList garbage, ReadGarbageList(store));
  for (const std::string& file : files) {
    bool gone = garbage.list.condemned.contains(file);
    if (!gone) {
      CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store.Read(file, {.range = {0, 0}}));
      gone = !read.value;
    }
    if (gone) {
      lost.push_back(file);
    }
  }
  return lost;
}

}  // namespace cleave::ocdbt
