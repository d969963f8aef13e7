#include "ocdbt/node_reader.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/parallel.h"
#include "base/status.h"
#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

size_t MemoryBytes(const VersionTreeNode& node) {
  return sizeof(node) + node.versions.capacity() * sizeof(Version) +
         node.children.capacity() * sizeof(VersionNodeReference);
}

// In the cache, where nodes of both trees are.
std::string NameOf(const DataReference& location) { return absl::StrCat("b", Describe(location)); }

// A thread reads at least this much at a time.
constexpr uint64_t kTaskBytes = uint64_t{512} << 10;

// Several threads pay from about this many bytes or requests on.
int ThreadsFor(std::span<const DataReference> locations) {
  constexpr uint64_t kWorthBytes = 2 * kTaskBytes;
  constexpr size_t kWorthRequests = 32;
  uint64_t bytes = 0;
  for (const DataReference& location : locations) {
    bytes += location.length;
  }
  return bytes >= kWorthBytes || locations.size() >= kWorthRequests ? DefaultThreadCount() : 1;
}

}  // namespace

NodeReader::NodeReader(std::shared_ptr<store::Store> store, size_t cache_bytes)
    : store_(std::move(store)), cache_(cache_bytes) {}

absl::StatusOr<std::shared_ptr<const BtreeNode>> NodeReader::ReadBtreeNode(const DataReference& location) const {
  if (auto cached = cache_.Find<BtreeNode>(NameOf(location))) {
    return cached;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string object, ReadBytes(location));
  return DecodeAndKeep(location, object);
}

absl::StatusOr<std::shared_ptr<const BtreeNode>> NodeReader::DecodeAndKeep(const DataReference& location,
                                                                           absl::string_view object) const {
  auto node = BtreeNode::Decode(object, location.file.base_path());
  if (!node.ok()) {
    return Annotate(node.status(), Describe(location));
  }
  cache_.Insert(NameOf(location), *node, (*node)->memory_bytes());
  return node;
}

absl::StatusOr<std::vector<std::shared_ptr<const BtreeNode>>> NodeReader::ReadBtreeNodes(
    std::span<const DataReference> locations) const {
  std::vector<std::shared_ptr<const BtreeNode>> nodes;
  std::vector<DataReference> missing;
  std::vector<size_t> places;
  for (const DataReference& location : locations) {
    nodes.push_back(cache_.Find<BtreeNode>(NameOf(location)));
    if (nodes.back() == nullptr) {
      missing.push_back(location);
      places.push_back(nodes.size() - 1);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> objects, ReadBytes(missing));
  CLEAVE_RETURN_IF_ERROR(
      ParallelFor(static_cast<int64_t>(missing.size()), ThreadsFor(missing), [&](int64_t i) -> absl::Status {
        CLEAVE_ASSIGN_OR_RETURN(nodes[places[i]], DecodeAndKeep(missing[i], objects[i]));
        return absl::OkStatus();
      }));
  return nodes;
}

absl::StatusOr<std::shared_ptr<const VersionTreeNode>> NodeReader::ReadVersionTreeNode(
    const DataReference& location) const {
  const std::string name = absl::StrCat("v", ocdbt::Describe(location));
  if (auto cached = cache_.Find<VersionTreeNode>(name)) {
    return cached;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string object, ReadBytes(location));
  absl::StatusOr<VersionTreeNode> node = DecodeVersionTreeNode(object, location.file.base_path());
  if (!node.ok()) {
    return Annotate(node.status(), Describe(location));
  }
  auto shared = std::make_shared<const VersionTreeNode>(*std::move(node));
  cache_.Insert(name, shared, MemoryBytes(*shared));
  return shared;
}

absl::StatusOr<std::string> NodeReader::ReadValue(const LeafValue& value, const store::ByteRange& range) const {
  const std::string object = value.indirect ? Describe(value.reference) : "value";
  CLEAVE_ASSIGN_OR_RETURN(const store::Extent extent, store::ResolveRange(range, value.length(), object));
  if (!value.indirect) {
    return std::string(value.inline_bytes.substr(extent.offset, extent.length));
  }
  if (value.reference.length == 0) {
    return std::string();  // an empty value is stored nowhere
  }
  return ReadBytes({value.reference.file, value.reference.offset + extent.offset, extent.length});
}

absl::StatusOr<std::vector<std::string>> NodeReader::ReadValues(std::span<const LeafValue> values) const {
  std::vector<std::string> bytes(values.size());
  std::vector<DataReference> outside;
  std::vector<size_t> places;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i].indirect) {
      bytes[i] = std::string(values[i].inline_bytes);
    } else if (values[i].reference.length > 0) {  // an empty value is stored nowhere
      outside.push_back(values[i].reference);
      places.push_back(i);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::string> read, ReadBytes(outside));
  for (size_t i = 0; i < places.size(); ++i) {
    bytes[places[i]] = std::move(read[i]);
  }
  return bytes;
}

