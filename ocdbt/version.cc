#include "ocdbt/version.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace cleave::ocdbt {
namespace {

constexpr absl::string_view kTimeFormat = "%Y-%m-%dT%H:%M:%E*SZ";

uint64_t EncodeTime(absl::Time time) { return static_cast<uint64_t>(absl::ToUnixNanos(time)); }

absl::Time DecodeTime(ByteReader& reader, uint64_t nanoseconds) {
  if (nanoseconds > INT64_MAX) {
    reader.Fail(absl::StrCat("Invalid commit time: ", nanoseconds));
  }
  return absl::FromUnixNanos(static_cast<int64_t>(nanoseconds));
}

// Generation numbers: at least 1, increasing.
void CheckOrder(ByteReader& reader, const std::vector<uint64_t>& generations) {
  uint64_t before = 0;
  for (const uint64_t generation : generations) {
    if (generation <= before || generation > kMaxGenerationNumber.value) {
      return reader.Fail(absl::StrCat("Invalid generation number ", generation, " after ", before));
    }
    before = generation;
  }
}

template <typename Item, typename Get>
void PutColumn(std::string& out, const std::vector<Item>& items, const Get& get) {
  for (const Item& item : items) {
    PutVarint(out, get(item));
  }
}

}  // namespace

std::string FormatVersionSpec(const VersionSpec& spec) {
  if (const auto* generation = std::get_if<GenerationNumber>(&spec)) {
    return absl::StrCat("v", generation->value);
  }
  return absl::FormatTime(kTimeFormat, std::get<CommittedBy>(spec).time, absl::UTCTimeZone());
}

absl::StatusOr<VersionSpec> ParseVersionSpec(absl::string_view text) {
  GenerationNumber generation;
  const bool digits = text.find_first_not_of("0123456789", 1) == absl::string_view::npos;
  if (absl::string_view number = text; absl::ConsumePrefix(&number, "v") && digits &&
                                       absl::SimpleAtoi(number, &generation.value) && generation.value > 0) {
    return generation;
  }
  absl::Time time;
  if (absl::ParseTime(kTimeFormat, text, absl::UTCTimeZone(), &time, nullptr) && time >= absl::UnixEpoch() &&
      time <= absl::FromUnixNanos(INT64_MAX)) {
    return CommittedBy{absl::FromUnixNanos(absl::ToUnixNanos(time))};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("Invalid OCDBT version: \"", text, "\"; expected v7 or 2025-01-01T01:23:45.678Z"));
}

void AddFiles(const std::vector<Version>& versions, DataFileTable& files) {
  for (const Version& version : versions) {
    files.Add(version.root.location.file);
  }
}

void AddFiles(const std::vector<VersionNodeReference>& nodes, DataFileTable& files) {
  for (const VersionNodeReference& node : nodes) {
    files.Add(node.location.file);
  }
}

void EncodeVersions(const std::vector<Version>& versions, const DataFileTable& files, std::string& out) {
  PutVarint(out, versions.size());
  PutColumn(out, versions, [](const Version& v) { return v.generation.value; });
  for (const Version& version : versions) {
    PutU8(out, static_cast<uint8_t>(version.root_height));
  }
  PutColumn(out, versions, [&](const Version& v) { return files.IndexOf(v.root.location.file); });
  PutColumn(out, versions, [](const Version& v) { return v.root.location.offset; });
  PutColumn(out, versions, [](const Version& v) { return v.root.location.length; });
  PutColumn(out, versions, [](const Version& v) { return v.root.statistics.num_keys; });
  PutColumn(out, versions, [](const Version& v) { return v.root.statistics.num_tree_bytes; });
  PutColumn(out, versions, [](const Version& v) { return v.root.statistics.num_indirect_value_bytes; });
  for (const Version& version : versions) {
    PutU64Le(out, EncodeTime(version.commit_time));
  }
}

void EncodeVersionNodes(const std::vector<VersionNodeReference>& nodes, bool with_heights, const DataFileTable& files,
                        std::string& out) {
  PutVarint(out, nodes.size());
  PutColumn(out, nodes, [](const VersionNodeReference& n) { return n.last_generation.value; });
  PutColumn(out, nodes, [&](const VersionNodeReference& n) { return files.IndexOf(n.location.file); });
  PutColumn(out, nodes, [](const VersionNodeReference& n) { return n.location.offset; });
  PutColumn(out, nodes, [](const VersionNodeReference& n) { return n.location.length; });
  PutColumn(out, nodes, [](const VersionNodeReference& n) { return n.num_generations; });
  for (const VersionNodeReference& node : nodes) {
    PutU64Le(out, EncodeTime(node.first_commit_time));
  }
  for (const VersionNodeReference& node : nodes) {
    if (with_heights) {
      PutU8(out, static_cast<uint8_t>(node.height));
    }
  }
}

std::vector<Version> DecodeVersions(ByteReader& reader, const std::vector<DataFileId>& files) {
  const uint64_t count = reader.Varint();
  const std::vector<uint64_t> generation = reader.Column(count, &ByteReader::Varint);
  const std::vector<uint8_t> height = reader.Column(count, &ByteReader::U8);
  const std::vector<DataReference> location = DecodeReferences(reader, files, count, true);
  const std::vector<uint64_t> num_keys = reader.Column(count, &ByteReader::Varint);
  const std::vector<uint64_t> num_tree_bytes = reader.Column(count, &ByteReader::Varint);
  const std::vector<uint64_t> num_indirect = reader.Column(count, &ByteReader::Varint);
  const std::vector<uint64_t> time = reader.Column(count, &ByteReader::U64Le);
  CheckOrder(reader, generation);
  std::vector<Version> versions;
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    Version version{{generation[i]},
                    height[i],
                    {location[i], {num_keys[i], num_tree_bytes[i], num_indirect[i]}},
                    DecodeTime(reader, time[i])};
    if (version.empty()) {
      version.root.location = DataReference::Missing();
      if (version != Version{{generation[i]}, 0, {DataReference::Missing(), {}}, version.commit_time}) {
        reader.Fail(absl::StrCat("Generation ", generation[i], " has no root, but a height or statistics"));
      }
    }
    versions.push_back(std::move(version));
  }
  return versions;
}

std::vector<VersionNodeReference> DecodeVersionNodes(ByteReader& reader, const std::vector<DataFileId>& files,
                                                     int child_height) {
  const uint64_t count = reader.Varint();
  const std::vector<uint64_t> generation = reader.Column(count, &ByteReader::Varint);
  const std::vector<DataReference> location = DecodeReferences(reader, files, count, false);
  const std::vector<uint64_t> num_generations = reader.Column(count, &ByteReader::Varint);
  const std::vector<uint64_t> time = reader.Column(count, &ByteReader::U64Le);
  const std::vector<uint8_t> height = child_height < 0 ? reader.Column(count, &ByteReader::U8) : std::vector<uint8_t>();
  CheckOrder(reader, generation);
  std::vector<VersionNodeReference> nodes;
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    nodes.push_back({{generation[i]},
                     num_generations[i],
                     location[i],
                     DecodeTime(reader, time[i]),
                     child_height < 0 ? height[i] : child_height});
  }
  return nodes;
}

}  // namespace cleave::ocdbt
