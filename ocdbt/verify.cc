#include "ocdbt/verify.h"

#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/manifest_store.h"
#include "ocdbt/names.h"
#include "ocdbt/node_reader.h"
#include "ocdbt/tree_reader.h"
#include "ocdbt/version_tree.h"
#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

constexpr size_t kVerifyCacheBytes = size_t{64} << 20;

// What is below a node that is sound.
struct CheckedSubtree {
  Statistics statistics;
  std::string first_key;  // in full
  std::string last_key;
};

class Verifier {
 public:
  Verifier(const std::shared_ptr<store::Store>& store, const VerifyOptions& options, Progress& progress)
      : options_(options), progress_(progress), reader_(store, kVerifyCacheBytes) {}

  // All versions of one manifest. `name` is "", " of branch x" or " of tag x".
  void VerifyManifest(const Manifest& manifest, const std::string& name) {
    name_ = name;
    std::vector<Version> versions;
    for (const VersionNodeReference& node : manifest.version_tree_nodes) {
      CollectVersions(node, manifest.config.version_tree_arity_log2, versions);
    }
    versions.insert(versions.end(), manifest.versions.begin(), manifest.versions.end());
    progress_.Begin(absl::StrCat("verify", name), static_cast<int64_t>(versions.size()), "versions");
    for (size_t i = 0; i < versions.size(); ++i) {
      where_ = absl::StrCat("version ", versions[i].generation.value, name_);
      if (i > 0 && (versions[i].generation <= versions[i - 1].generation ||
                    versions[i].commit_time <= versions[i - 1].commit_time)) {
        Add(absl::StrCat("comes after version ", versions[i - 1].generation.value,
                         " in the list, but not in number and time"));
      }
      VerifyVersion(versions[i]);
      progress_.Advance(1);
    }
    progress_.End();
    report_.versions += versions.size();
  }

  void AddUnreadable(const std::string& name, const absl::Status& status) {
    where_ = name;
    Add(status.message());
  }

  [[nodiscard]] VerifyReport TakeReport() { return std::move(report_); }

 private:
  void Add(absl::string_view what) {
    ++report_.found;
    if (report_.damages.size() < options_.damages_max) {
      report_.damages.push_back({where_, std::string(what)});
    }
  }

  void CollectVersions(const VersionNodeReference& reference, int arity_log2, std::vector<Version>& versions) {
    where_ = absl::StrCat("versions up to ", reference.last_generation.value, name_);
    const auto node = ReadVersionNode(reference, arity_log2, reader_);
    const bool is_new = seen_.insert(Describe(reference.location)).second;
    if (!node.ok()) {
      if (is_new) {
        Add(node.status().message());
      }
      return;
    }
    report_.version_nodes += is_new ? 1 : 0;
    versions.insert(versions.end(), (*node)->versions.begin(), (*node)->versions.end());
    for (const VersionNodeReference& child : (*node)->children) {
      CollectVersions(child, arity_log2, versions);
    }
  }

  void VerifyVersion(const Version& version) {
    if (!version.empty()) {
      (void)VerifyNode(version.root, {version.root.location, version.root_height, ""}, "");
    }
  }

  // Nothing when the subtree is damaged, which has been told then.
  std::optional<CheckedSubtree> VerifyNode(const NodeReference& reference, const ExpectedNode& expected,
                                           const std::string& prefix) {
    const std::string name = absl::StrCat(Describe(reference.location), prefix);
    auto known = subtrees_.find(name);
    if (known == subtrees_.end()) {
      std::optional<CheckedSubtree> found = ReadSubtree(reference.location, expected, prefix);
      known = subtrees_.emplace(name, std::move(found)).first;
    }
    std::optional<CheckedSubtree> subtree = known->second;
    if (subtree && subtree->statistics != reference.statistics) {
      const Statistics& says = reference.statistics;
      const Statistics& is = subtree->statistics;
      Add(absl::StrCat(reader_.Describe(reference.location), ": statistics say ", says.num_keys, " keys, ",
                       says.num_tree_bytes, " bytes of nodes and ", says.num_indirect_value_bytes,
                       " of values, but there are ", is.num_keys, ", ", is.num_tree_bytes, " and ",
                       is.num_indirect_value_bytes));
    }
    return subtree;
  }

