#include "volume/npy.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cleave::volume {
namespace {

constexpr int64_t kDictionaryBytesMax = int64_t{1} << 20;
constexpr int64_t kSlabVoxelsMax = int64_t{1} << 22;

// Where the elements of one slab lie in the file: element (x, y, z) of the slab is the file's element
// x * stride.x + y * stride.y + z * stride.z of the slab.
struct SlabLayout {
  Extent3 extent;
  Extent3 stride;
};

SlabLayout LayoutOf(const NpyHeader& header, int64_t planes) {
  const Extent3 e = header.extent;
  if (header.fortran_order) {
    return {.extent = {e.x, e.y, planes}, .stride = {1, e.x, e.x * e.y}};
  }
  return {.extent = {planes, e.y, e.z}, .stride = {e.y * e.z, e.z, 1}};
}

// Converts a slab's elements; false when a value is negative or beyond what Label holds.
template <typename Stored, typename Label>
bool ConvertSlab(const char* elements, const SlabLayout& layout, ArrayView3<Label> out) {
  bool fits = true;
  for (int64_t z = 0; z < layout.extent.z; ++z) {
    for (int64_t y = 0; y < layout.extent.y; ++y) {
      const char* row = elements + (y * layout.stride.y + z * layout.stride.z) * static_cast<int64_t>(sizeof(Stored));
      Label* target = out.Row(y, z);
      for (int64_t x = 0; x < layout.extent.x; ++x) {
        Stored value;
        std::memcpy(&value, row + x * layout.stride.x * static_cast<int64_t>(sizeof(Stored)), sizeof(Stored));
        if constexpr (std::is_signed_v<Stored>) {
          fits &= value >= 0;
        }
        fits &= static_cast<std::make_unsigned_t<Stored>>(value) <= std::numeric_limits<Label>::max();
        target[x] = static_cast<Label>(value);
      }
    }
  }
  return fits;
}

template <typename Label>
bool Convert(NpyType type, const char* elements, const SlabLayout& layout, ArrayView3<Label> out) {
  switch (type.byte_count) {
    case 1:
      return type.is_signed ? ConvertSlab<int8_t>(elements, layout, out) : ConvertSlab<uint8_t>(elements, layout, out);
    case 2:
      return type.is_signed ? ConvertSlab<int16_t>(elements, layout, out)
                            : ConvertSlab<uint16_t>(elements, layout, out);
    case 4:
      return type.is_signed ? ConvertSlab<int32_t>(elements, layout, out)
                            : ConvertSlab<uint32_t>(elements, layout, out);
    default:
      return type.is_signed ? ConvertSlab<int64_t>(elements, layout, out)
                            : ConvertSlab<uint64_t>(elements, layout, out);
  }
}

// Calls body(), whose allocations grow with the input; too large an input becomes an error.
template <typename Body>
auto WithMemory(absl::string_view name, Extent3 extent, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(name, ": not enough memory for ", ToString(extent), " voxels"));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<NpyReader>> NpyReader::Open(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<ByteStream> stream, OpenFileStream(path));
  return FromStream(std::move(stream), path);
}

absl::StatusOr<std::unique_ptr<NpyReader>> NpyReader::FromStream(std::unique_ptr<ByteStream> stream,
                                                                 absl::string_view name) {
  std::unique_ptr<NpyReader> reader(new NpyReader(std::move(stream), std::string(name)));
  if (const absl::Status status = reader->ReadHeader(); !status.ok()) {
    return Annotate(status, name);
  }
  return reader;
}

absl::Status NpyReader::ReadExactly(char* out, int64_t size) {
  CLEAVE_ASSIGN_OR_RETURN(const int64_t count, stream_->Read(out, size));
  return count == size ? absl::OkStatus() : absl::DataLossError("the file ends early");
}

absl::Status NpyReader::ReadHeader() {
  std::string preamble(kNpyPreambleBytes, '\0');
  CLEAVE_ASSIGN_OR_RETURN(const int64_t count, stream_->Read(preamble.data(), kNpyPreambleBytes));
  preamble.resize(static_cast<size_t>(count));
  preamble.resize(kNpyPreambleBytes, '\0');
  CLEAVE_ASSIGN_OR_RETURN(const int64_t length_bytes, NpyLengthBytes(preamble));
  uint32_t length = 0;
  CLEAVE_RETURN_IF_ERROR(ReadExactly(reinterpret_cast<char*>(&length), length_bytes));
  if (length > kDictionaryBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("npy header of ", length, " bytes is too long"));
  }
  std::string dictionary(length, '\0');
  CLEAVE_RETURN_IF_ERROR(ReadExactly(dictionary.data(), length));
  CLEAVE_ASSIGN_OR_RETURN(header_, ParseNpyDictionary(dictionary));
  return absl::OkStatus();
}

