// Invariants 1 and 2, chunk by chunk.
//
//   1. The versions of the segmentation in which an operation changed the chunk, and the one before all of them: each
//      is read once, and gives the set of supervoxels that the chunk holds from then on.
//   2. The histories of all supervoxels of the chunk, and of every node that was ever above one.
//   3. At every moment, each supervoxel of the version that belongs to it must lead to one root that is not superseded;
//      each supervoxel of the graph must be in that version. Moments between which nothing of this changes are looked
//      at as one: of a version and a supervoxel, those in which the supervoxel leads to a root (NodeHistories::LivesOf)
//      must be all; of a supervoxel's row, those from one of its cells, or one version of the chunk, to the next.
#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/array.h"
#include "base/parallel.h"
#include "base/status.h"
#include "cut/components.h"
#include "edit/fsck_checks.h"

namespace cleave::edit {

using graph::NodeId;

namespace {

constexpr absl::string_view kRowsAdvice = "plan a repair; what it leaves, restore from a backup of the table";

}  // namespace

class VoxelCheck {
 public:
  VoxelCheck(FsckRun& run, ChunkPoint chunk)
      : run_(run),
        layout_(run.dataset_.layout()),
        chunk_(chunk),
        box_(layout_.ChunkBox({graph::kSupervoxelLayer, chunk})),
        histories_(layout_, run.table_, &run.edited_rows_) {}

  absl::Status Run() {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NodeId> nodes, histories_.LoadChunk({graph::kSupervoxelLayer, chunk_}));
    std::vector<NodeId> formers;
    formers.reserve(nodes.size());
    for (const NodeId node : nodes) {
      formers.push_back(histories_.Of(node).former);
    }
    CLEAVE_RETURN_IF_ERROR(histories_.Load(formers));
    for (const uint64_t generation : Generations()) {
      CLEAVE_RETURN_IF_ERROR(ReadVersion(generation));
    }
    for (size_t first = 0; first < run_.moments_.size();) {
      const size_t end = EndOfVersion(first);
      CheckVersion({first, end});
      first = end;
    }
    for (const NodeId node : nodes) {
      CheckNode(node);
    }
    return absl::OkStatus();
  }

 private:
  void Find(int invariant, std::string what, const std::vector<NodeId>& ids, std::string advice) {
    run_.findings_.Add({invariant, std::move(what), graph::ToIntegers(ids), box_, std::move(advice)});
  }

  // The versions to read. The newest is always among them: what it holds must be explained by the log.
  std::vector<uint64_t> Generations() const {
    std::vector<uint64_t> generations;
    if (const auto changes = run_.changes_.find(chunk_); changes != run_.changes_.end()) {
      generations = {run_.span_.base};
      generations.insert(generations.end(), changes->second.begin(), changes->second.end());
    }
    generations.push_back(run_.moments_.back().generation);
    generations.erase(std::ranges::unique(generations).begin(), generations.end());
    return generations;
  }

  absl::Status ReadVersion(uint64_t generation) {
    CLEAVE_ASSIGN_OR_RETURN(const volume::Volume* volume, run_.VolumeAt(generation));
    CLEAVE_ASSIGN_OR_RETURN(Array3<uint64_t> labels, volume->ReadBox(0, box_));
    absl::flat_hash_set<NodeId>& found = supervoxels_[generation];
    uint64_t last = 0;
    for (int64_t i = 0; i < labels.size(); ++i) {
      if (labels.data()[i] != last) {
        last = labels.data()[i];
        if (last != 0) {
          found.insert(NodeId{last});
        }
      }
    }
    run_.findings_.Count(2, Count(box_.extent()));
    for (const NodeId id : found) {
      if (!layout_.Validate(id).ok() || layout_.ChunkOf(id) != graph::ChunkAddress{graph::kSupervoxelLayer, chunk_}) {
        Find(2, absl::StrCat("voxels of chunk ", ToString(chunk_), " have the id ", Value(id), ", which is not of it"),
             {id}, absl::StrCat("restore the chunk from a version before generation ", generation));
      }
    }
    return CheckFragments(generation, labels);
  }

