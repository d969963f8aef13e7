#include "ocdbt/bulk_tree.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/tree_builder.h"
#include "ocdbt/tree_reader.h"

namespace cleave::ocdbt {
namespace {

// The entries of a version, leaf by leaf. It holds the leaf it is in.
class VersionSource {
 public:
  VersionSource(const NodeReader& reader, const Version& version) : reader_(reader), version_(version) {}

  absl::StatusOr<bool> Next(OwnedEntry& entry) {
    if (position_ == batch_.size()) {
      CLEAVE_RETURN_IF_ERROR(NextLeaf());
    }
    if (position_ == batch_.size()) {
      return false;
    }
    entry = std::move(batch_[position_++]);
    return true;
  }

 private:
  // Reads the leaf after the last key; leaves `batch_` empty when there is none.
  absl::Status NextLeaf() {
    const store::KeyRange rest{batch_end_, ""};
    batch_.clear();
    position_ = 0;
    return VisitLeaves(reader_, version_, rest,
                       [&](const std::string& prefix, const BtreeNode& leaf) -> absl::StatusOr<bool> {
                         for (const LeafEntry& stored : leaf.leaf_entries()) {
                           std::string key = absl::StrCat(prefix, stored.key);
                           if (key >= rest.begin) {
                             batch_.push_back({std::move(key), stored.value.indirect,
                                               std::string(stored.value.inline_bytes), stored.value.reference});
                           }
                         }
                         if (!batch_.empty()) {
                           batch_end_ = absl::StrCat(batch_.back().key, absl::string_view("\0", 1));
                         }
                         return batch_.empty();
                       });
  }

  const NodeReader& reader_;
  const Version version_;
  std::vector<OwnedEntry> batch_;
  size_t position_ = 0;
  std::string batch_end_;
};

}  // namespace

absl::StatusOr<NewRoot> BuildTreeOver(const Version& newest, const NodeReader& reader, std::vector<EntrySource> sources,
                                      const Config& config, DataFileWriter& nodes) {
  VersionSource present(reader, newest);
  sources.insert(sources.begin(), [&](OwnedEntry& entry) { return present.Next(entry); });
  TreeBuilder builder(config, nodes);
  CLEAVE_RETURN_IF_ERROR(MergeSources(sources, [&](OwnedEntry&& entry) { return builder.Add(std::move(entry)); }));
  return builder.Finish();
}

}  // namespace cleave::ocdbt
