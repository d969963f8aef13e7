// Who may ask for what.
//
// Without a list of tokens or an auth server (middle_auth.h) everybody may do everything, as "anonymous". A list holds
// for all datasets; it is a file of lines
//
//   TOKEN RIGHT USER
//
// RIGHT is view, edit or admin, each with all that the ones before it may do; USER is the name that goes into the
// operation log, and may hold spaces. Empty lines and lines that begin with '#' are skipped.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/decision.h"
#include "server/http_message.h"
#include "server/middle_auth.h"

namespace cleave::server {

inline constexpr size_t kTokenBytesMin = 16;

// Safe from several threads; copies share one auth server.
class Access {
 public:
  // Open to everybody.
  Access() = default;
  // INVALID_ARGUMENT names the line that is wrong: a token shorter than kTokenBytesMin or given twice, an unknown
  // right, no user, or no token at all.
  [[nodiscard]] static absl::StatusOr<Access> Parse(absl::string_view text);
  // The same from a file. NOT_FOUND when it cannot be read.
  [[nodiscard]] static absl::StatusOr<Access> ReadFile(const std::string& path);

  // As an auth server says.
  [[nodiscard]] static Access From(MiddleAuthOptions options);

  // "open", "tokens" or "auth".
  [[nodiscard]] absl::string_view kind() const;
  // Where clients get a token: {url}/api/v1/authorize; nullopt without an auth server.
  [[nodiscard]] std::optional<std::string> login_url() const;

  // Whether who asks may do this with a dataset. The token is looked for in "Authorization: Bearer TOKEN",
  // ?middle_auth_token= and the cookie middle_auth_token, in this order. May wait for the auth server.
  [[nodiscard]] Decision Authorize(const Request& request, Right needed, const std::string& dataset) const;

 private:
  struct Token {
    std::string text;
    Right right = Right::kView;
    std::string user;
  };
  [[nodiscard]] Decision AuthorizeByList(absl::string_view given, Right needed) const;
  std::vector<Token> tokens_;
  std::shared_ptr<MiddleAuth> auth_;
};

}  // namespace cleave::server