std::string NodeReader::Describe(const DataReference& location) const {
  return absl::StrCat(store_->Describe(location.file.path()), "[", location.offset, ", +", location.length, ")");
}

absl::StatusOr<std::string> NodeReader::ReadBytes(const DataReference& location) const {
  const store::ByteRange range{location.offset, location.offset + location.length};
  absl::StatusOr<store::ReadResult> read = store_->Read(location.file.path(), {range});
  if (absl::IsOutOfRange(read.status()) || absl::IsInvalidArgument(read.status())) {
    return absl::DataLossError(absl::StrCat(Describe(location), ": cannot be there: ", read.status().message()));
  }
  if (!read.ok()) {
    return Annotate(read.status(), Describe(location));
  }
  if (!read->value) {
    return absl::DataLossError(absl::StrCat(Describe(location), ": the data file is missing"));
  }
  if (read->value->size() != location.length) {
    return absl::DataLossError(
        absl::StrCat(Describe(location), ": the data file ends after ", read->value->size(), " of these bytes"));
  }
  return *std::move(read->value);
}

absl::StatusOr<std::vector<std::string>> NodeReader::ReadBytes(std::span<const DataReference> locations) const {
  std::vector<size_t> order(locations.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(locations[a].file, locations[a].offset) < std::tie(locations[b].file, locations[b].offset);
  });
  // Neighbours of one file form a task, up to a size with which several threads still have work.
  std::vector<std::span<const size_t>> tasks;
  uint64_t task_bytes = 0;
  for (size_t i = 0, begin = 0; i < order.size(); ++i) {
    task_bytes += locations[order[i]].length;
    const bool last = i + 1 == order.size() || !(locations[order[i + 1]].file == locations[order[i]].file);
    if (last || task_bytes >= kTaskBytes) {
      tasks.push_back(std::span(order).subspan(begin, i + 1 - begin));
      begin = i + 1;
      task_bytes = 0;
    }
  }
  std::vector<std::string> bytes(locations.size());
  CLEAVE_RETURN_IF_ERROR(ParallelFor(static_cast<int64_t>(tasks.size()), ThreadsFor(locations),
                                     [&](int64_t i) { return ReadTogether(locations, tasks[i], bytes); }));
  return bytes;
}

absl::Status NodeReader::ReadTogether(std::span<const DataReference> locations, std::span<const size_t> members,
                                      std::vector<std::string>& bytes) const {
  std::vector<store::Extent> parts;
  parts.reserve(members.size());
  for (const size_t member : members) {
    parts.push_back({locations[member].offset, locations[member].length});
  }
  auto read = members.size() > 1 ? store_->ReadParts(locations[members.front()].file.path(), parts)
                                 : absl::StatusOr<std::optional<std::vector<std::string>>>();
  for (size_t i = 0; i < members.size(); ++i) {
    if (members.size() > 1 && read.ok() && *read) {
      bytes[members[i]] = std::move((**read)[i]);
    } else {  // one by one, so that an error names the bytes it is about
      CLEAVE_ASSIGN_OR_RETURN(bytes[members[i]], ReadBytes(locations[members[i]]));
    }
  }
  return absl::OkStatus();
}

}  // namespace cleave::ocdbt
