#include "work/event_json.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include <nlohmann/json.hpp>

namespace cleave::work {
namespace {

using nlohmann::json;

template <typename Id>
json IdJson(Id id, IdForm form) {
  return form == IdForm::kText ? json(absl::StrCat(Value(id))) : json(Value(id));
}

json IdsJson(const std::vector<graph::NodeId>& ids, IdForm form) {
  json list = json::array();
  for (const graph::NodeId id : ids) {
    list.push_back(IdJson(id, form));
  }
  return list;
}

json BoxesJson(const std::vector<Box>& boxes) {
  json list = json::array();
  for (const Box& box : boxes) {
    list.push_back({{box.lo.x, box.lo.y, box.lo.z}, {box.hi.x, box.hi.y, box.hi.z}});
  }
  return list;
}

}  // namespace

json EventJson(const edit::OperationRecord& event, IdForm form) {
  return {{"operation_id", IdJson(event.id, form)},
          {"kind", std::string(edit::Name(event.kind))},
          {"timestamp", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", event.time, absl::UTCTimeZone())},
          {"user_id", event.user},
          {"old_root_ids", IdsJson(event.old_roots, form)},
          {"new_root_ids", IdsJson(event.new_roots, form)},
          {"new_lvl2_ids", IdsJson(event.new_l2_nodes, form)},
          {"boxes", BoxesJson(event.changed_boxes)}};
}

}  // namespace cleave::work
