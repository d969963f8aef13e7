// The project's values as JSON and as text. Node ids are strings in JSON: they do not fit the 53 bits of a JavaScript
// number. Points are arrays [x, y, z], times RFC 3339 in UTC with milliseconds.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "nlohmann/json_fwd.hpp"

#include "base/geometry.h"
#include "base/stages.h"
#include "graph/ids.h"

namespace cleave::cli {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json ToJson(graph::NodeId id);
[[nodiscard]] Json ToJson(const std::vector<graph::NodeId>& ids);
[[nodiscard]] Json ToJson(VoxelPoint point);
[[nodiscard]] Json ToJson(const std::vector<VoxelPoint>& points);
[[nodiscard]] Json ToJson(Extent3 extent);
[[nodiscard]] Json ToJson(ChunkPoint chunk);
[[nodiscard]] Json ToJson(const VoxelSizeNm& size);
// {"lower": [x, y, z], "upper": [x, y, z]}, the upper end excluded.
[[nodiscard]] Json ToJson(const Box& box);
// {"total": seconds, "STAGE": seconds, ...}, with '_' for spaces.
[[nodiscard]] Json SecondsJson(const Stages& stages, absl::Duration total);

[[nodiscard]] std::string TimeText(absl::Time time);
// "17, 18 and 4 more"; "none" for no ids.
[[nodiscard]] std::string IdsText(const std::vector<graph::NodeId>& ids);
[[nodiscard]] std::string PointsText(const std::vector<VoxelPoint>& points);
[[nodiscard]] std::string SizeText(const VoxelSizeNm& size);
// 1234567 as "1,234,567".
[[nodiscard]] std::string CountText(int64_t count);

}  // namespace cleave::cli