  // Supervoxels born in a cut are in one piece.
  absl::Status CheckFragments(uint64_t generation, Array3<uint64_t>& labels) {
    const std::vector<NodeId> ids(supervoxels_[generation].begin(), supervoxels_[generation].end());
    CLEAVE_RETURN_IF_ERROR(histories_.Load(ids));
    absl::flat_hash_set<uint64_t> fragments;
    for (const NodeId id : ids) {
      if (histories_.Of(id).former != NodeId{}) {
        fragments.insert(Value(id));
      }
    }
    if (fragments.empty()) {
      return absl::OkStatus();
    }
    for (int64_t i = 0; i < labels.size(); ++i) {
      if (labels.data()[i] != 0 && !fragments.contains(labels.data()[i])) {
        labels.data()[i] = 0;
      }
    }
    Array3<uint32_t> components(labels.extent());
    const uint32_t count = cut::LabelComponents(std::as_const(labels).view(), components.view());
    if (count == fragments.size()) {
      return absl::OkStatus();
    }
    absl::flat_hash_map<uint64_t, absl::flat_hash_set<uint32_t>> pieces;
    for (int64_t i = 0; i < labels.size(); ++i) {
      if (labels.data()[i] != 0) {
        pieces[labels.data()[i]].insert(components.data()[i]);
      }
    }
    for (const auto& [id, parts] : pieces) {
      if (parts.size() > 1) {
        Find(2, absl::StrCat("supervoxel ", id, ", born in a cut, is in ", parts.size(), " pieces"), {NodeId{id}},
             "split it between two of its pieces");
      }
    }
    return absl::OkStatus();
  }

  // The newest version that was read, at or before `generation`; of a chunk that never changed, the only one.
  auto VersionAt(uint64_t generation) const {
    const auto after = supervoxels_.upper_bound(generation);
    return after == supervoxels_.begin() ? after : std::prev(after);
  }
  const absl::flat_hash_set<NodeId>& SupervoxelsAt(uint64_t generation) const { return VersionAt(generation)->second; }

  // The first moment after `first` that belongs to another version.
  size_t EndOfVersion(size_t first) const {
    const auto next = std::next(VersionAt(run_.moments_[first].generation));
    return next == supervoxels_.end() ? run_.moments_.size() : std::max(first + 1, FirstMomentOf(next->first));
  }
  size_t FirstMomentOf(uint64_t generation) const {
    const std::span<const Moment> moments = run_.moments_;
    return static_cast<size_t>(std::ranges::lower_bound(moments, generation, {}, &Moment::generation) -
                               moments.begin());
  }

  // Moments at which the supervoxel leads to no root: the first is told for which there is no excuse.
  void LookAtGap(NodeId id, const MomentRange& gap) {
    for (size_t i = gap.first; i < gap.end; ++i) {
      if (!run_.CameBackUnseen(histories_, id, run_.moments_[i])) {
        FindRootless(id, run_.moments_[i]);
        return;
      }
    }
  }

  // Moments of one version of the chunk.
  void CheckVersion(const MomentRange& version) {
    int64_t looked_at = 0;
    for (const NodeId id : SupervoxelsAt(run_.moments_[version.first].generation)) {
      MomentRange range = version;
      if (Unchanged(id)) {
        if (version.first > 0) {
          continue;
        }
        range.end = 1;
      }
      looked_at += static_cast<int64_t>(range.end - range.first);
      size_t next = range.first;
      for (const TimeSpan& life : histories_.LivesOf(id)) {
        const MomentRange alive = MomentsIn(run_.moments_, life);
        LookAtGap(id, {next, std::min(alive.first, range.end)});
        next = std::max(next, alive.end);
      }
      LookAtGap(id, {next, range.end});
    }
    run_.findings_.Count(1, looked_at);
  }

  // The first of some moments in which a supervoxel has voxels but no root.
  void FindRootless(NodeId id, const Moment& moment) {
    const NodeId root = histories_.RootAt(id, moment.time);
    if (root == NodeId{}) {
      const NodeId top = histories_.AncestorAt(id, layout_.layer_count(), moment.time);
      Find(1,
           absl::StrCat("supervoxel ", Value(id), " has voxels but leads to no root at ", absl::FormatTime(moment.time),
                        "; its chain of parents ends at ", Value(top)),
           {id, top}, std::string(kRowsAdvice));
    } else {
      Find(1,
           absl::StrCat("supervoxel ", Value(id), " leads to root ", Value(root), ", which does not exist at ",
                        absl::FormatTime(moment.time)),
           {id, root}, std::string(kRowsAdvice));
    }
  }

  bool Unchanged(NodeId id) const { return histories_.LastChange(id) <= run_.moments_.front().time; }

