// What an auth server of the field's kind (middle_auth) says of a token: the answer to GET {AUTH}/api/v1/user/cache.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/decision.h"

namespace cleave::server {

inline constexpr size_t kUserNameBytesMax = 320;  // the longest address of mail

struct AuthUser {
  std::string name;                    // the address of mail, else the name, else "user ID"
  bool is_admin = false;               // of everything
  std::map<std::string, Right> right;  // by dataset; none where there is no entry
  std::vector<MissingTerms> missing_terms;
};

// Reads {"id", "name", "email", "admin", "permissions_v2": {DATASET: ["view", "edit", ...]}, "missing_tos":
// [{"dataset_name", "tos_id", "tos_name"}]}. Servers that know no "permissions_v2" say "permissions": {DATASET: level},
// with 1 for view and 2 for edit. What is missing or null says nothing; rights of other names are passed over.
// INVALID_ARGUMENT, which never shows the text, when it is anything else: not JSON, a wrong type, no user, a name
// longer than kUserNameBytesMax. Forms of terms lie at {auth_url}/api/v1/tos/ID/accept.
[[nodiscard]] absl::StatusOr<AuthUser> ParseAuthUser(absl::string_view text, absl::string_view auth_url);

// What the user may do with a dataset.
[[nodiscard]] Right RightOf(const AuthUser& user, const std::string& dataset);

}  // namespace cleave::server
