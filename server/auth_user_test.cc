// Goal: what an auth server says of a user is read as the field's servers mean it, old ones too, and anything else is
// an error that shows nothing of the text. Method: each member in each form, and each mistake once.
#include "server/auth_user.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cleave::server {
namespace {

constexpr char kAuth[] = "https://a.org/auth";

TEST(AuthUser, PermissionsByName) {
  const AuthUser user = ParseAuthUser(R"({"id": 7, "name": "Ann", "email": "ann@a.org", "admin": false,
      "permissions_v2": {"one": ["view"], "two": ["view", "edit"], "three": ["admin", "x"], "four": ["groups"], "five": []},
      "permissions": {"six": 2}, "groups": ["g"]})",
                                      kAuth)
                            .value();
  EXPECT_EQ(user.name, "ann@a.org");
  EXPECT_EQ(RightOf(user, "one"), Right::kView);
  EXPECT_EQ(RightOf(user, "two"), Right::kEdit);
  EXPECT_EQ(RightOf(user, "three"), Right::kAdmin);
  for (const char* none : {"four", "five", "six", "seven", ""}) {
    EXPECT_EQ(RightOf(user, none), Right::kNone) << none;
  }
}

TEST(AuthUser, PermissionsByLevel) {
  const AuthUser user =
      ParseAuthUser(R"({"id": 7, "name": "Ann", "permissions": {"a": 0, "b": 1, "c": 2, "d": -3, "e": 9}})", kAuth)
          .value();
  EXPECT_EQ(user.name, "Ann");
  EXPECT_EQ(RightOf(user, "a"), Right::kNone);
  EXPECT_EQ(RightOf(user, "b"), Right::kView);
  EXPECT_EQ(RightOf(user, "c"), Right::kEdit);
  EXPECT_EQ(RightOf(user, "d"), Right::kNone);
  EXPECT_EQ(RightOf(user, "e"), Right::kEdit);
}

TEST(AuthUser, AdminsMayDoAll) {
  EXPECT_EQ(RightOf(ParseAuthUser(R"({"id": 1, "admin": true})", kAuth).value(), "any"), Right::kAdmin);
}

TEST(AuthUser, WhatIsMissingOrNullSaysNothing) {
  const AuthUser user = ParseAuthUser(R"({"id": 12, "name": null, "email": "", "admin": null, "permissions_v2": null,
      "missing_tos": null})",
                                      kAuth)
                            .value();
  EXPECT_EQ(user.name, "user 12");
  EXPECT_FALSE(user.is_admin);
  EXPECT_TRUE(user.missing_terms.empty());
}

TEST(AuthUser, MissingTermsLeadToTheirForm) {
  const AuthUser user = ParseAuthUser(R"({"id": 1, "missing_tos": [{"dataset_id": 3, "dataset_name": "one", "tos_id": 5,
      "tos_name": "Be nice"}]})",
                                      kAuth)
                            .value();
  ASSERT_EQ(user.missing_terms.size(), 1U);
  EXPECT_EQ(user.missing_terms[0].dataset, "one");
  EXPECT_EQ(user.missing_terms[0].name, "Be nice");
  EXPECT_EQ(user.missing_terms[0].form_url, "https://a.org/auth/api/v1/tos/5/accept");
}

TEST(AuthUser, ANameCannotSteerATerminal) {
  EXPECT_EQ(ParseAuthUser("{\"name\": \"A\\u001b[2J\\nB\"}", kAuth)->name, "A [2J B");
}

TEST(AuthUser, AnythingElseIsAnErrorThatShowsNothing) {
  const std::string secret = "5ecret";
  for (const std::string& text :
       {secret, std::string(), std::string("[1]"), std::string("7"), std::string("{}"),
        std::string("{\"id\": \"5ecret\"}"), std::string("{\"id\": 1.5}"), std::string("{\"name\": [\"5ecret\"]}"),
        std::string("{\"id\": 1, \"admin\": \"true\"}"), std::string("{\"id\": 1, \"admin\": 1}"),
        std::string("{\"id\": 1, \"permissions_v2\": [\"5ecret\"]}"),
        std::string("{\"id\": 1, \"permissions_v2\": {\"d\": \"edit\"}}"),
        std::string("{\"id\": 1, \"permissions\": {\"d\": \"2\"}}"), std::string("{\"id\": 1, \"missing_tos\": {}}"),
        std::string("{\"id\": 1, \"missing_tos\": [5]}"),
        std::string("{\"id\": 1, \"missing_tos\": [{\"tos_id\": \"../5\"}]}"),
        absl::StrCat("{\"email\": \"", std::string(400, 'x'), "\"}"), std::string("{\"id\": 1, \"name\": \"\xff\"}"),
        absl::StrCat("{\"id\": 1, \"x\": ", std::string(100'000, '['), std::string(100'000, ']'), "}")}) {
    const absl::Status status = ParseAuthUser(text, kAuth).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text.substr(0, 100);
    EXPECT_THAT(std::string(status.message()), testing::Not(testing::HasSubstr(secret)));
    EXPECT_LT(status.message().size(), 200U);
  }
}

}  // namespace
}  // namespace cleave::server
