// How a chunk is encoded, block after block:
//   1. Each voxel gets the number of its label in order of first appearance: a row of one label, the common case, is
//      recognised by one comparison pass; other labels go through a small hash table, made empty by a new stamp.
//   2. The distinct labels are sorted; a number becomes its rank.
//   3. Ranks are packed in the fewest bits the format has for that many labels; none for a single label.
//   4. The sorted labels are appended as the block's palette. If an earlier block wrote the same list, the append is
//      undone and the header refers to the earlier one.
#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "volume/compressed_segmentation.h"

namespace cleave::volume {
namespace {

static_assert(std::endian::native == std::endian::little, "words are copied to the chunk as they lie in memory");

constexpr int64_t kOffsetMax = (int64_t{1} << 24) - 1;  // in words
constexpr uint32_t kEncodedBitsShift = 24;

// Numbers the labels of one block in order of first appearance.
template <typename Label>
class LabelNumbers {
 public:
  explicit LabelNumbers(int64_t labels_max)
      : slots_(std::bit_ceil(static_cast<uint64_t>(2 * labels_max))),
        hash_shift_(64 - std::countr_zero(static_cast<uint64_t>(slots_.size()))) {}

  void Clear() {
    labels_.clear();
    if (++stamp_ == 0) {
      std::fill(slots_.begin(), slots_.end(), Slot{});
      stamp_ = 1;
    }
  }

  uint32_t NumberOf(Label label) {
    size_t i = static_cast<size_t>((uint64_t{label} * 0x9E3779B97F4A7C15) >> hash_shift_);
    while (slots_[i].stamp == stamp_) {
      if (slots_[i].label == label) {
        return slots_[i].number;
      }
      i = (i + 1) & (slots_.size() - 1);
    }
    slots_[i] = {label, stamp_, static_cast<uint32_t>(labels_.size())};
    labels_.push_back(label);
    return slots_[i].number;
  }

  const std::vector<Label>& labels() const { return labels_; }

 private:
  struct Slot {
    Label label = 0;
    uint32_t stamp = 0;
    uint32_t number = 0;
  };
  std::vector<Slot> slots_;
  int hash_shift_;
  uint32_t stamp_ = 0;
  std::vector<Label> labels_;
};

// A palette inside the words written so far; compared and hashed by its words.
struct PaletteReference {
  int64_t offset = 0;
  int64_t word_count = 0;
};

struct PaletteWords {
  const std::vector<uint32_t>* words;
  absl::string_view operator()(const PaletteReference& palette) const {
    return {reinterpret_cast<const char*>(words->data() + palette.offset),
            static_cast<size_t>(palette.word_count) * sizeof(uint32_t)};
  }
};
struct PaletteHash {
  PaletteWords words;
  size_t operator()(const PaletteReference& palette) const { return absl::Hash<absl::string_view>()(words(palette)); }
};
struct PaletteEqual {
  PaletteWords words;
  bool operator()(const PaletteReference& a, const PaletteReference& b) const { return words(a) == words(b); }
};

uint32_t BitsFor(size_t label_count) {
  for (const uint32_t bits : {0U, 1U, 2U, 4U, 8U, 16U}) {
    if (label_count <= size_t{1} << bits) {
      return bits;
    }
  }
  return 32;
}

// Appends numbers[i] replaced by ranks[numbers[i]] to `words`, `kBits` bits each, low bits first.
template <int kBits>
void Pack(const std::vector<uint32_t>& numbers, const std::vector<uint32_t>& ranks, std::vector<uint32_t>& words) {
  constexpr size_t kPerWord = 32 / kBits;
  for (size_t first = 0; first < numbers.size(); first += kPerWord) {
    uint32_t word = 0;
    const size_t count = std::min(kPerWord, numbers.size() - first);
    for (size_t k = 0; k < count; ++k) {
      word |= ranks[numbers[first + k]] << (k * kBits % 32);
    }
    words.push_back(word);
  }
}

template <typename Label>
class Encoder {
 public:
  Encoder(ArrayView3<const Label> labels, Extent3 block)
      : labels_(labels),
        block_(block),
        grid_{CeilDivide(labels.extent().x, block.x), CeilDivide(labels.extent().y, block.y),
              CeilDivide(labels.extent().z, block.z)},
        numbering_(std::min(Count(block), Count(labels.extent()))),
        numbers_(static_cast<size_t>(Count(block))),
        palettes_(0, PaletteHash{{&words_}}, PaletteEqual{{&words_}}) {}

  absl::StatusOr<std::string> Run() {
    words_.resize(static_cast<size_t>(2 * Count(grid_)));
    size_t header = 0;
    for (int64_t z = 0; z < grid_.z; ++z) {
      for (int64_t y = 0; y < grid_.y; ++y) {
        for (int64_t x = 0; x < grid_.x; ++x, header += 2) {
          NumberVoxels({x * block_.x, y * block_.y, z * block_.z});
          CLEAVE_RETURN_IF_ERROR(WriteBlock(header));
        }
      }
    }
    std::string bytes(sizeof(uint32_t) * (1 + words_.size()), '\0');
    const uint32_t channel_offset = 1;
    std::memcpy(bytes.data(), &channel_offset, sizeof(channel_offset));
    std::memcpy(bytes.data() + sizeof(channel_offset), words_.data(), words_.size() * sizeof(uint32_t));
    return bytes;
  }

