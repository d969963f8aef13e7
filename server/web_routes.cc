// The pages: Neuroglancer at "/", the operator's page at "/operator". They are files of a folder that was made when the
// program was built (server/web/); they use nothing but this server, and need no token themselves.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "server/file_answer.h"
#include "server/http_coding.h"
#include "server/service.h"

namespace cleave::server {
namespace {

namespace fs = std::filesystem;

constexpr char kNotBuilt[] =
    "The web page was not built. It is made by npm when the program is built: install npm, build again, and start the\n"
    "server again; or name the folder of the page with --web-folder. Everything else is served as ever:\n"
    "/segmentation/table/";

std::string ContentType(const std::string& name) {
  static const std::map<std::string, std::string> types = {{".html", "text/html; charset=utf-8"},
                                                           {".js", "text/javascript; charset=utf-8"},
                                                           {".css", "text/css; charset=utf-8"},
                                                           {".wasm", "application/wasm"},
                                                           {".svg", "image/svg+xml"},
                                                           {".json", "application/json"},
                                                           {".txt", "text/plain; charset=utf-8"}};
  const auto type = types.find(fs::path(name).extension().string());
  return type == types.end() ? "application/octet-stream" : type->second;
}

// Names of a folder's own files: nothing that leads out of it.
bool IsPlainName(const std::string& name) {
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (part.empty() || part[0] == '.' || absl::StrContains(part, '\0')) {
      return false;
    }
  }
  return true;
}

// Beside a file may stand FILE.gz, the same compressed.
absl::StatusOr<Response> WebFile(const Service& service, const Request& request, const std::string& name) {
  const fs::path plain = fs::path(service.web_folder) / name;
  std::error_code error;
  if (!IsPlainName(name) || service.web_folder.empty() || !fs::is_regular_file(plain, error)) {
    return absl::NotFoundError(absl::StrCat("there is no file ", name, " of the web page"));
  }
  fs::path zipped = plain;
  zipped += ".gz";
  const bool is_zipped = AcceptsGzip(HeaderOf(request, "accept-encoding")) && fs::is_regular_file(zipped, error);
  const fs::path& path = is_zipped ? zipped : plain;
  const std::string tag = absl::StrCat(is_zipped ? "gz-" : "", fs::file_size(path, error), "-",
                                       fs::last_write_time(path, error).time_since_epoch().count());
  if (IsKnown(request, tag)) {
    return NotModified(tag);
  }
  std::ifstream file(path, std::ios::binary);
  Response response;
  response.body = std::string(std::istreambuf_iterator<char>(file), {});
  if (!file) {
    return absl::InternalError(absl::StrCat("cannot read ", path.string()));
  }
  response.content_type = ContentType(name);
  response.cache_control = kNoCache;
  response.headers = {{"ETag", absl::StrCat("\"", tag, "\"")}, {"Vary", "Accept-Encoding"}};
  if (is_zipped) {
    response.headers.emplace_back("Content-Encoding", "gzip");
  }
  response.may_compress = false;  // what is worth it is compressed already
  return response;
}

absl::StatusOr<Response> Page(Service& service, const Call& call, const std::string& name) {
  absl::StatusOr<Response> page = WebFile(service, call.request, name);
  if (!absl::IsNotFound(page.status())) {
    return page;
  }
  Response response = TextResponse(absl::StrCat(kNotBuilt, service.name, "/info\n"));
  response.code = 404;
  return response;
}

absl::StatusOr<Response> AnswerIndex(Service& service, const Call& call) { return Page(service, call, "index.html"); }
absl::StatusOr<Response> AnswerOperator(Service& service, const Call& call) {
  return Page(service, call, "operator.html");
}
absl::StatusOr<Response> AnswerWebFile(Service& service, const Call& call) {
  return WebFile(service, call.request, call.parts[0]);
}

}  // namespace

std::vector<Route> WebRoutes() {
  return {{"GET", "/", Right::kNone, AnswerIndex},
          {"GET", "/operator", Right::kNone, AnswerOperator},
          {"GET", "/web/**", Right::kNone, AnswerWebFile}};
}

}  // namespace cleave::server
