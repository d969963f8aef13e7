// Goal: no list of tokens makes its reader crash or show a token in an error, and what is read gives each token what
// its line says.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "server/access.h"

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
  const absl::StatusOr<Access> access = Access::Parse(text);
  if (!access.ok()) {
    Require(absl::IsInvalidArgument(access.status()) && access.status().message().size() < 200);
    return 0;
  }
  Require(access->kind() == "tokens");
  for (const absl::string_view whole : absl::StrSplit(text, '\n')) {
    const absl::string_view line = absl::StripAsciiWhitespace(whole);
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 2));
    if (line.empty() || absl::StartsWith(line, "#") || absl::StripAsciiWhitespace(words[0]) != words[0]) {
      continue;
    }
    Request request;
    request.query["middle_auth_token"] = words[0];
    for (const Right right : {Right::kView, Right::kEdit, Right::kAdmin}) {
      const Decision decision = access->Authorize(request, right, "graph");
      Require(decision.user == absl::StripAsciiWhitespace(words[2]));
      Require(words[1] != Name(right) || decision.status.ok());
      Require(decision.status.ok() || absl::IsPermissionDenied(decision.status));
    }
  }
  return 0;
}
