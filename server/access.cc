#include "server/access.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"

namespace cleave::server {
namespace {

constexpr char kTokenName[] = "middle_auth_token";
constexpr char kAnonymous[] = "anonymous";

std::optional<Right> ParseRight(absl::string_view text) {
  for (const Right right : {Right::kView, Right::kEdit, Right::kAdmin}) {
    if (text == Name(right)) {
      return right;
    }
  }
  return std::nullopt;
}

absl::string_view CookieOf(const Request& request) {
  for (const absl::string_view part : absl::StrSplit(HeaderOf(request, "cookie"), ';')) {
    absl::string_view value = absl::StripAsciiWhitespace(part);
    if (absl::ConsumePrefix(&value, kTokenName) && absl::ConsumePrefix(&value, "=")) {
      return absl::StripSuffix(absl::StripPrefix(value, "\""), "\"");
    }
  }
  return {};
}

absl::string_view TokenOf(const Request& request) {
  absl::string_view header = HeaderOf(request, "authorization");
  if (absl::StartsWithIgnoreCase(header, "bearer ")) {
    return absl::StripAsciiWhitespace(header.substr(7));
  }
  const std::string* query = QueryOf(request, kTokenName);
  return query != nullptr ? absl::string_view(*query) : CookieOf(request);
}

// Takes as long for a wrong byte at the front as for one at the end.
bool AreEqual(absl::string_view a, absl::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

}  // namespace

absl::StatusOr<Access> Access::Parse(absl::string_view text) {
  Access access;
  int number = 0;
  for (const absl::string_view whole : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(whole);
    if (line.empty() || absl::StartsWith(line, "#")) {
      continue;
    }
    // A message never shows a token.
    const auto wrong = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", what));
    };
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 2));
    const std::optional<Right> right = words.size() == 3 ? ParseRight(words[1]) : std::nullopt;
    if (!right.has_value()) {
      return wrong("expected TOKEN RIGHT USER, with view, edit or admin as RIGHT");
    }
    if (words[0].size() < kTokenBytesMin) {
      return wrong(absl::StrCat("a token has at least ", kTokenBytesMin, " characters"));
    }
    if (std::ranges::any_of(access.tokens_, [&](const Token& token) { return token.text == words[0]; })) {
      return wrong("the token was given before");
    }
    access.tokens_.push_back({words[0], *right, std::string(absl::StripAsciiWhitespace(words[2]))});
  }
  if (access.tokens_.empty()) {
    return absl::InvalidArgumentError("there is no token in it, so nobody could ask for anything");
  }
  return access;
}

absl::StatusOr<Access> Access::ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  }
  absl::StatusOr<Access> access = Parse(text.str());
  return access.ok() ? access : Annotate(access.status(), path);
}

Access Access::From(MiddleAuthOptions options) {
  Access access;
  access.auth_ = std::make_shared<MiddleAuth>(std::move(options));
  return access;
}

absl::string_view Access::kind() const { return auth_ != nullptr ? "auth" : tokens_.empty() ? "open" : "tokens"; }

std::optional<std::string> Access::login_url() const {
  return auth_ != nullptr ? std::optional(auth_->login_url()) : std::nullopt;
}

Decision Access::Authorize(const Request& request, Right needed, const std::string& dataset) const {
  if (needed == Right::kNone || kind() == "open") {
    return {.status = absl::OkStatus(), .user = kAnonymous};
  }
  const absl::string_view given = TokenOf(request);
  return auth_ != nullptr ? auth_->Authorize(given, needed, dataset) : AuthorizeByList(given, needed);
}

Decision Access::AuthorizeByList(absl::string_view given, Right needed) const {
  const Token* found = nullptr;
  for (const Token& token : tokens_) {
    if (AreEqual(token.text, given)) {
      found = &token;
    }
  }
  if (found == nullptr) {
    return {
        .status = absl::UnauthenticatedError(given.empty() ? "this server needs a token: Authorization: Bearer TOKEN"
                                                           : "the token is not known here"),
        .user = "",
        .challenge = "Bearer realm=\"cleave\""};
  }
  if (found->right < needed) {
    return {.status = absl::PermissionDeniedError(absl::StrCat("this needs the right '", Name(needed), "'; ",
                                                               found->user, " has '", Name(found->right), "'")),
            .user = found->user};
  }
  return {.status = absl::OkStatus(), .user = found->user};
}

}  // namespace cleave::server