template <typename Label>
absl::Status NpyReader::ForEachSlab(int64_t slab_voxels_max,
                                    absl::FunctionRef<absl::Status(const Box& slab, ArrayView3<const Label>)> visit) {
  const int64_t plane_count = header_.fortran_order ? header_.extent.z : header_.extent.x;
  const int64_t plane_voxels = Count(header_.extent) / plane_count;
  const int64_t slab_planes = std::clamp<int64_t>(slab_voxels_max / plane_voxels, 1, plane_count);
  return WithMemory(name_, LayoutOf(header_, slab_planes).extent, [&]() -> absl::Status {
    std::vector<char> elements(static_cast<size_t>(slab_planes * plane_voxels * header_.type.byte_count));
    std::vector<Label> labels(static_cast<size_t>(slab_planes * plane_voxels));
    for (int64_t first = 0; first < plane_count; first += slab_planes) {
      const int64_t planes = std::min(slab_planes, plane_count - first);
      const SlabLayout layout = LayoutOf(header_, planes);
      const VoxelPoint lo = header_.fortran_order ? VoxelPoint{0, 0, first} : VoxelPoint{first, 0, 0};
      const absl::Status status = ReadExactly(elements.data(), planes * plane_voxels * header_.type.byte_count);
      if (!status.ok()) {
        return Annotate(status, absl::StrCat(name_, ": plane ", first, " of ", plane_count));
      }
      const ArrayView3<Label> slab(labels.data(), layout.extent);
      if (!Convert(header_.type, elements.data(), layout, slab)) {
        return absl::InvalidArgumentError(absl::StrCat(name_, ": a label in ", ToString(BoxAt(lo, layout.extent)),
                                                       " is negative or too large for uint", 8 * sizeof(Label)));
      }
      CLEAVE_RETURN_IF_ERROR(visit(BoxAt(lo, layout.extent), slab));
    }
    char more = 0;
    CLEAVE_ASSIGN_OR_RETURN(const int64_t more_count, stream_->Read(&more, 1));
    return more_count == 0 ? absl::OkStatus()
                           : absl::DataLossError(absl::StrCat(name_, ": holds more bytes than its header says"));
  });
}

template <typename Label>
absl::StatusOr<Array3<Label>> ReadNpy(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<NpyReader> reader, NpyReader::Open(path));
  const Extent3 extent = reader->header().extent;
  return WithMemory(path, extent, [&]() -> absl::StatusOr<Array3<Label>> {
    Array3<Label> array(extent);
    CLEAVE_RETURN_IF_ERROR(
        reader->ForEachSlab<Label>(kSlabVoxelsMax, [&array](const Box& slab, ArrayView3<const Label> labels) {
          CopyArray(labels, array.view().Crop(slab));
          return absl::OkStatus();
        }));
    return array;
  });
}

template <typename Label>
absl::Status WriteNpy(const std::string& path, ArrayView3<const Label> labels) {
  const auto failed = [&path] { return absl::ErrnoToStatus(errno, absl::StrCat("writing ", path)); };
  const std::string temporary = absl::StrCat(path, ".tmp");
  std::FILE* file = std::fopen(temporary.c_str(), "wbe");
  if (file == nullptr) {
    return failed();
  }
  const std::string header = FormatNpyHeader(
      {.type = {.is_signed = false, .byte_count = sizeof(Label)}, .extent = labels.extent(), .fortran_order = true});
  bool ok = std::fwrite(header.data(), 1, header.size(), file) == header.size();
  const auto row_size = static_cast<size_t>(labels.extent().x);
  for (int64_t z = 0; z < labels.extent().z; ++z) {
    for (int64_t y = 0; y < labels.extent().y; ++y) {
      ok = ok && std::fwrite(labels.Row(y, z), sizeof(Label), row_size, file) == row_size;
    }
  }
  ok = (std::fclose(file) == 0) && ok;
  if (!ok || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const absl::Status status = failed();
    std::remove(temporary.c_str());
    return status;
  }
  return absl::OkStatus();
}

#define CLEAVE_INSTANTIATE_NPY(Label)                                                      \
  template absl::Status NpyReader::ForEachSlab(                                            \
      int64_t, absl::FunctionRef<absl::Status(const Box& slab, ArrayView3<const Label>)>); \
  template absl::StatusOr<Array3<Label>> ReadNpy(const std::string&);                      \
  template absl::Status WriteNpy(const std::string&, ArrayView3<const Label>)
CLEAVE_INSTANTIATE_NPY(uint8_t);
CLEAVE_INSTANTIATE_NPY(uint16_t);
CLEAVE_INSTANTIATE_NPY(uint32_t);
CLEAVE_INSTANTIATE_NPY(uint64_t);
#undef CLEAVE_INSTANTIATE_NPY

}  // namespace cleave::volume
