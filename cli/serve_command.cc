#include <csignal>
#include <cstdint>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/project.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "server/http_server.h"
#include "server/routes.h"

namespace cleave::cli {
namespace {

// Blocks SIGINT and SIGTERM for every thread made after it, and waits for one of them.
class StopSignal {
 public:
  StopSignal() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  void Wait() const {
    int received = 0;
    sigwait(&signals_, &received);
  }

 private:
  sigset_t signals_{};
};

class ServeCommand final : public Command {
 public:
  CommandText text() const override {
    return {"serve", "Serve", "Answer the field's clients over HTTP, on this machine",
            "cleave serve demo --port 8080\n"
            "curl http://127.0.0.1:8080/segmentation/table/graph/info"};
  }

  void Register(CLI::App& app) override {
    app.add_option("PROJECT", project_, "The project's folder")->required();
    app.add_option("--port", port_, "TCP port; 0 takes any free one")->capture_default_str();
    app.add_option("--address", address_,
                   "Address to listen on. Whoever reaches it can edit: there are no accounts yet")
        ->capture_default_str();
    app.add_option("--public-url", public_url_, "How clients reach this server, where it is not the host they ask for")
        ->type_name("URL");
  }

  absl::Status Run(Console& console) override {
    const StopSignal stop;
    CLEAVE_ASSIGN_OR_RETURN(const Project project, OpenProject(project_, console));
    server::Routes routes(*project.dataset, *project.editor, {.public_url = public_url_});
    CLEAVE_ASSIGN_OR_RETURN(
        const std::unique_ptr<server::HttpServer> listening,
        server::HttpServer::Start({.address = address_, .port = port_},
                                  [&](const server::Request& request) { return routes.Answer(request); }));
    console.Show(
        {{"address", address_}, {"port", listening->port()}, {"graph", project.dataset->meta().graph_id}},
        absl::StrCat("serving ", project_, " on http://", address_, ":", listening->port(), "; stop with Ctrl-C\n"));
    stop.Wait();
    console.Note("stopping: requests under way are finished");
    return absl::OkStatus();
  }

 private:
  std::string project_;
  std::string address_ = "127.0.0.1";
  uint16_t port_ = 8080;
  std::string public_url_;
};

}  // namespace

std::unique_ptr<Command> MakeServeCommand() { return std::make_unique<ServeCommand>(); }

}  // namespace cleave::cli
