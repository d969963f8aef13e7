// How many requests a second `cleave serve` answers on this machine, how late, and with how much memory.
//
//   server_load_benchmark [--data FOLDER] [--size N] [--connections 1,4,16,64] [--seconds N] [--only TEXT]
//                         [--program FILE] [--server-option WORD]... [--json]
//   server_load_benchmark --size 256 --connections 16 --seconds 10 --only roots
//
// Method: a cube of the pinky40 neuropil volume (512: the whole sample) is ingested with pairs of touching neurites
// fused, and served by the program as a process of its own. Each route is asked on so many connections at once, kept
// alive, over the loopback, for so many seconds; client and server share the processors, and the processor time of both
// is told. Roots, leaves, points and voxels are drawn from the whole project, and every answer is held against what the
// graph said before it was served, or against the first answer; another one is an error. Edits are by points, each
// connection on a pair of neurites of its own: merges and splits of two objects take turns, and cuts of fused ones, in
// voxels, are made once each, as many as there are connections and at least four. Every edit is durable when it is
// answered.
//
// There is no peer to compare with: the field's own server needs Google Bigtable. For orientation the last rows are a
// static file of the size of a voxel chunk, from Python's http.server with connections kept alive.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "benchmarks/load_client.h"
#include "benchmarks/load_project.h"
#include "benchmarks/served_process.h"
#include "store/temporary_folder.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;
using graph::NodeId;
using nlohmann::ordered_json;

constexpr char kTable[] = "/segmentation/api/v1/table/graph/";
constexpr size_t kIdsARequest = 1'000;
constexpr size_t kQuestions = 64;  // different ones of a route
constexpr int kCutsMin = 4;        // of one step
constexpr double kForever = std::numeric_limits<double>::infinity();

struct Arguments {
  std::string data;
  int64_t size = 512;
  std::vector<int> connections = {1, 4, 16, 64};
  double seconds = 3;
  std::string only;
  std::string program;
  std::vector<std::string> server_options;
  bool json = false;
};

using Questions = std::vector<Question>;

struct NamedQuestions {
  std::string name;
  Questions questions;
};

// Questions are drawn at random, by a number that each connection counts up.
uint64_t Mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::string Bytes(const std::vector<NodeId>& ids) {
  return {reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(NodeId)};
}

ordered_json Numbers(const std::vector<NodeId>& ids) {
  ordered_json numbers = ordered_json::array();
  for (const NodeId id : ids) {
    numbers.push_back(Value(id));
  }
  return numbers;
}

ordered_json Nm(VoxelPoint point) {
  return {0, static_cast<double>(point.x) * kLoadVoxelSize.x, static_cast<double>(point.y) * kLoadVoxelSize.y,
          static_cast<double>(point.z) * kLoadVoxelSize.z};
}

// What is asked about ids, a thousand at a time and one at a time.
void AddRootQuestions(const LoadProject& project, std::vector<NamedQuestions>& routes) {
  const std::string path = kTable;
  std::mt19937_64 random(1);
  Questions one, binary, json, zipped;
  for (size_t i = 0; i < kQuestions; ++i) {
    std::vector<NodeId> ids, roots;
    for (size_t j = 0; j < kIdsARequest; ++j) {
      const size_t any = random() % project.supervoxels.size();
      ids.push_back(project.supervoxels[any]);
      roots.push_back(project.roots[any]);
    }
    one.push_back({"root of 1 supervoxel", GetRequest(absl::StrCat(path, "node/", Value(ids[0]), "/root")),
                   absl::StrCat("{\"root_id\":", Value(roots[0]), "}")});
    binary.push_back(
        {"roots of 1,000 supervoxels, binary", PostRequest(path + "roots_binary", Bytes(ids)), Bytes(roots)});
    const std::string body = ordered_json({{"node_ids", Numbers(ids)}}).dump();
    json.push_back({"roots of 1,000 supervoxels, JSON", PostRequest(path + "roots", body),
                    ordered_json({{"root_ids", Numbers(roots)}}).dump()});
    zipped.push_back({"roots of 1,000 supervoxels, JSON in gzip",
                      PostRequest(path + "roots", body, "Accept-Encoding: gzip\r\n"), std::nullopt});
  }
  for (Questions* questions : {&one, &binary, &json, &zipped}) {
    routes.push_back({questions->front().kind, std::move(*questions)});
  }
}

