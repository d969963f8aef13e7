#include "ocdbt/tree_check.h"

#include <string>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/tree_reader.h"
#include "ocdbt/version_tree.h"
#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

class Checker {
 public:
  explicit Checker(const NodeReader& reader) : reader_(reader) {}

  // Walks the subtree whose keys `prefix` completes. Its statistics must be `reference.statistics`.
  absl::Status Check(const NodeReference& reference, const ExpectedNode& expected, const std::string& prefix) {
    CLEAVE_ASSIGN_OR_RETURN(const auto node, ReadExpectedNode(reader_, expected));
    Statistics found{0, reference.location.length, 0};
    const absl::Status status = node->height() == 0 ? CheckLeaf(*node, reference.location, prefix, found)
                                                    : CheckInterior(*node, reference.location, prefix, found);
    CLEAVE_RETURN_IF_ERROR(status);
    if (found != reference.statistics) {
      return absl::DataLossError(
          absl::StrCat(reader_.Describe(reference.location), ": statistics say ", reference.statistics.num_keys,
                       " keys, ", reference.statistics.num_tree_bytes, " bytes of nodes and ",
                       reference.statistics.num_indirect_value_bytes, " of values, but there are ", found.num_keys,
                       ", ", found.num_tree_bytes, " and ", found.num_indirect_value_bytes));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status CheckLeaf(const BtreeNode& leaf, const DataReference& where, const std::string& prefix,
                         Statistics& found) {
    for (const LeafEntry& entry : leaf.leaf_entries()) {
      std::string key = absl::StrCat(prefix, entry.key);
      if (any_key_ && key <= last_key_) {
        return absl::DataLossError(absl::StrCat(reader_.Describe(where), ": key ", store::Quoted(key), " comes after ",
                                                store::Quoted(last_key_)));
      }
      last_key_ = std::move(key);
      any_key_ = true;
      found += {1, 0, entry.value.indirect ? entry.value.length() : 0};
    }
    return absl::OkStatus();
  }

  absl::Status CheckInterior(const BtreeNode& node, const DataReference& where, const std::string& prefix,
                             Statistics& found) {
    for (const InteriorEntry& entry : node.interior_entries()) {
      const ExpectedNode child{entry.child.location, node.height() - 1,
                               std::string(entry.key.substr(entry.subtree_prefix_bytes))};
      if (any_key_ && absl::StrCat(prefix, entry.key) <= last_key_) {
        return absl::DataLossError(absl::StrCat(reader_.Describe(where), ": child ",
                                                store::Quoted(absl::StrCat(prefix, entry.key)), " begins at or before ",
                                                store::Quoted(last_key_)));
      }
      CLEAVE_RETURN_IF_ERROR(
          Check(entry.child, child, absl::StrCat(prefix, entry.key.substr(0, entry.subtree_prefix_bytes))));
      found += entry.child.statistics;
    }
    return absl::OkStatus();
  }

  const NodeReader& reader_;
  bool any_key_ = false;
  std::string last_key_;
};

}  // namespace

absl::Status CheckTree(const NodeReader& reader, const Version& version) {
  return version.empty() ? absl::OkStatus()
                         : Checker(reader).Check(version.root, {version.root.location, version.root_height, ""}, "");
}

absl::Status CheckVersionTree(const Manifest& manifest, const NodeReader& reader) {
  // Reading checks each node against its parent.
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<Version> versions,
                          FindVersions(manifest, reader, {1}, kMaxGenerationNumber));
  for (size_t i = 1; i < versions.size(); ++i) {
    if (versions[i].generation <= versions[i - 1].generation ||
        versions[i].commit_time <= versions[i - 1].commit_time) {
      return absl::DataLossError(absl::StrCat("version ", versions[i].generation.value, " at place ", i + 1,
                                              " of the version tree is out of order in number or time"));
    }
  }
  return absl::OkStatus();
}

}  // namespace cleave::ocdbt
