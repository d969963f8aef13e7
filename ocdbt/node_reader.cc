#include "ocdbt/node_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

size_t MemoryBytes(const VersionTreeNode& node) {
  return sizeof(node) + node.versions.capacity() * sizeof(Version) +
         node.children.capacity() * sizeof(VersionNodeReference);
}

}  // namespace

NodeReader::NodeReader(std::shared_ptr<store::Store> store, size_t cache_bytes)
    : store_(std::move(store)), cache_(cache_bytes) {}

absl::StatusOr<std::shared_ptr<const BtreeNode>> NodeReader::ReadBtreeNode(const DataReference& location) const {
  const std::string name = absl::StrCat("b", ocdbt::Describe(location));
  if (auto cached = cache_.Find<BtreeNode>(name)) {
    return cached;
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string object, ReadBytes(location));
  auto node = BtreeNode::Decode(object, location.file.base_path());
  if (!node.ok()) {
    return Annotate(node.status(), Describe(location));
  }
  cache_.Insert(name, *node, (*node)->memory_bytes());
  return node;
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

}  // namespace cleave::ocdbt