// Objects are drawn by their supervoxels, so large ones come often.
void AddLeafQuestions(const LoadProject& project, std::vector<NamedQuestions>& routes) {
  std::mt19937_64 random(3);
  Questions questions;
  for (size_t i = 0; i < kQuestions; ++i) {
    const NodeId root = project.roots[random() % project.roots.size()];
    questions.push_back(
        {"leaves of an object", GetRequest(absl::StrCat(kTable, "node/", Value(root), "/leaves")), std::nullopt});
  }
  routes.push_back({questions.front().kind, std::move(questions)});
}

void AddPointQuestions(const LoadProject& project, std::vector<NamedQuestions>& routes) {
  std::mt19937_64 random(4);
  const auto any = [&] { return Nm(project.points[random() % project.points.size()]); };
  const std::string path = absl::StrCat(kTable, "supervoxel_lookup");
  for (const auto& [kind, count] :
       {std::pair("supervoxel at 1 point", size_t{1}), std::pair("supervoxels at 1,000 points", kIdsARequest)}) {
    Questions questions;
    for (size_t i = 0; i < kQuestions; ++i) {
      ordered_json points = ordered_json::array();
      for (size_t j = 0; j < count; ++j) {
        points.push_back(any());
      }
      questions.push_back({kind, PostRequest(path, points.dump()), std::nullopt});
    }
    routes.push_back({kind, std::move(questions)});
  }
}

absl::Status AddVoxelQuestions(LoadConnection& line, std::vector<NamedQuestions>& routes) {
  CLEAVE_ASSIGN_OR_RETURN(const HttpReply info, line.Ask(GetRequest("/data/graph/info")));
  const auto parsed = nlohmann::json::parse(info.body, nullptr, /*allow_exceptions=*/false);
  if (info.code != 200 || !parsed.is_object()) {
    return absl::InternalError(absl::StrCat("the volume's info is answered with ", info.code));
  }
  const auto& scale = parsed["scales"][0];
  std::mt19937_64 random(5);
  Questions questions;
  for (size_t i = 0; i < kQuestions; ++i) {
    std::string name = absl::StrCat("/data/graph/", scale["key"].get<std::string>(), "/");
    for (size_t axis = 0; axis < 3; ++axis) {
      const auto side = scale["chunk_sizes"][0][axis].get<int64_t>();
      const auto end = scale["size"][axis].get<int64_t>();
      const int64_t begin = side * static_cast<int64_t>(random() % static_cast<uint64_t>((end + side - 1) / side));
      absl::StrAppend(&name, axis == 0 ? "" : "_", begin, "-", std::min(begin + side, end));
    }
    questions.push_back({"voxel chunk", GetRequest(name), std::nullopt});
  }
  routes.push_back({questions.front().kind, std::move(questions)});
  return absl::OkStatus();
}

// The first answer is what all others must be.
absl::Status AskFirst(LoadConnection& line, NamedQuestions& route) {
  for (Question& question : route.questions) {
    CLEAVE_ASSIGN_OR_RETURN(HttpReply reply, line.Ask(question.request));
    if (reply.code != 200 || (question.body.has_value() && *question.body != reply.body)) {
      return absl::InternalError(absl::StrCat(route.name, ": the first answer is ", reply.code, " ",
                                              reply.body.substr(0, 300), ", not what the graph says"));
    }
    question.body = std::move(reply.body);
  }
  return absl::OkStatus();
}

double BytesOf(const Questions& questions) {
  double bytes = 0;
  for (const Question& question : questions) {
    bytes += static_cast<double>(question.body.value_or("").size()) / static_cast<double>(questions.size());
  }
  return bytes;
}

// Prints a row as it comes, or keeps it for the JSON.
class Report {
 public:
  explicit Report(bool json) : json_(json) {}

