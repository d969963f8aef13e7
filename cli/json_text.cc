#include "cli/json_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"

namespace cleave::cli {
namespace {

template <typename T>
Json ListJson(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) {
    list.push_back(ToJson(value));
  }
  return list;
}

template <typename Tag>
Json VectorJson(const Vector3<Tag>& v) {
  return Json::array({v.x, v.y, v.z});
}

}  // namespace

Json ToJson(graph::NodeId id) { return absl::StrCat(Value(id)); }
Json ToJson(const std::vector<graph::NodeId>& ids) { return ListJson(ids); }
Json ToJson(VoxelPoint point) { return VectorJson(point); }
Json ToJson(const std::vector<VoxelPoint>& points) { return ListJson(points); }
Json ToJson(Extent3 extent) { return VectorJson(extent); }
Json ToJson(ChunkPoint chunk) { return VectorJson(chunk); }
Json ToJson(const VoxelSizeNm& size) { return Json::array({size.x, size.y, size.z}); }
Json ToJson(const Box& box) { return {{"lower", ToJson(box.lo)}, {"upper", ToJson(box.hi)}}; }

Json SecondsJson(const Stages& stages, absl::Duration total) {
  Json json = {{"total", absl::ToDoubleSeconds(total)}};
  for (const auto& [name, duration] : stages.list()) {
    json[absl::StrReplaceAll(name, {{" ", "_"}})] = absl::ToDoubleSeconds(duration);
  }
  return json;
}

std::string TimeText(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()); }

std::string IdsText(const std::vector<graph::NodeId>& ids) {
  constexpr size_t kShown = 8;
  if (ids.empty()) {
    return "none";
  }
  const std::vector<uint64_t> values = graph::ToIntegers(ids);
  const size_t shown = std::min(kShown, values.size());
  std::string text = absl::StrJoin(values.begin(), values.begin() + static_cast<ptrdiff_t>(shown), ", ");
  if (shown < values.size()) {
    absl::StrAppend(&text, " and ", values.size() - shown, " more");
  }
  return text;
}

std::string PointsText(const std::vector<VoxelPoint>& points) {
  return absl::StrJoin(points, "  ", [](std::string* out, VoxelPoint point) { absl::StrAppend(out, ToString(point)); });
}

std::string SizeText(const VoxelSizeNm& size) { return absl::StrCat(size.x, " x ", size.y, " x ", size.z, " nm"); }

std::string CountText(int64_t count) {
  const std::string digits = absl::StrCat(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (const size_t left = digits.size() - i; left % 3 == 0 && i > 0 && digits[i - 1] != '-') {
      text.push_back(',');
    }
    text.push_back(digits[i]);
  }
  return text;
}

}  // namespace cleave::cli
