#include "ocdbt/dump.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "ocdbt/btree_node.h"
#include "ocdbt/envelope.h"
#include "ocdbt/manifest.h"
#include "ocdbt/manifest_store.h"

namespace cleave::ocdbt {
namespace {

using Json = nlohmann::ordered_json;

std::string Text(absl::string_view bytes) { return absl::Utf8SafeCHexEscape(bytes); }
std::string Text(absl::Time time) { return FormatVersionSpec(CommittedBy{time}); }

Json Describe(const Statistics& statistics) {
  return {{"num_keys", statistics.num_keys},
          {"num_tree_bytes", statistics.num_tree_bytes},
          {"num_indirect_value_bytes", statistics.num_indirect_value_bytes}};
}

Json Describe(const Version& version) {
  Json out = {{"generation", version.generation.value}, {"commit_time", Text(version.commit_time)}};
  if (!version.empty()) {
    out["root"] = Text(ocdbt::Describe(version.root.location));
    out["root_height"] = version.root_height;
  }
  out["statistics"] = Describe(version.root.statistics);
  return out;
}

Json Describe(const VersionNodeReference& node) {
  return {{"last_generation", node.last_generation.value},
          {"num_generations", node.num_generations},
          {"first_commit_time", Text(node.first_commit_time)},
          {"height", node.height},
          {"location", Text(ocdbt::Describe(node.location))}};
}

template <typename Item>
Json DescribeAll(const std::vector<Item>& items) {
  Json out = Json::array();
  for (const Item& item : items) {
    out.push_back(Describe(item));
  }
  return out;
}

Json Describe(const BtreeNode& node) {
  Json entries = Json::array();
  for (const LeafEntry& entry : node.leaf_entries()) {
    Json out = {{"key", Text(entry.key)}};
    if (entry.value.indirect) {
      out["indirect_value"] = Text(ocdbt::Describe(entry.value.reference));
    } else {
      out["inline_value"] = Text(entry.value.inline_bytes);
    }
    entries.push_back(std::move(out));
  }
  for (const InteriorEntry& entry : node.interior_entries()) {
    entries.push_back({{"key", Text(entry.key)},
                       {"subtree_common_prefix", Text(entry.key.substr(0, entry.subtree_prefix_bytes))},
                       {"child", Text(ocdbt::Describe(entry.child.location))},
                       {"statistics", Describe(entry.child.statistics)}});
  }
  return {{"kind", "b-tree node"}, {"height", node.height()}, {"entries", std::move(entries)}};
}

Json Describe(const VersionTreeNode& node) {
  Json out = {{"kind", "version tree node"}, {"arity_log2", node.arity_log2}, {"height", node.height}};
  if (node.height == 0) {
    out["versions"] = DescribeAll(node.versions);
  } else {
    out["children"] = DescribeAll(node.children);
  }
  return out;
}

absl::StatusOr<Json> DescribeObject(absl::string_view object, absl::string_view base_path) {
  absl::StatusOr<std::shared_ptr<const BtreeNode>> node = BtreeNode::Decode(object, base_path);
  if (node.ok()) {
    return Describe(**node);
  }
  absl::StatusOr<VersionTreeNode> version_node = DecodeVersionTreeNode(object, base_path);
  if (version_node.ok()) {
    return Describe(*version_node);
  }
  // The magic number says which of the two errors is the one that matters.
  const std::string version_magic = EncodeEnvelope(ObjectKind::kVersionTreeNode, "", {false, 0}).substr(0, 4);
  return absl::StartsWith(object, version_magic) ? version_node.status() : node.status();
}

// The length of the sound object of either kind of node at the front of `bytes`; nothing when there is none.
std::optional<size_t> ObjectLengthAt(absl::string_view bytes) {
  constexpr size_t kHeaderBytes = 12;
  if (bytes.size() < kHeaderBytes || !absl::StartsWith(bytes, "\x0c\xdb")) {
    return std::nullopt;
  }
  ByteReader reader(bytes.substr(4));
  const uint64_t length = reader.U64Le();
  if (length > bytes.size()) {
    return std::nullopt;
  }
  const absl::string_view object = bytes.substr(0, length);
  const bool sound =
      DecodeEnvelope(ObjectKind::kBtreeNode, object).ok() || DecodeEnvelope(ObjectKind::kVersionTreeNode, object).ok();
  return sound ? std::optional<size_t>(length) : std::nullopt;
}

// The store is only read from, and lent for the time of the call.
std::shared_ptr<store::Store> Borrow(const store::Store& store) {
  return {std::shared_ptr<void>(), const_cast<store::Store*>(&store)};
}

}  // namespace

absl::StatusOr<std::string> DumpManifest(const store::Store& store) {
  ManifestStore manifests(Borrow(store));
  CLEAVE_ASSIGN_OR_RETURN(const auto stored, manifests.Read());
  const Manifest& manifest = stored->manifest;
  const Json out = {{"object", Text(store.Describe(stored->key))},
                    {"config", Json::parse(ConfigJson(manifest.config))},
                    {"versions", DescribeAll(manifest.versions)},
                    {"version_tree_nodes", DescribeAll(manifest.version_tree_nodes)}};
  return out.dump(2);
}

absl::StatusOr<std::string> DumpNode(const store::Store& store, const DataReference& location) {
  const std::string object =
      absl::StrCat(store.Describe(location.file.path()), "[", location.offset, ", +", location.length, ")");
  const store::ByteRange range{location.offset, location.offset + location.length};
  const absl::StatusOr<store::ReadResult> read = store.Read(location.file.path(), {range});
  if (!read.ok()) {
    return Annotate(read.status(), object);
  }
  if (!read->value) {
    return absl::NotFoundError(absl::StrCat(object, ": the data file does not exist"));
  }
  absl::StatusOr<Json> described = DescribeObject(*read->value, location.file.base_path());
  return described.ok() ? absl::StatusOr<std::string>(described->dump(2)) : Annotate(described.status(), object);
}

absl::StatusOr<std::string> DumpFile(const store::Store& store, absl::string_view path) {
  const absl::StatusOr<store::ReadResult> read = store.Read(path);
  CLEAVE_RETURN_IF_ERROR(read.status());
  if (!read->value) {
    return absl::NotFoundError(absl::StrCat(store.Describe(path), ": the data file does not exist"));
  }
  const absl::string_view bytes = *read->value;
  Json objects = Json::array();
  size_t values_begin = 0;
  const auto add_values = [&](size_t end) {
    if (end > values_begin) {
      objects.push_back({{"kind", "values or padding"}, {"offset", values_begin}, {"length", end - values_begin}});
    }
  };
  for (size_t at = 0; at < bytes.size();) {
    const std::optional<size_t> length = ObjectLengthAt(bytes.substr(at));
    if (!length) {
      ++at;
      continue;
    }
    add_values(at);
    // The base path is that of the reference by which a reader comes here; it is most often none.
    absl::StatusOr<Json> described = DescribeObject(bytes.substr(at, *length), "");
    Json object = {{"location", Text(absl::StrCat(path, "[", at, ", +", *length, ")"))}};
    object.update(described.ok() ? *described : Json{{"damage", Text(described.status().message())}});
    objects.push_back(std::move(object));
    at += *length;
    values_begin = at;
  }
  add_values(bytes.size());
  return Json{{"object", Text(store.Describe(path))}, {"bytes", bytes.size()}, {"objects", std::move(objects)}}.dump(2);
}

absl::StatusOr<DataReference> ParseDataReference(absl::string_view text) {
  const size_t bracket = text.rfind('[');
  absl::string_view range = bracket == absl::string_view::npos ? "" : text.substr(bracket + 1);
  uint64_t offset = 0, length = 0;
  const std::vector<absl::string_view> parts =
      absl::ConsumeSuffix(&range, ")") ? absl::StrSplit(range, ", +") : std::vector<absl::string_view>();
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &offset) || !absl::SimpleAtoi(parts[1], &length)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not of the form PATH[OFFSET, +LENGTH)"));
  }
  return DataReference{DataFileId("", text.substr(0, bracket)), offset, length};
}

}  // namespace cleave::ocdbt
