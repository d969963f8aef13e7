#include <csignal>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <system_error>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/option_file.h"
#include "cli/served_figures.h"
#include "cli/served_projects.h"
#include "cli/served_redis.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "server/access.h"
#include "server/http_server.h"
#include "server/request_log.h"
#include "server/routes.h"
#include "work/downsample_service.h"

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

// Where the build puts the page, or an installation; empty when it is not there.
std::string BuiltWebFolder() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& folder : {here / "web", here / "../share/cleave/web"}) {
    if (fs::is_regular_file(folder / "index.html", error)) {
      return fs::weakly_canonical(folder, error).string();
    }
  }
  return "";
}

class ServeCommand final : public Command {
 public:
  CommandText text() const override {
    return {"serve", "Serve", "Answer the field's clients over HTTP, on this machine",
            "cleave serve demo --port 8080\n"
            "cleave serve demo --tokens tokens.txt --request-log requests.jsonl\n"
            "cleave serve demo --auth https://global.example.org/auth --auth-dataset retina\n"
            "cleave serve retina=/data/retina_v3 cortex=/data/cortex --port 8080\n"
            "curl http://127.0.0.1:8080/segmentation/table/graph/info"};
  }

  void Register(CLI::App& app) override {
    app_ = &app;
    app.add_option("PROJECT,--project", projects_,
                   "The projects' folders, each as PATH or NAME=PATH; NAME stands in the paths of its routes")
        ->type_name("[NAME=]PATH");
    app.add_option("--config", config_,
                   "YAML with any of the options below: 'port: 8080'. The command line counts first")
        ->type_name("FILE");
    app.add_option("--port", listen_.port, "TCP port; 0 takes any free one")->capture_default_str();
    app.add_option("--address", listen_.address,
                   "Address to listen on. Without --tokens or --auth whoever reaches it can edit")
        ->capture_default_str();
    app.add_option("--public-url", options_.public_url,
                   "How clients reach this server, where it is not the host they ask for")
        ->type_name("URL");
    app.add_option("--tokens", tokens_, "Who may do what: lines 'TOKEN RIGHT USER', RIGHT is view, edit or admin")
        ->type_name("FILE");
    app.add_option("--auth", auth_,
                   "The auth server (middle_auth) that knows tokens and permissions, in place of --tokens")
        ->type_name("URL");
    app.add_option("--auth-login-url", auth_login_url_,
                   "With --auth: where clients log in, if the auth server has another address for them")
        ->type_name("URL");
    app.add_option("--auth-dataset", auth_dataset_,
                   "With --auth and one project: the dataset whose permissions count; without it, the project's name")
        ->type_name("NAME");
    app.add_flag("--open-data", options_.open_data,
                 "With --tokens or --auth: voxels are read without a token, as CloudVolume does");
    app.add_option("--request-log", log_, "Append a line of JSON for every request; '-' is standard error")
        ->type_name("FILE");
    app.add_option("--web-folder", options_.web_folder,
                   "The built web page; without it, the folder web beside the program, or ../share/cleave/web")
        ->type_name("FOLDER");
    app.add_option("--threads", listen_.threads, "Requests that are answered at a time, beside edits")
        ->capture_default_str()
        ->check(CLI::Range(1, 1024));
    app.add_option("--edit-threads", listen_.slow_threads, "Edits and previews that are worked on at a time")
        ->capture_default_str()
        ->check(CLI::Range(1, 1024));
    app.add_option("--downsample-workers", downsample_.workers,
                   "Workers a project that keep the coarser scales true to the edits; 0: none, then the queue waits")
        ->capture_default_str()
        ->check(CLI::Range(0, 64));
    app.add_option("--downsample-memory-mib", downsample_memory_mib_,
                   "Memory for the labels of all workers together, in MiB")
        ->capture_default_str()
        ->check(CLI::Range(1, 1 << 20));
    redis_.Register(app);
    app.add_option("--body-mib-max", body_mib_max_, "The largest body of a request, in MiB")
        ->capture_default_str()
        ->check(CLI::Range(1, 1024));
    RegisterLimits(app);
  }