  void Add(const std::string& name, int connections, const LoadResult& result, const Latencies& of,
           const ServedProcess& server, double server_seconds) {
    const auto count = static_cast<double>(of.ms.size());
    double asked = 0;
    for (const auto& [kind, latencies] : result.by_kind) {
      asked += static_cast<double>(latencies.ms.size());
    }
    ordered_json row = {{"route", name},
                        {"connections", connections},
                        {"requests", of.ms.size()},
                        {"requests_per_second", count / result.seconds},
                        {"p50_ms", of.Percentile(50)},
                        {"p99_ms", of.Percentile(99)},
                        {"errors", of.errors},
                        {"server_processor_ms", 1e3 * server_seconds / asked},
                        {"client_processor_ms", 1e3 * result.client_processor_seconds / asked},
                        {"server_peak_mib", server.PeakMemoryMiB()}};
    if (!json_) {
      absl::PrintF("%-41s %4d  %9.1f/s  %8.2f  %8.2f  %6d  %9.3f  %9.3f  %8.0f\n", name, connections,
                   count / result.seconds, of.Percentile(50), of.Percentile(99), of.errors,
                   row["server_processor_ms"].get<double>(), row["client_processor_ms"].get<double>(),
                   server.PeakMemoryMiB());
      std::fflush(stdout);
    }
    if (of.errors > 0) {
      errors_ += of.errors;
      std::cerr << name << ": " << of.first_error << '\n';
    }
    rows_.push_back(std::move(row));
  }

  void Head(const ordered_json& head) {
    head_ = head;
    if (!json_) {
      for (const auto& [name, value] : head.items()) {
        absl::PrintF("%s: %s\n", name, value.is_string() ? value.get<std::string>() : value.dump());
      }
      absl::PrintF("\n%-41s %4s  %11s  %8s  %8s  %6s  %9s  %9s  %8s\n", "route (processor ms: of one request)", "conn",
                   "requests", "p50 ms", "p99 ms", "errors", "server ms", "client ms", "peak MiB");
      std::fflush(stdout);
    }
  }

  [[nodiscard]] int64_t errors() const { return errors_; }

  void Finish(const ServedProcess& server) {
    if (json_) {
      head_["rows"] = rows_;
      std::cout << head_.dump(2) << '\n';
    } else {
      absl::PrintF("\nthe server's processor time in all: %.1f s\n", server.ProcessorSeconds());
    }
  }

 private:
  const bool json_;
  int64_t errors_ = 0;
  ordered_json head_;
  ordered_json rows_ = ordered_json::array();
};

class Bench {
 public:
  Bench(const Arguments& arguments, Report& report) : arguments_(arguments), report_(report) {}

  [[nodiscard]] bool Wants(const std::string& name) const {
    return arguments_.only.empty() || absl::StrContains(name, arguments_.only);
  }

  absl::Status Look(const ServedProcess& server, NamedQuestions& route) {
    if (!Wants(route.name)) {
      return absl::OkStatus();
    }
    LoadConnection line(server.port());
    CLEAVE_RETURN_IF_ERROR(AskFirst(line, route));
    for (const int connections : arguments_.connections) {
      Step(server, absl::StrFormat("%s (%.3g kB)", route.name, BytesOf(route.questions) / 1e3), connections,
           arguments_.seconds, [&](int connection, int64_t turn) {
             const auto seed = (static_cast<uint64_t>(connection) << 32) + static_cast<uint64_t>(turn);
             return &route.questions[Mix(seed) % route.questions.size()];
           });
    }
    return absl::OkStatus();
  }

  // Merges and splits in turns, an even turn merges.
  void EditObjects(const ServedProcess& server, const LoadProject& project) {
    std::vector<std::array<Question, 2>> edits;
    for (const ingest::ContactSeeds& pair : project.apart) {
      const ordered_json source = Nm(pair.source), sink = Nm(pair.sink);
      edits.push_back(
          {Question{"merge", PostRequest(absl::StrCat(kTable, "merge"), ordered_json({source, sink}).dump()), {}},
           Question{"split", Split(source, sink), {}}});
    }
    std::vector<int64_t> turns(edits.size());  // a pair that a step left merged is split at the next
    for (const int wanted : arguments_.connections) {
      const int connections = std::min(wanted, static_cast<int>(edits.size()));
      if (connections > 0 && (Wants("merge") || Wants("split"))) {
        Step(server, "", connections, arguments_.seconds, [&](int connection, int64_t) {
          const auto pair = static_cast<size_t>(connection);
          return &edits[pair][static_cast<size_t>(turns[pair]++ % 2)];
        });
      }
    }
  }

