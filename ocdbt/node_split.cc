#include "ocdbt/node_split.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "ocdbt/byte_coding.h"

namespace cleave::ocdbt {
namespace {

constexpr uint64_t kLeafEntryBytes = 16;
constexpr uint64_t kIndirectValueBytes = 16;
constexpr uint64_t kInteriorEntryBytes = 56;

uint64_t PathBytes(const DataFileId& file) { return file.base_path().size() + file.relative_path().size(); }

uint64_t CeilingOfQuotient(uint64_t a, uint64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

template <typename Entry>
size_t SharedKeyBytes(std::span<const Entry> entries) {
  size_t shared = entries.front().key.size();
  for (size_t i = 1; i < entries.size(); ++i) {
    const size_t with_previous = CommonPrefix(entries[i - 1].key, entries[i].key);
    shared = i == 1 ? with_previous : std::min(shared, with_previous);
  }
  return shared;
}

// The bytes that every key of the node begins with and the parent keeps: not more than all keys of the subtree share.
size_t ExcludedBytes(std::span<const LeafEntry> group) { return CommonPrefix(group.front().key, group.back().key); }
size_t ExcludedBytes(std::span<const InteriorEntry> group) {
  size_t excluded = CommonPrefix(group.front().key, group.back().key);
  for (const InteriorEntry& entry : group) {
    excluded = std::min(excluded, entry.subtree_prefix_bytes);
  }
  return excluded;
}

template <typename Entry, typename Encode>
absl::StatusOr<std::vector<NewNode>> WriteLevel(std::span<const Entry> entries, Level level, const SplitLimits& limits,
                                                DataFileWriter& writer, const Encode& encode) {
  std::vector<NewNode> nodes;
  if (entries.empty()) {
    return nodes;
  }
  std::vector<uint64_t> bytes;
  bytes.reserve(entries.size());
  for (const Entry& entry : entries) {
    bytes.push_back(EstimatedBytes(entry));
  }
  size_t begin = 0;
  for (const size_t end : SplitEntries(bytes, SharedKeyBytes(entries), limits)) {
    const std::span<const Entry> group = entries.subspan(begin, end - begin);
    const bool root = level == Level::kTop && group.size() == entries.size();
    NewNode node{root ? "" : std::string(group.front().key), root ? 0 : ExcludedBytes(group), {}};
    const EncodedNode encoded = encode(group, node.subtree_prefix_bytes);
    CLEAVE_ASSIGN_OR_RETURN(node.reference.location, writer.Append(DataKind::kBtreeNode, encoded.object));
    node.reference.statistics = encoded.statistics;
    nodes.push_back(std::move(node));
    begin = end;
  }
  return nodes;
}

}  // namespace

uint64_t EstimatedBytes(const LeafEntry& entry) {
  const uint64_t value_bytes =
      entry.value.indirect ? kIndirectValueBytes + PathBytes(entry.value.reference.file) : entry.value.length();
  return kLeafEntryBytes + entry.key.size() + value_bytes;
}

uint64_t EstimatedBytes(const InteriorEntry& entry) {
  return kInteriorEntryBytes + entry.key.size() + PathBytes(entry.child.location.file);
}

std::vector<size_t> SplitEntries(std::span<const uint64_t> entry_bytes, uint64_t shared_key_bytes,
                                 const SplitLimits& limits) {
  const size_t count = entry_bytes.size();
  std::vector<uint64_t> sum_before(count + 1, 0);
  for (size_t i = 0; i < count; ++i) {
    sum_before[i + 1] = sum_before[i] + entry_bytes[i];
  }
  const auto size_of = [&](size_t begin, size_t end) {
    return sum_before[end] - sum_before[begin] - (end - begin - 1) * shared_key_bytes;
  };
  std::vector<size_t> ends;
  for (size_t begin = 0; begin < count;) {
    const uint64_t rest = size_of(begin, count);
    uint64_t nodes = CeilingOfQuotient(count - begin, kMaxNodeEntries);
    if (limits.max_node_bytes != 0) {
      nodes = std::max(nodes, CeilingOfQuotient(rest, limits.max_node_bytes));
    }
    const uint64_t target = CeilingOfQuotient(rest, nodes);
    size_t end = begin + 1;
    for (; end < count && end - begin < kMaxNodeEntries; ++end) {
      const uint64_t size = size_of(begin, end);
      if (size >= target && end >= begin + limits.min_entries) {
        if (size > limits.max_node_bytes && end > begin + limits.min_entries) {
          --end;
        }
        break;
      }
    }
    ends.push_back(end);
    begin = end;
  }
  return ends;
}

absl::StatusOr<std::vector<NewNode>> WriteLeaves(std::span<const LeafEntry> entries, Level level, const Config& config,
                                                 DataFileWriter& writer) {
  return WriteLevel(entries, level, {config.max_decoded_node_bytes, 1}, writer,
                    [&](std::span<const LeafEntry> group, size_t excluded) {
                      return EncodeLeaf(group, excluded, config.compression);
                    });
}

absl::StatusOr<std::vector<NewNode>> WriteInterior(int height, std::span<const InteriorEntry> entries, Level level,
                                                   const Config& config, DataFileWriter& writer) {
  return WriteLevel(entries, level, {config.max_decoded_node_bytes, 2}, writer,
                    [&](std::span<const InteriorEntry> group, size_t excluded) {
                      return EncodeInterior(height, group, excluded, config.compression);
                    });
}

}  // namespace cleave::ocdbt
