#include "volume/chunk_codec.h"

#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "volume/compressed_segmentation.h"

namespace cleave::volume {
namespace {

template <typename Stored>
absl::Status LabelDoesNotFit(uint64_t label) {
  return absl::InvalidArgumentError(
      absl::StrCat("label ", label, " does not fit the volume's data type uint", 8 * sizeof(Stored)));
}

// A copy in the stored type, or an error for the first label that it cannot hold.
template <typename Stored>
absl::StatusOr<Array3<Stored>> Narrow(ArrayView3<const uint64_t> labels) {
  Array3<Stored> narrow(labels.extent());
  const ArrayView3<Stored> view = narrow.view();
  for (int64_t z = 0; z < labels.extent().z; ++z) {
    for (int64_t y = 0; y < labels.extent().y; ++y) {
      const uint64_t* row = labels.Row(y, z);
      Stored* out = view.Row(y, z);
      for (int64_t x = 0; x < labels.extent().x; ++x) {
        if (row[x] > std::numeric_limits<Stored>::max()) {
          return LabelDoesNotFit<Stored>(row[x]);
        }
        out[x] = static_cast<Stored>(row[x]);
      }
    }
  }
  return narrow;
}

// Elements as they are, x fastest, no header.
template <typename Stored>
class RawCodec : public ChunkCodec {
 public:
  absl::StatusOr<std::string> Encode(ArrayView3<const uint64_t> labels) const override {
    CLEAVE_ASSIGN_OR_RETURN(const Array3<Stored> narrow, Narrow<Stored>(labels));
    return std::string(reinterpret_cast<const char*>(narrow.data()),
                       static_cast<size_t>(narrow.size()) * sizeof(Stored));
  }

  absl::Status Decode(absl::string_view bytes, Extent3 extent, const Box& box,
                      ArrayView3<uint64_t> out) const override {
    return ForRows(bytes, extent, box, [&](const char* row, int64_t y, int64_t z) {
      uint64_t* target = out.Row(y, z);
      for (int64_t x = 0; x < out.extent().x; ++x) {
        target[x] = Load(row, x);
      }
    });
  }

  absl::StatusOr<uint64_t> At(absl::string_view bytes, Extent3 extent, VoxelPoint point) const override {
    CLEAVE_RETURN_IF_ERROR(CheckSize(bytes, extent));
    return Load(bytes.data(), point.x + extent.x * (point.y + extent.y * point.z));
  }

  absl::Status DecodeMapped(absl::string_view bytes, Extent3 extent, const Box& box,
                            absl::FunctionRef<uint8_t(uint64_t)> lookup, ArrayView3<uint8_t> out) const override {
    return DecodeRuns(bytes, extent, box, lookup, out);
  }
  absl::Status DecodeMapped(absl::string_view bytes, Extent3 extent, const Box& box,
                            absl::FunctionRef<uint32_t(uint64_t)> lookup, ArrayView3<uint32_t> out) const override {
    return DecodeRuns(bytes, extent, box, lookup, out);
  }

  absl::Status ForEachLabel(absl::string_view bytes, Extent3 extent,
                            absl::FunctionRef<void(uint64_t)> visit) const override {
    CLEAVE_RETURN_IF_ERROR(CheckSize(bytes, extent));
    absl::flat_hash_set<uint64_t> seen;
    uint64_t last = 0;
    for (int64_t i = 0; i < Count(extent); ++i) {
      const uint64_t label = Load(bytes.data(), i);
      if ((i == 0 || label != last) && seen.insert(label).second) {
        visit(label);
      }
      last = label;
    }
    return absl::OkStatus();
  }

 private:
  static uint64_t Load(const char* elements, int64_t i) {
    Stored value;
    std::memcpy(&value, elements + i * static_cast<int64_t>(sizeof(Stored)), sizeof(Stored));
    return value;
  }

  static absl::Status CheckSize(absl::string_view bytes, Extent3 extent) {
    const auto expected = static_cast<size_t>(Count(extent)) * sizeof(Stored);
    if (bytes.size() == expected) {
      return absl::OkStatus();
    }
    return absl::DataLossError(
        absl::StrCat("raw chunk of ", ToString(extent), " voxels must be ", expected, " bytes but is ", bytes.size()));
  }

  // Calls use(first element, y, z) for each row of the box, y and z counted from the box.
  template <typename Use>
  static absl::Status ForRows(absl::string_view bytes, Extent3 extent, const Box& box, Use use) {
    assert(BoxAt({}, extent).Contains(box));
    CLEAVE_RETURN_IF_ERROR(CheckSize(bytes, extent));
    for (int64_t z = box.lo.z; z < box.hi.z; ++z) {
      for (int64_t y = box.lo.y; y < box.hi.y; ++y) {
        const int64_t first = box.lo.x + extent.x * (y + extent.y * z);
        use(bytes.data() + first * static_cast<int64_t>(sizeof(Stored)), y - box.lo.y, z - box.lo.z);
      }
    }
    return absl::OkStatus();
  }

