#include "server/request_limits.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cleave::server {

absl::Status LimitError(absl::string_view what, int64_t max, absl::string_view option, absl::string_view advice) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, "; ", max, " are allowed (--", option, ")", advice.empty() ? "" : ": ", advice));
}

absl::Status CheckAnswerIds(const RequestLimits& limits, size_t count) {
  return count <= static_cast<size_t>(limits.answer_ids_max)
             ? absl::OkStatus()
             : LimitError(absl::StrCat("the answer would hold ", count, " ids"), limits.answer_ids_max,
                          "answer-ids-max", "ask for less, by bounds, by time, or with fewer ids in one request");
}

absl::Status CheckBounds(const RequestLimits& limits, const Box& volume, const std::optional<Box>& bounds) {
  const Box box = bounds.has_value() ? Intersect(*bounds, volume) : volume;
  if (limits.bounds_voxels_max == 0 || box.empty()) {
    return absl::OkStatus();
  }
  const Extent3 extent = box.extent();
  const double voxels = static_cast<double>(extent.x) * static_cast<double>(extent.y) * static_cast<double>(extent.z);
  return voxels <= static_cast<double>(limits.bounds_voxels_max)
             ? absl::OkStatus()
             : LimitError(
                   absl::StrFormat("%s %.0f voxels",
                                   bounds.has_value() ? "the bounds hold" : "without bounds, this is about", voxels),
                   limits.bounds_voxels_max, "bounds-megavoxels-max", "ask with smaller bounds");
}

}  // namespace cleave::server
