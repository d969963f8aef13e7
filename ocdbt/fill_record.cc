#include "ocdbt/fill_record.h"

#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "ocdbt/record.h"
#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

constexpr absl::string_view kPartKind = "fill_part";
constexpr absl::string_view kCommitKind = "fill_commit";
constexpr size_t kNameMax = 100;

using Words = std::vector<std::string>;

Words PlaceWords(absl::string_view first, const DataReference& place) {
  return {std::string(first), place.file.base_path(), place.file.relative_path(), absl::StrCat(place.offset),
          absl::StrCat(place.length)};
}

absl::Status WrongLine(absl::string_view word) {
  return absl::DataLossError(absl::StrCat("a line \"", word, "\" is wrong"));
}

absl::StatusOr<uint64_t> NumberIn(const Words& words, size_t at) {
  uint64_t number = 0;
  return at < words.size() && absl::SimpleAtoi(words[at], &number) ? absl::StatusOr<uint64_t>(number)
                                                                   : WrongLine(words[0]);
}

// Words 1 to 4.
absl::StatusOr<DataReference> PlaceIn(const Words& words) {
  if (words.size() < 5) {
    return WrongLine(words[0]);
  }
  DataReference place{DataFileId(words[1], words[2]), 0, 0};
  CLEAVE_ASSIGN_OR_RETURN(place.offset, NumberIn(words, 3));
  CLEAVE_ASSIGN_OR_RETURN(place.length, NumberIn(words, 4));
  return place;
}

absl::StatusOr<RunBlock> BlockIn(const Words& words) {
  CLEAVE_ASSIGN_OR_RETURN(const DataReference place, PlaceIn(words));
  CLEAVE_ASSIGN_OR_RETURN(const uint64_t crc32c, NumberIn(words, 5));
  return words.size() == 6 && crc32c <= UINT32_MAX
             ? absl::StatusOr<RunBlock>(RunBlock{place, static_cast<uint32_t>(crc32c)})
             : WrongLine(words[0]);
}

std::string PartKey(absl::string_view fill, absl::string_view part) {
  return absl::StrCat(FolderOfFill(fill), "parts/", part);
}

}  // namespace

absl::Status ValidateFillName(absl::string_view name) {
  const auto may_be = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  bool fits = !name.empty() && name.size() <= kNameMax && absl::ascii_isalnum(static_cast<unsigned char>(name[0]));
  for (const char c : name) {
    fits = fits && may_be(c);
  }
  return fits ? absl::OkStatus()
              : absl::InvalidArgumentError(absl::StrCat(store::Quoted(name.substr(0, kNameMax)),
                                                        " cannot name a fill or a part of one: use 1 to ", kNameMax,
                                                        " letters, digits, '.', '_' and '-', a letter or digit first"));
}

std::string FolderOfFill(absl::string_view fill) { return absl::StrCat(kFillsPrefix, fill, "/"); }

std::vector<std::string> PartRecord::Files() const {
  std::set<std::string> files(value_files.begin(), value_files.end());
  for (const StoredRun& run : runs) {
    for (const RunBlock& block : run) {
      files.insert(block.place.file.path());
    }
  }
  return {files.begin(), files.end()};
}

std::string EncodePart(const PartRecord& part) {
  RecordLines lines;
  for (const std::string& file : part.value_files) {
    lines.push_back({"value", file});
  }
  for (const StoredRun& run : part.runs) {
    lines.push_back({"run"});
    for (const RunBlock& block : run) {
      lines.push_back(PlaceWords("block", block.place));
      lines.back().push_back(absl::StrCat(block.crc32c));
    }
  }
  return EncodeRecord(kPartKind, lines);
}

absl::StatusOr<PartRecord> DecodePart(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(const RecordLines lines, DecodeRecord(kPartKind, text));
  PartRecord part;
  for (const Words& words : lines) {
    if (words[0] == "value" && words.size() == 2) {
      part.value_files.push_back(words[1]);
    } else if (words[0] == "run" && words.size() == 1) {
      part.runs.emplace_back();
    } else if (words[0] == "block" && !part.runs.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(const RunBlock block, BlockIn(words));
      part.runs.back().push_back(block);
    } else {
      return WrongLine(words[0]);
    }
  }
  return part;
}