  template <typename Out>
  static absl::Status DecodeRuns(absl::string_view bytes, Extent3 extent, const Box& box,
                                 absl::FunctionRef<Out(uint64_t)> lookup, ArrayView3<Out> out) {
    uint64_t label = 0;
    Out value{};
    bool has_value = false;
    return ForRows(bytes, extent, box, [&](const char* row, int64_t y, int64_t z) {
      Out* target = out.Row(y, z);
      for (int64_t x = 0; x < out.extent().x; ++x) {
        if (const uint64_t next = Load(row, x); !has_value || next != label) {
          label = next;
          value = lookup(label);
          has_value = true;
        }
        target[x] = value;
      }
    });
  }
};

template <typename Stored>
class CompressedSegmentationCodec : public ChunkCodec {
 public:
  explicit CompressedSegmentationCodec(Extent3 block_size) : block_size_(block_size) {}

  absl::StatusOr<std::string> Encode(ArrayView3<const uint64_t> labels) const override {
    if constexpr (sizeof(Stored) == sizeof(uint64_t)) {
      return EncodeCompressedSegmentation<Stored>(labels, block_size_);
    } else {
      CLEAVE_ASSIGN_OR_RETURN(const Array3<Stored> narrow, Narrow<Stored>(labels));
      return EncodeCompressedSegmentation<Stored>(narrow.view(), block_size_);
    }
  }

  absl::Status Decode(absl::string_view bytes, Extent3 extent, const Box& box,
                      ArrayView3<uint64_t> out) const override {
    CLEAVE_ASSIGN_OR_RETURN(const auto chunk, Open(bytes, extent));
    return chunk.template Decode<uint64_t>(box, out);
  }

  absl::StatusOr<uint64_t> At(absl::string_view bytes, Extent3 extent, VoxelPoint point) const override {
    CLEAVE_ASSIGN_OR_RETURN(const auto chunk, Open(bytes, extent));
    CLEAVE_ASSIGN_OR_RETURN(const Stored label, chunk.At(point));
    return uint64_t{label};
  }

  absl::Status DecodeMapped(absl::string_view bytes, Extent3 extent, const Box& box,
                            absl::FunctionRef<uint8_t(uint64_t)> lookup, ArrayView3<uint8_t> out) const override {
    CLEAVE_ASSIGN_OR_RETURN(const auto chunk, Open(bytes, extent));
    return chunk.template DecodeMapped<uint8_t>(
        box, [&lookup](Stored label) { return lookup(label); }, out);
  }
  absl::Status DecodeMapped(absl::string_view bytes, Extent3 extent, const Box& box,
                            absl::FunctionRef<uint32_t(uint64_t)> lookup, ArrayView3<uint32_t> out) const override {
    CLEAVE_ASSIGN_OR_RETURN(const auto chunk, Open(bytes, extent));
    return chunk.template DecodeMapped<uint32_t>(
        box, [&lookup](Stored label) { return lookup(label); }, out);
  }

  absl::Status ForEachLabel(absl::string_view bytes, Extent3 extent,
                            absl::FunctionRef<void(uint64_t)> visit) const override {
    CLEAVE_ASSIGN_OR_RETURN(const auto chunk, Open(bytes, extent));
    return chunk.ForEachLabel([&visit](Stored label) { visit(label); });
  }

 private:
  absl::StatusOr<CompressedSegmentation<Stored>> Open(absl::string_view bytes, Extent3 extent) const {
    return CompressedSegmentation<Stored>::Open(bytes, extent, block_size_);
  }

  Extent3 block_size_;
};

absl::StatusOr<std::unique_ptr<const ChunkCodec>> MakeRawCodec(DataType type) {
  switch (type) {
    case DataType::kUint8:
      return std::make_unique<RawCodec<uint8_t>>();
    case DataType::kUint16:
      return std::make_unique<RawCodec<uint16_t>>();
    case DataType::kUint32:
      return std::make_unique<RawCodec<uint32_t>>();
    case DataType::kUint64:
      return std::make_unique<RawCodec<uint64_t>>();
    default:
      return absl::InvalidArgumentError(absl::StrCat("data type ", DataTypeName(type),
                                                     " cannot hold labels; expected uint8, uint16, uint32 or uint64"));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<const ChunkCodec>> MakeChunkCodec(DataType type, const Scale& scale) {
  if (scale.encoding == Encoding::kRaw) {
    return MakeRawCodec(type);
  }
  if (type == DataType::kUint32) {
    return std::make_unique<CompressedSegmentationCodec<uint32_t>>(scale.block_size);
  }
  if (type == DataType::kUint64) {
    return std::make_unique<CompressedSegmentationCodec<uint64_t>>(scale.block_size);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("encoding compressed_segmentation holds uint32 or uint64, not ", DataTypeName(type)));
}

}  // namespace cleave::volume
