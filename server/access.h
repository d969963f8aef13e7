// Who may ask for what.
//
// Without a list of tokens everybody may do everything, as "anonymous". A list is a file of lines
//
//   TOKEN RIGHT USER
//
// RIGHT is view, edit or admin, each with all that the ones before it may do; USER is the name that goes into the
// operation log, and may hold spaces. Empty lines and lines that begin with '#' are skipped.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/http_message.h"

namespace cleave::server {

enum class Right { kNone, kView, kEdit, kAdmin };
[[nodiscard]] absl::string_view Name(Right right);

inline constexpr size_t kTokenBytesMin = 16;

// Immutable; safe from several threads.
class Access {
 public:
  // Open to everybody.
  Access() = default;
  // INVALID_ARGUMENT names the line that is wrong: a token shorter than kTokenBytesMin or given twice, an unknown
  // right, no user, or no token at all.
  [[nodiscard]] static absl::StatusOr<Access> Parse(absl::string_view text);
  // The same from a file. NOT_FOUND when it cannot be read.
  [[nodiscard]] static absl::StatusOr<Access> ReadFile(const std::string& path);

  [[nodiscard]] bool is_open() const { return tokens_.empty(); }

  // The user's name. The token is looked for in "Authorization: Bearer TOKEN", ?middle_auth_token= and the cookie
  // middle_auth_token, in this order. UNAUTHENTICATED without a token that is known, PERMISSION_DENIED when it has not
  // this right.
  [[nodiscard]] absl::StatusOr<std::string> Authorize(const Request& request, Right needed) const;

 private:
  struct Token {
    std::string text;
    Right right = Right::kView;
    std::string user;
  };
  std::vector<Token> tokens_;
};

}  // namespace cleave::server
