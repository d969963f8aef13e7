// Goal: no bytes on a connection make a request that crashes its reader, writes into a log or a header what it must
// not, or leads to a route that its path does not name. Method: the bytes go through the parser of HTTP as a
// connection's do, then through the router with all routes; the path is put together again from the route that was
// found.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include <boost/asio/buffer.hpp>

#include "server/http_connection.h"
#include "server/service.h"

namespace {

using namespace cleave::server;
namespace http = boost::beast::http;

void Require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

const std::vector<std::string>& Names() {
  static const std::vector<std::string> names = {"graph", "v2.0"};
  return names;
}

// The path of a match.
std::string PathOf(const Match& match) {
  std::vector<std::string> components = absl::StrSplit(match.route->pattern, '/');
  size_t used = 0;
  for (std::string& component : components) {
    if (component == "{graph}") {
      component = Names().at(match.dataset.value());
    } else if (component == "{}" || component == "**") {
      component = match.parts.at(used++);
    }
  }
  Require(used == match.parts.size());
  return absl::StrJoin(components, "/");
}

void CheckRoute(const Request& request) {
  static const Router router(Names(), AllRoutes(false));
  const absl::StatusOr<Match> match = router.Find(request);
  if (!match.ok()) {
    Require(absl::IsNotFound(match.status()) || absl::IsInvalidArgument(match.status()));
    return;
  }
  const std::string path = PathOf(*match);
  Require(path == request.path || path == request.path + "/");  // ** may be nothing at all
  Require(match->route->method == (request.method == "HEAD" ? "GET" : request.method));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  http::request_parser<http::string_body> parser;
  parser.eager(true);
  parser.header_limit(64 << 10);
  parser.body_limit(1 << 20);
  size_t begin = 0;
  while (begin < size && !parser.is_done()) {
    boost::system::error_code error;
    const size_t taken = parser.put(boost::asio::buffer(data + begin, size - begin), error);
    if (error || taken == 0) {
      return 0;
    }
    begin += taken;
  }
  if (!parser.is_done()) {
    return 0;
  }
  const Request request = RequestOf(parser.release());
  Require(!request.id.empty() && request.id.size() <= 64);
  for (const char c : request.id) {
    Require(absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_');
  }
  for (const auto& [name, value] : request.headers) {
    Require(name == absl::AsciiStrToLower(name) && value.find('\n') == std::string::npos);
  }
  CheckRoute(request);
  return 0;
}