  std::optional<CheckedSubtree> ReadSubtree(const DataReference& location, const ExpectedNode& expected,
                                            const std::string& prefix) {
    const auto node = ReadExpectedNode(reader_, expected);
    if (!node.ok()) {
      Add(node.status().message());
      return std::nullopt;
    }
    ++report_.tree_nodes;
    return (*node)->height() == 0 ? VerifyLeaf(**node, location, prefix) : VerifyInterior(**node, location, prefix);
  }

  std::optional<CheckedSubtree> VerifyLeaf(const BtreeNode& leaf, const DataReference& location,
                                           const std::string& prefix) {
    const auto entries = leaf.leaf_entries();
    CheckedSubtree subtree{{entries.size(), location.length, 0},
                           absl::StrCat(prefix, entries.front().key),
                           absl::StrCat(prefix, entries.back().key)};
    for (const LeafEntry& entry : entries) {
      if (entry.value.indirect) {
        subtree.statistics.num_indirect_value_bytes += entry.value.length();
        VerifyValue(entry.value, absl::StrCat(prefix, entry.key));
      }
    }
    return subtree;
  }

  void VerifyValue(const LeafValue& value, const std::string& key) {
    if (!options_.read_values || !seen_.insert(Describe(value.reference)).second) {
      return;
    }
    ++report_.values;
    report_.value_bytes += value.length();
    if (const absl::Status status = reader_.ReadValue(value, {}).status(); !status.ok()) {
      Add(absl::StrCat("the value of key ", store::Quoted(key), ": ", status.message()));
    }
  }

  std::optional<CheckedSubtree> VerifyInterior(const BtreeNode& node, const DataReference& location,
                                               const std::string& prefix) {
    CheckedSubtree subtree{{0, location.length, 0}, "", ""};
    bool whole = true;
    for (const InteriorEntry& entry : node.interior_entries()) {
      const ExpectedNode child{entry.child.location, node.height() - 1,
                               std::string(entry.key.substr(entry.subtree_prefix_bytes))};
      const std::optional<CheckedSubtree> below =
          VerifyNode(entry.child, child, absl::StrCat(prefix, entry.key.substr(0, entry.subtree_prefix_bytes)));
      if (!below) {
        whole = false;
        continue;
      }
      if (!subtree.last_key.empty() && below->first_key <= subtree.last_key) {
        Add(absl::StrCat(reader_.Describe(entry.child.location), ": key ", store::Quoted(below->first_key),
                         " comes after ", store::Quoted(subtree.last_key)));
      }
      if (&entry == &node.interior_entries().front()) {
        subtree.first_key = below->first_key;
      }
      subtree.last_key = below->last_key;
      subtree.statistics += below->statistics;
    }
    return whole ? std::optional(std::move(subtree)) : std::nullopt;
  }

  const VerifyOptions& options_;
  Progress& progress_;
  NodeReader reader_;
  VerifyReport report_;
  std::string name_;
  std::string where_;
  absl::flat_hash_map<std::string, std::optional<CheckedSubtree>> subtrees_;
  absl::flat_hash_set<std::string> seen_;  // version nodes and values
};

absl::Status VerifyNames(const std::shared_ptr<store::Store>& store, NameKind kind, Verifier& verifier) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListNames(*store, kind));
  for (const std::string& name : names) {
    const std::string title = absl::StrCat(TextOf(kind), " ", name);
    CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<store::Store> stack, StackName(store, kind, name));
    const auto stored = ManifestStore(stack).Read();
    if (stored.ok()) {
      verifier.VerifyManifest((*stored)->manifest, absl::StrCat(" of ", title));
    } else if (!absl::IsNotFound(stored.status())) {
      verifier.AddUnreadable(title, stored.status());
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<VerifyReport> VerifyDatabase(const std::shared_ptr<store::Store>& store, const VerifyOptions& options,
                                            Progress& progress) {
  Verifier verifier(store, options, progress);
  const auto stored = ManifestStore(store).Read();
  if (stored.ok()) {
    verifier.VerifyManifest((*stored)->manifest, "");
  } else if (absl::IsDataLoss(stored.status())) {
    verifier.AddUnreadable("manifest", stored.status());
  } else {
    return stored.status();
  }
  CLEAVE_RETURN_IF_ERROR(VerifyNames(store, NameKind::kBranch, verifier));
  CLEAVE_RETURN_IF_ERROR(VerifyNames(store, NameKind::kTag, verifier));
  return verifier.TakeReport();
}

}  // namespace cleave::ocdbt
