#include "ocdbt/btree_node.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/byte_coding.h"
#include "ocdbt/envelope.h"

namespace cleave::ocdbt {
namespace {

// Shared prefixes let few bytes stand for many; this bounds what a damaged node can cost.
constexpr size_t kMaxKeyBytesOfNode = size_t{1} << 30;

void SaturatingAdd(uint64_t& sum, uint64_t value) {
  sum = value > std::numeric_limits<uint64_t>::max() - sum ? std::numeric_limits<uint64_t>::max() : sum + value;
}

}  // namespace

Statistics& Statistics::operator+=(const Statistics& other) {
  SaturatingAdd(num_keys, other.num_keys);
  SaturatingAdd(num_tree_bytes, other.num_tree_bytes);
  SaturatingAdd(num_indirect_value_bytes, other.num_indirect_value_bytes);
  return *this;
}

absl::StatusOr<std::shared_ptr<const BtreeNode>> BtreeNode::Decode(absl::string_view object,
                                                                   absl::string_view base_path) {
  const std::shared_ptr<BtreeNode> node(new BtreeNode);
  CLEAVE_ASSIGN_OR_RETURN(node->body_, DecodeEnvelope(ObjectKind::kBtreeNode, object));
  if (absl::Status status = node->DecodeBody(base_path); !status.ok()) {
    return Annotate(status, "Error decoding b-tree node");
  }
  return node;
}

absl::string_view BtreeNode::first_key() const {
  return height_ == 0 ? leaf_entries_.front().key : interior_entries_.front().key;
}

size_t BtreeNode::memory_bytes() const {
  return sizeof(BtreeNode) + body_.size() + key_bytes_.size() + leaf_entries_.capacity() * sizeof(LeafEntry) +
         interior_entries_.capacity() * sizeof(InteriorEntry);
}

absl::Status BtreeNode::DecodeBody(absl::string_view base_path) {
  ByteReader reader(body_);
  height_ = reader.U8();
  const std::vector<DataFileId> files = DecodeDataFileTable(reader, base_path);
  const uint32_t count = reader.Varint32();
  if (reader.ok() && count == 0) {
    reader.Fail("Empty b-tree node");
  }
  if (count > kMaxNodeEntries) {
    reader.Fail(absl::StrCat("Number of entries (", count, ") exceeds the limit (", kMaxNodeEntries, ")"));
  }
  CLEAVE_RETURN_IF_ERROR(reader.status());
  std::vector<absl::string_view> keys;
  std::vector<uint16_t> subtree_prefixes;
  DecodeKeys(reader, count, keys, subtree_prefixes);
  CLEAVE_RETURN_IF_ERROR(reader.status());
  if (height_ == 0) {
    DecodeLeaf(reader, files, keys);
  } else {
    DecodeInterior(reader, files, keys, subtree_prefixes);
  }
  reader.ExpectEnd();
  return reader.status();
}

void BtreeNode::DecodeKeys(ByteReader& reader, size_t count, std::vector<absl::string_view>& keys,
                           std::vector<uint16_t>& subtree_prefixes) {
  const std::vector<uint16_t> prefix = reader.Column(count - 1, &ByteReader::Varint16);
  const std::vector<uint16_t> suffix = reader.Column(count, &ByteReader::Varint16);
  if (height_ > 0) {
    subtree_prefixes = reader.Column(count, &ByteReader::Varint16);
  }
  if (!reader.ok()) {
    return;
  }
  size_t total = 0;
  for (size_t i = 0, length = 0; i < count; ++i) {
    const size_t shared = i == 0 ? 0 : prefix[i - 1];
    if (shared > length || shared + suffix[i] > kMaxKeyBytes || total > kMaxKeyBytesOfNode) {
      return reader.Fail(absl::StrCat("Invalid key length of entry ", i));
    }
    length = shared + suffix[i];
    total += length;
  }
  key_bytes_.reserve(total);  // no view into it may move
  for (size_t i = 0; i < count; ++i) {
    const absl::string_view before = keys.empty() ? absl::string_view() : keys.back();
    const size_t begin = key_bytes_.size();
    const absl::string_view own = reader.Bytes(suffix[i]);
    if (!reader.ok()) {
      return;
    }
    key_bytes_.append(before.data(), i == 0 ? 0 : prefix[i - 1]);
    key_bytes_.append(own.data(), own.size());
    const absl::string_view key(key_bytes_.data() + begin, key_bytes_.size() - begin);
    if (i > 0 && key <= before) {
      return reader.Fail(absl::StrCat("Invalid key order at entry ", i));
    }
    keys.push_back(key);
  }
}

void BtreeNode::DecodeLeaf(ByteReader& reader, const std::vector<DataFileId>& files,
                           std::span<const absl::string_view> keys) {
  const std::vector<uint64_t> length = reader.Column(keys.size(), &ByteReader::Varint);
  const std::vector<uint8_t> kind = reader.Column(keys.size(), &ByteReader::U8);
  size_t indirect = 0;
  for (size_t i = 0; i < kind.size(); ++i) {
    indirect += kind[i];
    if (kind[i] > 1) {
      return reader.Fail(absl::StrCat("Invalid value kind ", kind[i], " of entry ", i));
    }
    if (kind[i] == 0 && length[i] > kMaxInlineValueBytes) {
      return reader.Fail(absl::StrCat("Inline value of entry ", i, " is too long: ", length[i], " bytes"));
    }
  }
  const std::vector<uint64_t> file = reader.Column(indirect, &ByteReader::Varint);
  const std::vector<uint64_t> offset = reader.Column(indirect, &ByteReader::Varint);
  if (!reader.ok()) {
    return;
  }
  leaf_entries_.resize(keys.size());
  for (size_t i = 0, next = 0; i < keys.size() && reader.ok(); ++i) {
    LeafEntry& entry = leaf_entries_[i];
    entry.key = keys[i];
    entry.value.indirect = kind[i] == 1;
    if (entry.value.indirect) {
      entry.value.reference = CheckedReference(reader, files, {file[next], offset[next], length[i]}, false);
      ++next;
    } else {
      entry.value.inline_bytes = reader.Bytes(length[i]);
    }
  }
}

void BtreeNode::DecodeInterior(ByteReader& reader, const std::vector<DataFileId>& files,
                               std::span<const absl::string_view> keys, std::span<const uint16_t> subtree_prefixes) {
  std::vector<DataReference> locations = DecodeReferences(reader, files, keys.size(), false);
  const std::vector<uint64_t> num_keys = reader.Column(keys.size(), &ByteReader::Varint);
  const std::vector<uint64_t> num_tree_bytes = reader.Column(keys.size(), &ByteReader::Varint);
  const std::vector<uint64_t> num_indirect = reader.Column(keys.size(), &ByteReader::Varint);
  if (!reader.ok()) {
    return;
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    if (subtree_prefixes[i] > keys[i].size()) {
      return reader.Fail(absl::StrCat("Subtree common prefix of entry ", i, " is longer than its key"));
    }
    interior_entries_.push_back(
        {keys[i], subtree_prefixes[i], {std::move(locations[i]), {num_keys[i], num_tree_bytes[i], num_indirect[i]}}});
  }
}

namespace {

template <typename Entry>
void EncodeKeys(std::span<const Entry> entries, size_t excluded, std::string& body) {
  std::vector<size_t> shared(entries.size(), excluded);
  for (size_t i = 1; i < entries.size(); ++i) {
    shared[i] = CommonPrefix(entries[i - 1].key, entries[i].key);
    PutVarint(body, shared[i] - excluded);
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    PutVarint(body, entries[i].key.size() - shared[i]);
  }
  if constexpr (std::is_same_v<Entry, InteriorEntry>) {
    for (const InteriorEntry& entry : entries) {
      PutVarint(body, entry.subtree_prefix_bytes - excluded);
    }
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    absl::StrAppend(&body, entries[i].key.substr(shared[i]));
  }
}

EncodedNode Finish(absl::string_view body, Statistics statistics, const Compression& compression) {
  EncodedNode node{EncodeEnvelope(ObjectKind::kBtreeNode, body, compression), statistics};
  node.statistics += {0, node.object.size(), 0};
  return node;
}

}  // namespace

EncodedNode EncodeLeaf(std::span<const LeafEntry> entries, size_t excluded_bytes, const Compression& compression) {
  DataFileTable files;
  Statistics statistics{entries.size(), 0, 0};
  for (const LeafEntry& entry : entries) {
    if (entry.value.indirect) {
      files.Add(entry.value.reference.file);
      statistics += {0, 0, entry.value.reference.length};
    }
  }
  std::string body(1, '\0');
  files.Encode(body);
  PutVarint(body, entries.size());
  EncodeKeys(entries, excluded_bytes, body);
  std::string kinds, file_ids, offsets, inline_values;
  for (const LeafEntry& entry : entries) {
    PutVarint(body, entry.value.length());
    PutU8(kinds, entry.value.indirect ? 1 : 0);
    if (entry.value.indirect) {
      PutVarint(file_ids, files.IndexOf(entry.value.reference.file));
      PutVarint(offsets, entry.value.reference.offset);
    } else {
      absl::StrAppend(&inline_values, entry.value.inline_bytes);
    }
  }
  absl::StrAppend(&body, kinds, file_ids, offsets, inline_values);
  return Finish(body, statistics, compression);
}

EncodedNode EncodeInterior(int height, std::span<const InteriorEntry> entries, size_t excluded_bytes,
                           const Compression& compression) {
  DataFileTable files;
  Statistics statistics;
  for (const InteriorEntry& entry : entries) {
    files.Add(entry.child.location.file);
    statistics += entry.child.statistics;
  }
  std::string body(1, static_cast<char>(height));
  files.Encode(body);
  PutVarint(body, entries.size());
  EncodeKeys(entries, excluded_bytes, body);
  std::string columns[6];
  for (const InteriorEntry& entry : entries) {
    const NodeReference& child = entry.child;
    PutVarint(columns[0], files.IndexOf(child.location.file));
    PutVarint(columns[1], child.location.offset);
    PutVarint(columns[2], child.location.length);
    PutVarint(columns[3], child.statistics.num_keys);
    PutVarint(columns[4], child.statistics.num_tree_bytes);
    PutVarint(columns[5], child.statistics.num_indirect_value_bytes);
  }
  for (const std::string& column : columns) {
    body += column;
  }
  return Finish(body, statistics, compression);
}

}  // namespace cleave::ocdbt