std::string EncodeCommit(const CommitRecord& record) {
  RecordLines lines = {{"after", absl::StrCat(record.after.value)}};
  for (const DataReference& root : record.roots) {
    lines.push_back(PlaceWords("root", root));
  }
  if (record.done) {
    lines.push_back(
        {"committed", absl::StrCat(record.done->generation.value), absl::StrCat(absl::ToUnixNanos(record.done->time))});
  }
  return EncodeRecord(kCommitKind, lines);
}

absl::StatusOr<CommitRecord> DecodeCommit(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(const RecordLines lines, DecodeRecord(kCommitKind, text));
  CommitRecord record;
  for (const Words& words : lines) {
    if (words[0] == "after" && words.size() == 2) {
      CLEAVE_ASSIGN_OR_RETURN(record.after.value, NumberIn(words, 1));
    } else if (words[0] == "root" && words.size() == 5) {
      CLEAVE_ASSIGN_OR_RETURN(const DataReference root, PlaceIn(words));
      record.roots.push_back(root);
    } else if (words[0] == "committed" && words.size() == 3) {
      CLEAVE_ASSIGN_OR_RETURN(const uint64_t generation, NumberIn(words, 1));
      CLEAVE_ASSIGN_OR_RETURN(const uint64_t nanoseconds, NumberIn(words, 2));
      if (nanoseconds > INT64_MAX) {
        return WrongLine(words[0]);
      }
      record.done = {{generation}, absl::FromUnixNanos(static_cast<int64_t>(nanoseconds))};
    } else {
      return WrongLine(words[0]);
    }
  }
  return record;
}

absl::StatusOr<std::optional<PartRecord>> ReadPart(const store::Store& store, absl::string_view fill,
                                                   absl::string_view part) {
  const std::string key = PartKey(fill, part);
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store.Read(key));
  if (!read.value) {
    return std::nullopt;
  }
  absl::StatusOr<PartRecord> record = DecodePart(*read.value);
  if (!record.ok()) {
    return Annotate(record.status(), absl::StrCat(store.Describe(key), " (delete it, and write the part again)"));
  }
  return *std::move(record);
}

absl::StatusOr<StoredCommitRecord> ReadCommitRecord(const store::Store& store, absl::string_view fill) {
  const std::string key = absl::StrCat(FolderOfFill(fill), "commit");
  CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store.Read(key));
  if (!read.value) {
    return StoredCommitRecord{};
  }
  absl::StatusOr<CommitRecord> record = DecodeCommit(*read.value);
  if (!record.ok()) {
    return Annotate(record.status(), store.Describe(key));
  }
  return StoredCommitRecord{*std::move(record), read.generation};
}

absl::StatusOr<std::vector<PartName>> ListParts(const store::Store& store, absl::string_view prefix) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, store.List(store::KeyRange::Prefix(prefix)));
  std::vector<PartName> parts;
  for (const std::string& key : keys) {
    const absl::string_view name = absl::StripPrefix(key, kFillsPrefix);
    const size_t fill_end = name.find('/');
    absl::string_view rest = fill_end == absl::string_view::npos ? "" : name.substr(fill_end);
    if (absl::ConsumePrefix(&rest, "/parts/")) {
      parts.push_back({std::string(name.substr(0, fill_end)), std::string(rest)});
    }
  }
  return parts;
}

// The record of the commit first, the markers then: if the fill is committed between, some files too many are kept.
absl::StatusOr<OpenFills> FindOpenFills(const store::Store& store) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<PartName> parts, ListParts(store, kFillsPrefix));
  std::map<std::string, bool> committed;
  OpenFills open;
  for (const PartName& name : parts) {
    const auto [fill, fresh] = committed.try_emplace(name.fill, false);
    if (fresh) {
      CLEAVE_ASSIGN_OR_RETURN(const StoredCommitRecord commit, ReadCommitRecord(store, name.fill));
      fill->second = commit.record && commit.record->done;
      if (!fill->second) {
        open.names.push_back(name.fill);
      }
    }
    if (fill->second) {
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<PartRecord> part, ReadPart(store, name.fill, name.part));
    if (part) {
      const std::vector<std::string> of_part = part->Files();
      open.files.insert(open.files.end(), of_part.begin(), of_part.end());
    }
  }
  return open;
}

}  // namespace cleave::ocdbt
