#include "server/request_values.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace cleave::server {
namespace {

// Nobody asks for a time beyond the year 9999; sums with one cannot overflow.
constexpr double kSecondsMax = 253402300800.0;
constexpr int64_t kBoundsMax = int64_t{1} << 48;

}  // namespace

absl::StatusOr<absl::Time> ParseMoment(absl::string_view text) {
  double seconds = 0;
  absl::Time time;
  std::string error;
  if (absl::SimpleAtod(text, &seconds)) {
    if (std::abs(seconds) < kSecondsMax) {  // not so for what is not a number
      return absl::FromUnixMicros(std::llround(seconds * 1e6));
    }
  } else if (absl::ParseTime(absl::RFC3339_full, text, &time, &error) && time > absl::InfinitePast() &&
             time < absl::InfiniteFuture()) {
    return time;
  }
  return absl::InvalidArgumentError(absl::StrCat("not a time in seconds since 1970: ", text.substr(0, 100)));
}

absl::StatusOr<std::optional<absl::Time>> TimeOf(const Request& request, const std::string& name) {
  const std::string* text = QueryOf(request, name);
  if (text == nullptr || text->empty()) {
    return std::nullopt;
  }
  const absl::StatusOr<absl::Time> time = ParseMoment(*text);
  if (!time.ok()) {
    return Annotate(time.status(), name);
  }
  return *time;
}

absl::StatusOr<absl::Time> TimestampOf(const Request& request) {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<absl::Time> time, TimeOf(request, "timestamp"));
  return time.value_or(absl::InfiniteFuture());
}

absl::StatusOr<int> StopLayerOf(const Request& request, int otherwise, int layer_count) {
  const std::string* text = QueryOf(request, "stop_layer");
  int layer = otherwise;
  if (text != nullptr && (!absl::SimpleAtoi(*text, &layer) || layer < 1 || layer > layer_count)) {
    return absl::InvalidArgumentError(absl::StrCat("stop_layer is a layer from 1 to ", layer_count, ", not ", *text));
  }
  return layer;
}

absl::StatusOr<int64_t> ChebyshevDistanceOf(const Request& request) {
  const std::string* text = QueryOf(request, "chebyshev_distance");
  int64_t chunks = 3;
  if (text != nullptr && (!absl::SimpleAtoi(*text, &chunks) || chunks < 0)) {
    return absl::InvalidArgumentError(absl::StrCat("chebyshev_distance is not a number of chunks: ", *text));
  }
  return chunks;
}

absl::StatusOr<std::optional<Box>> BoundsOf(const Request& request) {
  const std::string* text = QueryOf(request, "bounds");
  if (text == nullptr || text->empty()) {
    return std::nullopt;
  }
  const std::vector<std::string> axes = absl::StrSplit(*text, '_');
  Box box;
  for (int axis = 0; axis < 3; ++axis) {
    const std::vector<std::string> ends =
        axes.size() == 3 ? absl::StrSplit(axes[static_cast<size_t>(axis)], '-') : std::vector<std::string>();
    if (ends.size() != 2 || !absl::SimpleAtoi(ends[0], &box.lo[axis]) || !absl::SimpleAtoi(ends[1], &box.hi[axis])) {
      return absl::InvalidArgumentError(absl::StrCat("bounds are x0-x1_y0-y1_z0-z1 in voxels, not ", *text));
    }
  }
  // No volume reaches so far; sums with what is beyond could overflow.
  box = Intersect(box, {{0, 0, 0}, {kBoundsMax, kBoundsMax, kBoundsMax}});
  if (box.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no voxel within the bounds ", *text));
  }
  return box;
}

bool FlagOf(const Request& request, const std::string& name, bool otherwise) {
  const std::string* text = QueryOf(request, name);
  bool value = otherwise;
  return text != nullptr && absl::SimpleAtob(*text, &value) ? value : otherwise;
}

absl::StatusOr<graph::NodeId> ParseNodeId(absl::string_view text) {
  uint64_t id = 0;
  if (!absl::SimpleAtoi(text, &id)) {
    return absl::InvalidArgumentError(absl::StrCat("not a node id: ", text.substr(0, 100)));
  }
  return graph::NodeId{id};
}

absl::StatusOr<std::vector<graph::NodeId>> BinaryIdsOf(const Request& request, const RequestLimits& limits) {
  const size_t count = request.body.size() / sizeof(graph::NodeId);
  if (request.body.size() % sizeof(graph::NodeId) != 0) {
    return absl::InvalidArgumentError("the body must be a run of little-endian uint64");
  }
  if (count > static_cast<size_t>(limits.ids_max)) {
    return LimitError(absl::StrCat(count, " ids in one request"), limits.ids_max, "ids-max");
  }
  std::vector<graph::NodeId> ids(count);
  if (!ids.empty()) {
    std::memcpy(ids.data(), request.body.data(), request.body.size());
  }
  return ids;
}

}  // namespace cleave::server