 private:
  // Steps 1: fills numbers_ for the block at `lo`. Voxels beyond the chunk's end have number 0, as the format has it
  // after ranking: see WriteBlock.
  void NumberVoxels(VoxelPoint lo) {
    const Box box = Intersect(BoxAt(lo, block_), BoxAt({}, labels_.extent()));
    const Extent3 size = box.extent();
    numbering_.Clear();
    is_clipped_ = size != block_;
    Label last = labels_[box.lo];
    uint32_t last_number = numbering_.NumberOf(last);
    for (int64_t z = 0; z < size.z; ++z) {
      for (int64_t y = 0; y < size.y; ++y) {
        const Label* row = labels_.Row(box.lo.y + y, box.lo.z + z) + box.lo.x;
        uint32_t* numbers = numbers_.data() + block_.x * (y + block_.y * z);
        Label difference = 0;
        for (int64_t x = 0; x < size.x; ++x) {
          difference |= row[x] ^ last;
        }
        if (difference == 0) {
          std::fill(numbers, numbers + size.x, last_number);
          continue;
        }
        for (int64_t x = 0; x < size.x; ++x) {
          if (row[x] != last) {
            last = row[x];
            last_number = numbering_.NumberOf(last);
          }
          numbers[x] = last_number;
        }
      }
    }
    clip_ = size;
  }

  // Step 2. Afterwards sorted_ is the palette and ranks_[number] the place in it.
  void RankLabels() {
    const std::vector<Label>& labels = numbering_.labels();
    sorted_ = labels;
    std::sort(sorted_.begin(), sorted_.end());
    ranks_.resize(labels.size());
    for (size_t number = 0; number < labels.size(); ++number) {
      const auto place = std::lower_bound(sorted_.begin(), sorted_.end(), labels[number]);
      ranks_[number] = static_cast<uint32_t>(place - sorted_.begin());
    }
  }

  // Gives voxels beyond the chunk's end the number whose rank is 0.
  void PadClippedVoxels() {
    const auto zero = static_cast<uint32_t>(std::find(ranks_.begin(), ranks_.end(), 0U) - ranks_.begin());
    for (int64_t z = 0; z < block_.z; ++z) {
      for (int64_t y = 0; y < block_.y; ++y) {
        uint32_t* row = numbers_.data() + block_.x * (y + block_.y * z);
        std::fill(row + (z < clip_.z && y < clip_.y ? clip_.x : 0), row + block_.x, zero);
      }
    }
  }

  absl::Status WriteBlock(size_t header) {
    RankLabels();
    const uint32_t bits = BitsFor(sorted_.size());
    const auto values_offset = static_cast<int64_t>(words_.size());
    if (bits != 0 && is_clipped_) {
      PadClippedVoxels();
    }
    PackNumbers(bits);
    const int64_t palette_offset = WritePalette();
    if (values_offset > kOffsetMax || palette_offset > kOffsetMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("a chunk of ", ToString(labels_.extent()),
                       " voxels of these labels is beyond the 24-bit offsets of compressed_segmentation (64 MiB); "
                       "choose a smaller chunk size"));
    }
    words_[header] = static_cast<uint32_t>(palette_offset) | bits << kEncodedBitsShift;
    words_[header + 1] = static_cast<uint32_t>(values_offset);
    return absl::OkStatus();
  }

  void PackNumbers(uint32_t bits) {
    switch (bits) {
      case 0:
        return;
      case 1:
        return Pack<1>(numbers_, ranks_, words_);
      case 2:
        return Pack<2>(numbers_, ranks_, words_);
      case 4:
        return Pack<4>(numbers_, ranks_, words_);
      case 8:
        return Pack<8>(numbers_, ranks_, words_);
      case 16:
        return Pack<16>(numbers_, ranks_, words_);
      default:
        return Pack<32>(numbers_, ranks_, words_);
    }
  }

  // Step 4. Returns the palette's offset.
  int64_t WritePalette() {
    const auto offset = static_cast<int64_t>(words_.size());
    const auto word_count = static_cast<int64_t>(sorted_.size() * sizeof(Label) / sizeof(uint32_t));
    words_.resize(words_.size() + static_cast<size_t>(word_count));
    std::memcpy(words_.data() + offset, sorted_.data(), sorted_.size() * sizeof(Label));
    const auto [known, is_new] = palettes_.insert({offset, word_count});
    if (!is_new) {
      words_.resize(static_cast<size_t>(offset));
    }
    return known->offset;
  }

  ArrayView3<const Label> labels_;
  Extent3 block_;
  Extent3 grid_;  // blocks along each axis
  LabelNumbers<Label> numbering_;
  std::vector<uint32_t> numbers_;  // of the present block's voxels
  Extent3 clip_;                   // the part of the present block inside the chunk
  bool is_clipped_ = false;
  std::vector<Label> sorted_;
  std::vector<uint32_t> ranks_;
  std::vector<uint32_t> words_;  // the channel
  absl::flat_hash_set<PaletteReference, PaletteHash, PaletteEqual> palettes_;
};

}  // namespace

template <typename Label>
absl::StatusOr<std::string> EncodeCompressedSegmentation(ArrayView3<const Label> labels, Extent3 block) {
  assert(Count(labels.extent()) > 0 && block.x > 0 && block.y > 0 && block.z > 0);
  return Encoder<Label>(labels, block).Run();
}

template absl::StatusOr<std::string> EncodeCompressedSegmentation(ArrayView3<const uint32_t>, Extent3);
template absl::StatusOr<std::string> EncodeCompressedSegmentation(ArrayView3<const uint64_t>, Extent3);

}  // namespace cleave::volume