  void CutVoxels(const ServedProcess& server, const LoadProject& project) {
    Questions cuts;
    for (const ingest::ContactSeeds& pair : project.fused) {
      cuts.push_back({"split with a cut in voxels", Split(Nm(pair.source), Nm(pair.sink)), std::nullopt});
    }
    size_t begin = 0;
    for (const int wanted : arguments_.connections) {
      const size_t count = std::min(static_cast<size_t>(std::max(wanted, kCutsMin)), cuts.size() - begin);
      const int connections = std::min(wanted, static_cast<int>(count));
      if (count > 0 && Wants("cut in voxels")) {
        Step(server, "", connections, kForever, [&](int connection, int64_t turn) -> const Question* {
          const size_t cut = static_cast<size_t>(connection) + static_cast<size_t>(turn * connections);
          return cut < count ? &cuts[begin + cut] : nullptr;
        });
      }
      begin += count;
    }
  }

 private:
  static std::string Split(const ordered_json& source, const ordered_json& sink) {
    const ordered_json body = {{"sources", ordered_json::array({source})}, {"sinks", ordered_json::array({sink})}};
    return PostRequest(absl::StrCat(kTable, "split"), body.dump());
  }

  void Step(const ServedProcess& server, const std::string& name, int connections, double seconds,
            const NextQuestion& next) {
    server.ResetPeakMemory();
    const double before = server.ProcessorSeconds();
    Load load(server.port());
    const LoadResult result = load.Run(connections, seconds, next);
    const double server_seconds = server.ProcessorSeconds() - before;
    for (const auto& [kind, latencies] : result.by_kind) {
      report_.Add(name.empty() ? kind : name, connections, result, latencies, server, server_seconds);
    }
  }

  const Arguments& arguments_;
  Report& report_;
};

// With answers written at once and connections kept alive, which is http.server at its best.
constexpr char kFileServer[] = R"(
import http.server, json, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    def __init__(self, *arguments):
        super().__init__(*arguments, directory=sys.argv[1])
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"port": server.server_address[1]}), flush=True)
server.serve_forever()
)";

absl::Status LookAtFile(Bench& bench, const std::string& folder, size_t bytes) {
  fs::create_directory(folder);
  std::ofstream(folder + "/file", std::ios::binary) << std::string(bytes, 'x');
  CLEAVE_ASSIGN_OR_RETURN(const ServedProcess files, ServedProcess::Start({"python3", "-c", kFileServer, folder}));
  NamedQuestions route{"static file, Python's http.server", {{"file", GetRequest("/file"), std::nullopt}}};
  return bench.Look(files, route);
}