  absl::Status Run(Console& console) override {
    const StopSignal stop;
    if (!config_.empty()) {
      CLEAVE_RETURN_IF_ERROR(ApplyOptionFile(*app_, config_));
    }
    CLEAVE_ASSIGN_OR_RETURN(options_.access, ReadAccess());
    std::unique_ptr<server::RequestLog> log;
    if (!log_.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(log, server::RequestLog::Open(log_));
      options_.log = log.get();
    }
    options_.limits.read_time_max =
        read_seconds_max_ == 0 ? absl::InfiniteDuration() : absl::Seconds(read_seconds_max_);
    options_.limits.bounds_voxels_max = bounds_megavoxels_max_ * 1'000'000;
    options_.limits.file_bytes_max = static_cast<int64_t>(file_mib_max_) << 20;
    listen_.body_bytes_max = static_cast<uint64_t>(body_mib_max_) << 20;
    if (options_.web_folder.empty()) {
      options_.web_folder = BuiltWebFolder();
    }
    if (projects_.empty()) {
      return absl::InvalidArgumentError("PROJECT is required: the folder of a project, or several");
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedProject> projects, OpenProjects(projects_, console));
    CLEAVE_ASSIGN_OR_RETURN(const auto downsampling, StartDownsampling(projects, console));
    CLEAVE_ASSIGN_OR_RETURN(const auto redis, redis_.Start(projects));
    ServedFigures figures;
    for (size_t i = 0; i < projects.size(); ++i) {
      figures.Watch(projects[i].name, *downsampling[i]);
    }
    for (size_t i = 0; i < redis.size(); ++i) {
      figures.Watch(projects[i].name, *redis[i]);
    }
    options_.more_figures = [&figures] { return figures.Read(); };
    CLEAVE_ASSIGN_OR_RETURN(options_.manifest_cache, redis_.CacheMaker());
    server::Routes routes(Served(projects), options_);
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<server::HttpServer> listening,
                            server::HttpServer::Start(
                                listen_, [&](const server::Request& request) { return routes.Answer(request); },
                                [&](const server::Request& request) { return routes.IsSlow(request); }));
    figures.Watch(*listening);
    Tell(projects, listening->port(), console);
    stop.Wait();
    console.Note("stopping: requests under way are finished");
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<server::Access> ReadAccess() {
    if (auth_.empty()) {
      for (const auto& [option, value] :
           {std::pair("--auth-dataset", &auth_dataset_), std::pair("--auth-login-url", &auth_login_url_)}) {
        if (!value->empty()) {
          return absl::InvalidArgumentError(absl::StrCat(option, " is of use with --auth only"));
        }
      }
      return tokens_.empty() ? server::Access() : server::Access::ReadFile(tokens_);
    }
    if (!tokens_.empty()) {
      return absl::InvalidArgumentError("give either --tokens or --auth");
    }
    if (!auth_dataset_.empty() && projects_.size() > 1) {
      return absl::InvalidArgumentError(
          "--auth-dataset is for one project; of several, the permissions of each count by its name: NAME=PATH");
    }
    absl::StatusOr<server::HttpUrl> url = server::ParseHttpUrl(auth_);
    if (!url.ok()) {
      return Annotate(url.status(), "--auth");
    }
    server::MiddleAuthOptions options{.url = *std::move(url), .dataset = auth_dataset_};
    if (!auth_login_url_.empty()) {
      absl::StatusOr<server::HttpUrl> login_url = server::ParseHttpUrl(auth_login_url_);
      if (!login_url.ok()) {
        return Annotate(login_url.status(), "--auth-login-url");
      }
      options.login_url = *std::move(login_url);
    }
    options.on_change = [](const std::string& what) {
      std::cerr << absl::StrCat("cleave: ", what, "\n") << std::flush;
    };
    return server::Access::From(std::move(options));
  }

