#include "ocdbt/diff.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/tree_reader.h"
#include "store/key_text.h"

namespace cleave::ocdbt {
namespace {

// A walk through one tree. It stands at an entry of a leaf, at a subtree, or at the end.
class Walk {
 public:
  Walk(const Snapshot& snapshot, const store::KeyRange& range) : reader_(snapshot.reader()), range_(range) {
    const Version& version = snapshot.version();
    if (!version.empty() && !store::IsEmpty(range)) {
      subtree_ = Subtree{{version.root.location, version.root_height, ""}, ""};
    } else {
      ended_ = true;
    }
  }

  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool at_subtree() const { return subtree_.has_value(); }
  // Of the entry; of a subtree, no key of it is smaller.
  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] int height() const { return subtree_->node.height; }
  [[nodiscard]] const LeafValue& value() const {
    return levels_.back().node->leaf_entries()[levels_.back().next].value;
  }
  [[nodiscard]] uint64_t nodes_read() const { return nodes_read_; }

  [[nodiscard]] bool IsSameSubtree(const Walk& other) const {
    return subtree_ && other.subtree_ && subtree_->node.location == other.subtree_->node.location &&
           subtree_->prefix == other.subtree_->prefix;
  }

  // Looks into the subtree: the walk then stands at its first part.
  absl::Status Open() {
    CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<const BtreeNode> node, ReadExpectedNode(reader_, subtree_->node));
    ++nodes_read_;
    levels_.push_back({std::move(node), std::move(subtree_->prefix), 0});
    subtree_.reset();
    Settle();
    return absl::OkStatus();
  }

  // Goes past the entry or the subtree.
  void Skip() {
    subtree_.reset();
    if (levels_.empty()) {
      ended_ = true;
      return;
    }
    ++levels_.back().next;
    Settle();
  }

 private:
  struct Subtree {
    ExpectedNode node;
    std::string prefix;  // completes its keys
  };
  struct Level {
    std::shared_ptr<const BtreeNode> node;
    std::string prefix;
    size_t next = 0;
  };

  // Stops at the next part that can hold keys of the range.
  void Settle() {
    while (!levels_.empty()) {
      Level& level = levels_.back();
      const bool leaf = level.node->height() == 0;
      const size_t count = leaf ? level.node->leaf_entries().size() : level.node->interior_entries().size();
      if (level.next == count) {
        levels_.pop_back();
        if (!levels_.empty()) {
          ++levels_.back().next;
        }
        continue;
      }
      key_ = absl::StrCat(level.prefix, KeyAt(level, level.next));
      if (!range_.end.empty() && key_ >= range_.end) {
        break;
      }
      if (leaf ? key_ >= range_.begin : !EndsBeforeRange(level, count)) {
        if (!leaf) {
          StandAt(level);
        }
        return;
      }
      ++level.next;
    }
    levels_.clear();
    ended_ = true;
  }

  static absl::string_view KeyAt(const Level& level, size_t i) {
    return level.node->height() == 0 ? level.node->leaf_entries()[i].key : level.node->interior_entries()[i].key;
  }

  // Whether all keys of the level's next child come before the range.
  [[nodiscard]] bool EndsBeforeRange(const Level& level, size_t count) const {
    return level.next + 1 < count && absl::StrCat(level.prefix, KeyAt(level, level.next + 1)) <= range_.begin;
  }

  void StandAt(const Level& level) {
    const InteriorEntry& entry = level.node->interior_entries()[level.next];
    subtree_ = Subtree{
        {entry.child.location, level.node->height() - 1, std::string(entry.key.substr(entry.subtree_prefix_bytes))},
        absl::StrCat(level.prefix, entry.key.substr(0, entry.subtree_prefix_bytes))};
  }

  const NodeReader& reader_;
  const store::KeyRange& range_;
  std::vector<Level> levels_;
  std::optional<Subtree> subtree_;
  std::string key_;
  bool ended_ = false;
  uint64_t nodes_read_ = 0;
};

class Comparison {
 public:
  Comparison(const Snapshot& before, const Snapshot& after, const DiffOptions& options, const DifferenceVisitor& visit)
      : before_(before),
        after_(after),
        options_(options),
        visit_(visit),
        a_(before, options.range),
        b_(after, options.range) {}

  absl::StatusOr<DiffCost> Run() {
    while (more_ && !(a_.ended() && b_.ended())) {
      CLEAVE_RETURN_IF_ERROR(Step());
    }
    return DiffCost{a_.nodes_read() + b_.nodes_read(), shared_};
  }

 private:
  absl::Status Step() {
    if (a_.ended() || b_.ended()) {
      Walk& rest = a_.ended() ? b_ : a_;
      return rest.at_subtree() ? rest.Open() : OnlyIn(rest);
    }
    if (a_.at_subtree() && b_.at_subtree()) {
      return TwoSubtrees();
    }
    const int order = a_.key().compare(b_.key());
    if (a_.at_subtree() || b_.at_subtree()) {
      Walk& subtree = a_.at_subtree() ? a_ : b_;
      Walk& entry = a_.at_subtree() ? b_ : a_;
      return entry.key() < subtree.key() ? OnlyIn(entry) : subtree.Open();
    }
    if (order != 0) {
      return OnlyIn(order < 0 ? a_ : b_);
    }
    CLEAVE_ASSIGN_OR_RETURN(const bool same, HaveSameBytes());
    if (!same) {
      CLEAVE_RETURN_IF_ERROR(Tell({a_.key(), &a_.value(), &b_.value()}));
    }
    a_.Skip();
    b_.Skip();
    return absl::OkStatus();
  }

  absl::Status TwoSubtrees() {
    if (a_.IsSameSubtree(b_)) {
      ++shared_;
      a_.Skip();
      b_.Skip();
      return absl::OkStatus();
    }
    if (a_.key() != b_.key()) {
      return a_.key() < b_.key() ? a_.Open() : b_.Open();
    }
    const int a_height = a_.height();
    const int b_height = b_.height();
    if (a_height >= b_height) {
      CLEAVE_RETURN_IF_ERROR(a_.Open());
    }
    return b_height >= a_height ? b_.Open() : absl::OkStatus();
  }

  absl::Status OnlyIn(Walk& walk) {
    const bool removed = &walk == &a_;
    CLEAVE_RETURN_IF_ERROR(Tell({walk.key(), removed ? &walk.value() : nullptr, removed ? nullptr : &walk.value()}));
    walk.Skip();
    return absl::OkStatus();
  }

  absl::StatusOr<bool> HaveSameBytes() const {
    const LeafValue& a = a_.value();
    const LeafValue& b = b_.value();
    if (a == b || a.length() != b.length()) {
      return a == b;
    }
    if (!options_.compare_bytes || (!a.indirect && !b.indirect)) {
      return false;
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes_a, before_.ReadValue(a));
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes_b, after_.ReadValue(b));
    return bytes_a == bytes_b;
  }

  absl::Status Tell(const Difference& difference) {
    CLEAVE_ASSIGN_OR_RETURN(more_, visit_(difference));
    return absl::OkStatus();
  }

  const Snapshot& before_;
  const Snapshot& after_;
  const DiffOptions& options_;
  const DifferenceVisitor& visit_;
  Walk a_;
  Walk b_;
  bool more_ = true;
  uint64_t shared_ = 0;
};

}  // namespace

absl::StatusOr<DiffCost> DiffSnapshots(const Snapshot& before, const Snapshot& after, const DiffOptions& options,
                                       const DifferenceVisitor& visit) {
  return Comparison(before, after, options, visit).Run();
}

}  // namespace cleave::ocdbt
