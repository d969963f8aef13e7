#include "ingest/label_map.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace cleave::ingest {
namespace {

using Map = absl::flat_hash_map<uint64_t, uint64_t>;

// The representative of `value` in sets kept as chains towards smaller values; unknown values are sets of their own.
uint64_t Find(const Map& parents, uint64_t value) {
  for (auto parent = parents.find(value); parent != parents.end() && parent->second != value;
       parent = parents.find(value)) {
    value = parent->second;
  }
  return value;
}

void Join(Map& parents, uint64_t a, uint64_t b) {
  parents.try_emplace(a, a);
  parents.try_emplace(b, b);
  const auto [small, large] = std::minmax({Find(parents, a), Find(parents, b)});
  parents[large] = small;
}

// Points every value straight at its representative.
void Flatten(Map& parents) {
  for (auto& [value, parent] : parents) {
    parent = Find(parents, value);
  }
}

absl::StatusOr<LabelObject> ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
  LabelObject entry;
  if (fields.size() != 2 || !absl::SimpleAtoi(fields[0], &entry.label) || !absl::SimpleAtoi(fields[1], &entry.object)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected 'label,object', two whole numbers, but found '", line.substr(0, 80), "'"));
  }
  if (entry.label == 0 || entry.object == 0) {
    return absl::InvalidArgumentError("0 is the background, neither a label nor an object");
  }
  return entry;
}

}  // namespace

absl::StatusOr<std::vector<LabelObject>> ParseAgglomeration(absl::string_view text) {
  struct Seen {
    uint64_t object = 0;
    int64_t line = 0;
  };
  absl::flat_hash_map<uint64_t, Seen> seen;
  std::vector<LabelObject> entries;
  int64_t number = 0;
  for (const absl::string_view full_line : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(full_line.substr(0, full_line.find('#')));
    if (line.empty()) {
      continue;
    }
    const absl::StatusOr<LabelObject> entry = ParseLine(line);
    if (!entry.ok()) {
      return Annotate(entry.status(), absl::StrCat("line ", number));
    }
    const auto [earlier, inserted] = seen.try_emplace(entry->label, Seen{entry->object, number});
    if (!inserted && earlier->second.object != entry->object) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": label ", entry->label, " is given to object ",
                                                     entry->object, ", but line ", earlier->second.line,
                                                     " gave it to object ", earlier->second.object));
    }
    if (inserted) {
      entries.push_back(*entry);
    }
  }
  return entries;
}

absl::StatusOr<std::vector<LabelObject>> ReadAgglomeration(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::array<char, 1 << 16> buffer;
  while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) {
    text.append(buffer.data(), static_cast<size_t>(file.gcount()));
  }
  if (!file.is_open() || file.bad()) {
    return absl::NotFoundError(absl::StrCat("there is no readable agglomeration file '", path, "'"));
  }
  absl::StatusOr<std::vector<LabelObject>> entries = ParseAgglomeration(text);
  if (!entries.ok()) {
    return Annotate(entries.status(), absl::StrCat("agglomeration '", path, "'"));
  }
  return entries;
}

absl::StatusOr<LabelMap> LabelMap::Create(std::span<const FusePair> fuse, std::span<const LabelObject> agglomeration) {
  LabelMap map;
  for (const LabelObject& entry : agglomeration) {
    map.object_of_[entry.label] = entry.object;
  }
  for (const FusePair& pair : fuse) {
    if (pair.a == 0 || pair.b == 0 || pair.a == pair.b) {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot fuse ", pair.a, " and ", pair.b, ": name two different labels, neither of them 0"));
    }
    Join(map.same_object_, map.Object(pair.a), map.Object(pair.b));
  }
  // Only now: Object() above must see the objects as listed, and Find() needs no flat chains.
  for (const FusePair& pair : fuse) {
    Join(map.fused_, pair.a, pair.b);
  }
  Flatten(map.fused_);
  Flatten(map.same_object_);
  return map;
}

uint64_t LabelMap::Fused(uint64_t label) const {
  const auto entry = fused_.find(label);
  return entry == fused_.end() ? label : entry->second;
}

uint64_t LabelMap::Object(uint64_t label) const {
  const auto listed = object_of_.find(label);
  return Find(same_object_, listed == object_of_.end() ? label : listed->second);
}

void LabelMap::FuseInPlace(ArrayView3<uint64_t> labels) const {
  if (fused_.empty()) {
    return;
  }
  const Extent3 extent = labels.extent();
  uint64_t last = 0;
  uint64_t last_fused = 0;
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      uint64_t* row = labels.Row(y, z);
      for (int64_t x = 0; x < extent.x; ++x) {
        if (row[x] != last) {
          last = row[x];
          last_fused = Fused(last);
        }
        row[x] = last_fused;
      }
    }
  }
}

std::vector<uint64_t> LabelMap::FusedLabels() const {
  std::vector<uint64_t> labels;
  for (const auto& [label, fused] : fused_) {
    labels.push_back(label);
  }
  std::ranges::sort(labels);
  return labels;
}

}  // namespace cleave::ingest
