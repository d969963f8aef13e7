#include <cstdint>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/clock.h"
#include "base/status.h"
#include "work/event_stream.h"

namespace cleave::cli {
namespace {

Json EventJson(const edit::OperationRecord& event) {
  return {{"operation", Value(event.id)},
          {"kind", std::string(edit::Name(event.kind))},
          {"target", event.target == graph::OperationId{} ? Json() : Json(Value(event.target))},
          {"time", TimeText(event.time)},
          {"user", event.user},
          {"old_roots", ToJson(event.old_roots)},
          {"new_roots", ToJson(event.new_roots)},
          {"fresh_supervoxels", ToJson(event.fragments)},
          {"restored_supervoxels", ToJson(edit::SupervoxelsOf(event.restored))}};
}

class EventsCommand final : public Command {
 public:
  CommandText text() const override {
    return {"events", "Ask", "List the edits that happened, in commit order, from a moment on",
            "cleave events demo\n"
            "cleave events demo --after 2026-01-31T12:00:00.123Z --limit 100 --json"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--after", after_, "Only edits later than this, such as 'next' of the call before")
        ->type_name("TIME");
    app.add_option("--limit", limit_, "At most so many edits; 0 for all")->capture_default_str();
  }

  absl::Status Run(Console& console) override {
    work::EventOffset offset;
    if (!after_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(offset.after, Named("--after", ParseTime(after_)));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    CLEAVE_ASSIGN_OR_RETURN(const work::EventPage page,
                            work::ReadEvents(*project.dataset, Clock::System(), offset, limit_));
    Json events = Json::array();
    std::string text;
    for (const edit::OperationRecord& event : page.events) {
      events.push_back(EventJson(event));
      absl::StrAppend(&text, TimeText(event.time), "  operation ", Value(event.id), "  ", edit::Name(event.kind), "  ",
                      IdsText(event.old_roots), " -> ", IdsText(event.new_roots), "\n");
    }
    const bool any = page.next.after != absl::InfinitePast();
    console.Show({{"events", events}, {"next", any ? Json(TimeText(page.next.after)) : Json(nullptr)}}, text);
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string after_;
  int64_t limit_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeEventsCommand() { return std::make_unique<EventsCommand>(); }

}  // namespace cleave::cli