  void RegisterLimits(CLI::App& app) {
    const auto add = [&](const std::string& name, int64_t& value, int64_t min, const std::string& what) {
      app.add_option("--" + name, value, what)->capture_default_str()->check(CLI::Range(min, int64_t{1} << 40));
    };
    server::RequestLimits& limits = options_.limits;
    add("ids-max", limits.ids_max, 1, "The most ids that one request lists");
    add("answer-ids-max", limits.answer_ids_max, 1, "The most ids that one answer holds");
    add("points-max", limits.points_max, 2, "The most marked points of one side of an edit, or of a look-up");
    add("l2-nodes-max", limits.l2_nodes_max, 1, "The most L2 nodes whose edges or contacts one answer is about");
    add("history-roots-max", limits.history_roots_max, 1, "The most former objects that one answer is about");
    add("bounds-megavoxels-max", bounds_megavoxels_max_, 0,
        "The largest bounds of leaves, edges, contacts and manifests, in 1e6 voxels; 0: any");
    app.add_option("--file-mib-max", file_mib_max_, "The most of one file of the store in one answer, in MiB")
        ->capture_default_str()
        ->check(CLI::Range(1, 1 << 20));
    app.add_option("--read-seconds-max", read_seconds_max_, "How long rows are read for one look-up, in s; 0: any time")
        ->capture_default_str()
        ->check(CLI::Range(0, 86'400));
  }

  using Downsampling = std::vector<std::unique_ptr<work::DownsampleService>>;

  absl::StatusOr<Downsampling> StartDownsampling(const std::vector<NamedProject>& projects, Console& console) {
    Downsampling services;
    for (const NamedProject& one : projects) {
      graph::Dataset& dataset = *one.project.dataset;
      CLEAVE_ASSIGN_OR_RETURN(const work::DownsampleQueue queue, work::ReadDownsampleQueue(dataset));
      if (!queue.kept) {
        console.Note(absl::StrCat("the coarser scales of ", one.folder,
                                  " were never filled and stay as they are; stop, and run `cleave worker downsample ",
                                  one.folder, " --all` once"),
                     /*important=*/true);
      }
      work::DownsampleServiceOptions options = downsample_;
      options.work.memory_bytes = (static_cast<int64_t>(downsample_memory_mib_) << 20) / std::ssize(projects);
      options.on_error = [name = one.name](const absl::Status& error) {
        std::cerr << "cleave: coarser scales of " << name << ": " << error.message() << std::endl;
      };
      CLEAVE_ASSIGN_OR_RETURN(auto service, work::DownsampleService::Start(dataset, options));
      services.push_back(std::move(service));
    }
    return services;
  }

  void Tell(const std::vector<NamedProject>& projects, int port, Console& console) {
    nlohmann::json datasets = nlohmann::json::array();
    std::string list;
    for (const NamedProject& one : projects) {
      datasets.push_back({{"graph", one.name}, {"project", one.folder}});
      absl::StrAppend(&list, list.empty() ? "" : ", ", one.folder, " as ", one.name);
    }
    console.Show({{"address", listen_.address},
                  {"port", port},
                  {"graph", projects[0].name},
                  {"datasets", datasets},
                  {"access", std::string(options_.access.kind())}},
                 absl::StrCat("serving ", list, " on http://", listen_.address, ":", port, "; stop with Ctrl-C\n"));
  }

  CLI::App* app_ = nullptr;  // whose options these are
  std::vector<std::string> projects_;
  std::string config_;
  std::string tokens_;
  std::string auth_;
  std::string auth_login_url_;
  std::string auth_dataset_;
  std::string log_;
  ServedRedis redis_;
  int body_mib_max_ = 64;
  int read_seconds_max_ = 300;
  int file_mib_max_ = 256;
  int64_t bounds_megavoxels_max_ = 0;
  int downsample_memory_mib_ = 256;
  work::DownsampleServiceOptions downsample_;
  server::ListenOptions listen_;
  server::RouteOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeServeCommand() { return std::make_unique<ServeCommand>(); }

}  // namespace cleave::cli
