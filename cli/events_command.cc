#include <cstdint>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "edit/event_index.h"
#include "work/event_stream.h"

namespace cleave::cli {
namespace {

// Voxels of scale 0: [[[x0, y0, z0], [x1, y1, z1]], ...], the upper corner excluded.
Json BoxesJson(const std::vector<Box>& boxes) {
  Json json = Json::array();
  for (const Box& box : boxes) {
    json.push_back({{box.lo.x, box.lo.y, box.lo.z}, {box.hi.x, box.hi.y, box.hi.z}});
  }
  return json;
}

Json EventJson(const edit::OperationRecord& event) {
  return {{"operation", Value(event.id)},
          {"kind", std::string(edit::Name(event.kind))},
          {"target", event.target == graph::OperationId{} ? Json() : Json(Value(event.target))},
          {"time", TimeText(event.time)},
          {"user", event.user},
          {"old_roots", ToJson(event.old_roots)},
          {"new_roots", ToJson(event.new_roots)},
          {"l2_nodes", ToJson(event.new_l2_nodes)},
          {"boxes", BoxesJson(event.changed_boxes)},
          {"fresh_supervoxels", ToJson(event.fragments)},
          {"restored_supervoxels", ToJson(edit::SupervoxelsOf(event.restored))}};
}

Json GroupsJson(const std::vector<edit::EventGroup>& groups) {
  Json json = Json::object();
  for (const edit::EventGroup& group : groups) {
    json[group.name] = TimeText(group.acknowledged);
  }
  return json;
}

class EventsCommand final : public Command {
 public:
  CommandText text() const override {
    return {"events", "Ask", "List the edits that happened, in commit order, from a moment on",
            "cleave events demo\n"
            "cleave events demo --after 2026-01-31T12:00:00.123Z --limit 100 --json\n"
            "cleave events demo --group meshes --limit 100 --json\n"
            "cleave events demo --group meshes --acknowledge 2026-01-31T12:00:00.123Z"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--after", after_, "Only edits later than this, such as 'next' of the call before")
        ->type_name("TIME");
    CLI::Option* group =
        app.add_option("--group", group_, "Only edits that this group of consumers has not acknowledged")
            ->type_name("NAME")
            ->excludes("--after");
    app.add_option("--acknowledge", acknowledge_,
                   "First note that the group has handled everything up to this time: 'next' of an earlier call")
        ->type_name("TIME")
        ->needs(group);
    app.add_option("--limit", limit_, "At most so many edits; 0 for all")->capture_default_str();
  }

  absl::Status Run(Console& console) override {
    work::EventOffset offset;
    if (!after_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(offset.after, Named("--after", ParseTime(after_)));
    }
    absl::Time acknowledged;
    if (!acknowledge_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(acknowledged, Named("--acknowledge", ParseTime(acknowledge_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    if (!acknowledge_.empty()) {
      CLEAVE_RETURN_IF_ERROR(edit::Acknowledge(project.dataset->table(), group_, acknowledged));
    }
    if (!group_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(offset.after, edit::ReadAcknowledged(project.dataset->table(), group_));
    }
    CLEAVE_ASSIGN_OR_RETURN(const work::EventPage page, work::ReadEvents(*project.dataset, offset, limit_));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<edit::EventGroup> groups,
                            edit::ListEventGroups(project.dataset->table()));
    Json events = Json::array();
    std::string text;
    for (const edit::OperationRecord& event : page.events) {
      events.push_back(EventJson(event));
      absl::StrAppend(&text, TimeText(event.time), "  operation ", Value(event.id), "  ", edit::Name(event.kind), "  ",
                      IdsText(event.old_roots), " -> ", IdsText(event.new_roots), "\n");
    }
    const bool any = page.next.after != absl::InfinitePast();
    console.Show({{"events", events},
                  {"next", any ? Json(TimeText(page.next.after)) : Json(nullptr)},
                  {"groups", GroupsJson(groups)}},
                 text);
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string after_;
  std::string group_;
  std::string acknowledge_;
  int64_t limit_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeEventsCommand() { return std::make_unique<EventsCommand>(); }

}  // namespace cleave::cli