std::string ProcessorModel() {
  std::ifstream stream("/proc/cpuinfo");
  for (std::string line; std::getline(stream, line);) {
    if (absl::StartsWith(line, "model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown";
}

ordered_json HeadOf(const LoadProject& project, const Arguments& arguments) {
  double load[1] = {0};
  getloadavg(load, 1);
  return {{"processor", ProcessorModel()},
          {"cores", std::thread::hardware_concurrency()},
          {"load_before", load[0]},
          {"volume", absl::StrCat(project.source, ", ", project.extent.x, " voxels along each axis")},
          {"supervoxels", project.supervoxels.size()},
          {"seconds_a_row", arguments.seconds},
          {"peer", "none: the field's own server needs Google Bigtable"}};
}

absl::Status Run(const Arguments& arguments, Report& report) {
  const store::TemporaryFolder folder;
  int64_t cuts = 0;
  for (const int connections : arguments.connections) {
    cuts += std::max(connections, kCutsMin);
  }
  const LoadProjectOptions options{.folder = folder.path() + "/project",
                                   .data = arguments.data,
                                   .size = arguments.size,
                                   .fused = cuts,
                                   .apart = std::ranges::max(arguments.connections)};
  CLEAVE_ASSIGN_OR_RETURN(const LoadProject project, MakeLoadProject(options));
  std::vector<std::string> words = {arguments.program, "serve", options.folder, "--port", "0", "--json", "--quiet"};
  words.insert(words.end(), arguments.server_options.begin(), arguments.server_options.end());
  CLEAVE_ASSIGN_OR_RETURN(const ServedProcess server, ServedProcess::Start(std::move(words)));
  report.Head(HeadOf(project, arguments));
  Bench bench(arguments, report);
  std::vector<NamedQuestions> routes;
  AddRootQuestions(project, routes);
  AddLeafQuestions(project, routes);
  AddPointQuestions(project, routes);
  LoadConnection line(server.port());
  CLEAVE_RETURN_IF_ERROR(AddVoxelQuestions(line, routes));
  for (NamedQuestions& route : routes) {
    CLEAVE_RETURN_IF_ERROR(bench.Look(server, route));
  }
  const double chunk_bytes = BytesOf(routes.back().questions);  // 0 where voxels were not asked for
  CLEAVE_RETURN_IF_ERROR(LookAtFile(bench, folder.path() + "/files", static_cast<size_t>(std::max(chunk_bytes, 1e3))));
  bench.EditObjects(server, project);
  bench.CutVoxels(server, project);
  report.Finish(server);
  return report.errors() == 0 ? absl::OkStatus()
                              : absl::InternalError(absl::StrCat(report.errors(), " answers were errors"));
}

bool ParseConnections(absl::string_view text, std::vector<int>& connections) {
  connections.clear();
  for (const absl::string_view one : absl::StrSplit(text, ',')) {
    int count = 0;
    if (!absl::SimpleAtoi(one, &count) || count < 1 || count > 1'000) {
      return false;
    }
    connections.push_back(count);
  }
  return true;
}

bool Parse(const std::vector<std::string>& words, Arguments& arguments) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--json") {
      arguments.json = true;
      continue;
    }
    if (i + 1 == words.size()) {
      return false;
    }
    const std::string& name = words[i];
    const std::string& value = words[++i];
    const bool valid = name == "--connections" ? ParseConnections(value, arguments.connections)
                       : name == "--seconds"   ? absl::SimpleAtod(value, &arguments.seconds) && arguments.seconds > 0
                       : name == "--size"
                           ? absl::SimpleAtoi(value, &arguments.size) && arguments.size >= 128 && arguments.size <= 512
                           : true;
    if (name == "--data") {
      arguments.data = value;
    } else if (name == "--only") {
      arguments.only = value;
    } else if (name == "--program") {
      arguments.program = value;
    } else if (name == "--server-option") {
      arguments.server_options.push_back(value);
    } else if (!valid || (name != "--connections" && name != "--seconds" && name != "--size")) {
      return false;
    }
  }
  return true;
}

constexpr char kUsage[] =
    R"(usage: server_load_benchmark [OPTION]...

  --data FOLDER          where the real volumes are (default: $CLEAVE_DATA, else ../shared/data)
  --size N               edge of the cube that is served, 128 to 512 voxels (default 512)
  --connections N,N,...  connections at once, one row each (default 1,4,16,64)
  --seconds N            how long each row is measured (default 3)
  --only TEXT            only the routes whose name has this
  --program FILE         the server (default: cleave beside this program)
  --server-option WORD   one more word for `cleave serve`; may be repeated
  --json                 JSON instead of a table

example: server_load_benchmark --size 256 --connections 16 --seconds 10 --only roots
)";

int Main(const std::vector<std::string>& words) {
  Arguments arguments;
  const char* data = std::getenv("CLEAVE_DATA");
  arguments.data = data != nullptr ? data : "../shared/data";
  arguments.program = (fs::read_symlink("/proc/self/exe").parent_path() / "cleave").string();
  if (words == std::vector<std::string>{"--help"}) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (!Parse(words, arguments)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  Report report(arguments.json);
  const absl::Status status = Run(arguments, report);
  if (!status.ok()) {
    std::cerr << "server_load_benchmark: " << status.message() << '\n';
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Main({argv + 1, argv + argc}); }
