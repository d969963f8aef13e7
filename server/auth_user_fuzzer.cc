// Goal: no answer of an auth server makes its reader crash, gives more than a name and rights of bounded size, or is
// shown in an error. The first line is the server's URL, as --auth has it; the rest is the answer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"

#include "server/auth_user.h"
#include "server/http_client.h"

namespace {

void Require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cleave::server;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(text.find('\n'), text.size());
  const absl::StatusOr<HttpUrl> url = ParseHttpUrl(text.substr(0, end));
  std::string written = "https://a.org";
  if (url.ok()) {
    written = FormatHttpUrl(*url);
    const absl::StatusOr<HttpUrl> again = ParseHttpUrl(written);
    Require(again.ok() && again->host == url->host && again->port == url->port && again->path == url->path);
    Require(std::ranges::none_of(written, [](char c) { return c <= ' ' || c == '"'; }));
  }
  const absl::StatusOr<AuthUser> user = ParseAuthUser(text.substr(std::min(end + 1, text.size())), written);
  if (!user.ok()) {
    Require(absl::IsInvalidArgument(user.status()) && user.status().message().size() < 200);
    return 0;
  }
  Require(!user->name.empty() && user->name.size() <= kUserNameBytesMax);
  for (const auto& [dataset, right] : user->right) {
    Require(RightOf(*user, dataset) >= right);
  }
  for (const MissingTerms& terms : user->missing_terms) {
    Require(absl::StartsWith(terms.form_url, written + "/api/v1/tos/"));
    const Decision decision{absl::PermissionDeniedError("no"), user->name, "", terms};
    Require(RefusalResponse(decision, Right::kView, 0).code == 403);
  }
  return 0;
}