  // The first moments from which on something in a supervoxel's row, or the version, may be another; and the end.
  std::vector<size_t> Turns(const NodeHistory& history) const {
    std::vector<size_t> turns = {0, run_.moments_.size()};
    const auto add = [&](absl::Time time) {
      turns.push_back(MomentsIn(run_.moments_, {time, absl::InfiniteFuture()}).first);
    };
    for (const NodeHistory* row : {&history, &histories_.Of(history.former)}) {
      for (const auto& [time, parent] : row->parents) {
        add(time);
      }
    }
    add(history.born);
    std::ranges::for_each(history.replaced, add);
    std::ranges::for_each(history.restored, add);
    for (const auto& [generation, supervoxels] : supervoxels_) {
      turns.push_back(FirstMomentOf(generation));
    }
    std::ranges::sort(turns);
    turns.erase(std::ranges::unique(turns).begin(), turns.end());
    return turns;
  }

  // A supervoxel's row, over all moments: listed by its parent, there in voxels, an alias before its birth.
  void CheckNode(NodeId id) {
    const NodeHistory& history = histories_.Of(id);
    for (const auto& [column, time] : history.unreadable) {
      Find(3,
           absl::StrCat("supervoxel ", Value(id), ": column ", column.qualifier, " of ", absl::FormatTime(time),
                        " cannot be decoded"),
           {id}, std::string(kRowsAdvice));
    }
    if (Unchanged(id)) {
      CheckRow(id, {0, 1});
      run_.findings_.Count(3, 1);
      return;
    }
    const std::vector<size_t> turns = Turns(history);
    for (size_t i = 0; i + 1 < turns.size(); ++i) {
      CheckRow(id, {turns[i], turns[i + 1]});
    }
    run_.findings_.Count(3, std::ssize(run_.moments_));
  }

  // Moments between two turns.
  void CheckRow(NodeId id, const MomentRange& range) {
    const NodeHistory& history = histories_.Of(id);
    const Moment& moment = run_.moments_[range.first];
    const NodeId parent = history.ParentAt(moment.time);
    const bool listed = std::ranges::binary_search(histories_.Of(parent).children, id);
    if (moment.time < history.born) {
      CheckAlias(id, range, listed);
      return;
    }
    if (history.IsReplacedAt(moment.time)) {
      return;
    }
    if (!listed) {
      Find(3,
           absl::StrCat("supervoxel ", Value(id), " has parent ", Value(parent), " at ", absl::FormatTime(moment.time),
                        ", which does not list it as a child"),
           {id, parent}, std::string(kRowsAdvice));
    }
    // A chunk may hold the voxels of a cut that another operation's version brought along before its time.
    if (!history.IsReplacedAfter(moment.time) && !SupervoxelsAt(moment.generation).contains(id)) {
      Find(1,
           absl::StrCat("supervoxel ", Value(id), " is in the graph at ", absl::FormatTime(moment.time),
                        " but has no voxels in generation ", moment.generation),
           {id}, "restore the chunk's voxels from a backup");
    }
  }

  // With the parent of what it came from, it leads to the same root. Only where it has another are roots compared.
  void CheckAlias(NodeId id, const MomentRange& range, bool listed) {
    const NodeHistory& history = histories_.Of(id);
    const absl::Time first = run_.moments_[range.first].time;
    if (!listed && history.ParentAt(first) == histories_.Of(history.former).ParentAt(first)) {
      return;
    }
    for (size_t i = range.first; i < range.end; ++i) {
      const absl::Time time = run_.moments_[i].time;
      if (listed || histories_.RootAt(id, time) != histories_.RootAt(history.former, time)) {
        Find(3,
             absl::StrCat("supervoxel ", Value(id), " was born later, but at ", absl::FormatTime(time),
                          " it is no alias of ", Value(history.former), ", which it came from"),
             {id, history.former}, std::string(kRowsAdvice));
        return;
      }
    }
  }

  FsckRun& run_;
  const graph::IdLayout& layout_;
  const ChunkPoint chunk_;
  const Box box_;
  NodeHistories histories_;
  std::map<uint64_t, absl::flat_hash_set<NodeId>> supervoxels_;  // by generation
};

absl::Status FsckRun::CheckVoxelsOfChunk(ChunkPoint chunk) { return VoxelCheck(*this, chunk).Run(); }

absl::Status FsckRun::CheckVoxels() {
  const std::vector<ChunkPoint> chunks = dataset_.layout().ChunksOverlapping(dataset_.layout().volume());
  progress_.Begin("voxels", static_cast<int64_t>(chunks.size()), "chunks");
  CLEAVE_RETURN_IF_ERROR(ParallelFor(static_cast<int64_t>(chunks.size()), options_.threads, [&](int64_t i) {
    absl::Status status = CheckVoxelsOfChunk(chunks[static_cast<size_t>(i)]);
    progress_.Advance(1);
    return status;
  }));
  progress_.End();
  return absl::OkStatus();
}

}  // namespace cleave::edit
