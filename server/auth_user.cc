#include "server/auth_user.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "base/status.h"
#include "server/shallow_json.h"

namespace cleave::server {
namespace {

using Member = nlohmann::json;

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("its answer is not as it should be: ", what));
}

// The member, null when there is none.
const Member& MemberOf(const Member& object, const char* name) {
  static const Member none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

absl::StatusOr<std::string> TextMember(const Member& object, const char* name) {
  const Member& text = MemberOf(object, name);
  if (text.is_null()) {
    return std::string();
  }
  if (!text.is_string() || text.get_ref<const std::string&>().size() > kUserNameBytesMax) {
    return Malformed(absl::StrCat(name, " is not a short text"));
  }
  // A name stands in logs and on terminals.
  std::string plain = text.get<std::string>();
  std::ranges::replace_if(
      plain, [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }, ' ');
  return plain;
}

absl::StatusOr<std::string> UserNameOf(const Member& body) {
  CLEAVE_ASSIGN_OR_RETURN(std::string email, TextMember(body, "email"));
  CLEAVE_ASSIGN_OR_RETURN(std::string name, TextMember(body, "name"));
  const Member& id = MemberOf(body, "id");
  if (!id.is_null() && !id.is_number_integer()) {
    return Malformed("id is not a number");
  }
  if (email.empty() && name.empty() && id.is_null()) {
    return Malformed("it names no user");
  }
  return !email.empty() ? email : !name.empty() ? name : absl::StrCat("user ", id.dump());
}

absl::StatusOr<Right> RightOfNames(const Member& names) {
  if (!names.is_array()) {
    return Malformed("permissions_v2 are not lists");
  }
  Right right = Right::kNone;
  for (const Member& name : names) {
    for (const Right known : {Right::kView, Right::kEdit, Right::kAdmin}) {
      right = name == std::string(Name(known)) ? std::max(right, known) : right;
    }
  }
  return right;
}

absl::StatusOr<Right> RightOfLevel(const Member& level) {
  if (!level.is_number_integer()) {
    return Malformed("permissions are not numbers");
  }
  const auto number = level.get<int64_t>();
  return number >= 2 ? Right::kEdit : number == 1 ? Right::kView : Right::kNone;
}

absl::StatusOr<std::map<std::string, Right>> RightsOf(const Member& body) {
  const bool by_name = !MemberOf(body, "permissions_v2").is_null();
  const Member& permissions = MemberOf(body, by_name ? "permissions_v2" : "permissions");
  if (!permissions.is_null() && !permissions.is_object()) {
    return Malformed("permissions are not an object");
  }
  std::map<std::string, Right> rights;
  for (const auto& [dataset, given] : permissions.items()) {
    CLEAVE_ASSIGN_OR_RETURN(rights[dataset], by_name ? RightOfNames(given) : RightOfLevel(given));
  }
  return rights;
}

absl::StatusOr<std::vector<MissingTerms>> MissingTermsOf(const Member& body, absl::string_view auth_url) {
  const Member& list = MemberOf(body, "missing_tos");
  if (!list.is_null() && !list.is_array()) {
    return Malformed("missing_tos is not a list");
  }
  std::vector<MissingTerms> all;
  for (const Member& entry : list) {
    if (!entry.is_object() || !MemberOf(entry, "tos_id").is_number_integer()) {
      return Malformed("missing_tos does not number the terms");
    }
    MissingTerms terms;
    terms.id = entry["tos_id"].get<int64_t>();
    CLEAVE_ASSIGN_OR_RETURN(terms.dataset, TextMember(entry, "dataset_name"));
    CLEAVE_ASSIGN_OR_RETURN(terms.name, TextMember(entry, "tos_name"));
    terms.form_url = absl::StrCat(auth_url, "/api/v1/tos/", terms.id, "/accept");
    all.push_back(std::move(terms));
  }
  return all;
}

}  // namespace

absl::StatusOr<AuthUser> ParseAuthUser(absl::string_view text, absl::string_view auth_url) {
  const absl::StatusOr<Member> body = ParseShallowJson(text, "the text");
  if (!body.ok() || !body->is_object()) {
    return Malformed(body.ok() ? "it is not an object" : body.status().message());
  }
  AuthUser user;
  CLEAVE_ASSIGN_OR_RETURN(user.name, UserNameOf(*body));
  const Member& admin = MemberOf(*body, "admin");
  if (!admin.is_null() && !admin.is_boolean()) {
    return Malformed("admin is neither true nor false");
  }
  user.is_admin = admin == true;
  CLEAVE_ASSIGN_OR_RETURN(user.right, RightsOf(*body));
  CLEAVE_ASSIGN_OR_RETURN(user.missing_terms, MissingTermsOf(*body, auth_url));
  return user;
}

Right RightOf(const AuthUser& user, const std::string& dataset) {
  if (user.is_admin) {
    return Right::kAdmin;
  }
  const auto found = user.right.find(dataset);
  return found == user.right.end() ? Right::kNone : found->second;
}

}  // namespace cleave::server
