// Goal: a list of tokens decides who may do what, wherever the token stands; a list with a mistake is refused and the
// message never shows a token. Method: every kind of mistake and place once.
#include "server/access.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cleave::server {
namespace {

constexpr char kAnn[] = "0123456789abcdef-ann";
constexpr char kBob[] = "0123456789abcdef-bob";

Access TwoUsers() {
  return Access::Parse(absl::StrCat("# who\n\n", kAnn, " view Ann A.\n  ", kBob, " edit bob  \n")).value();
}

Request With(const std::string& header, const std::string& value) {
  Request request;
  request.headers[header] = value;
  return request;
}

TEST(Access, WithoutAListEverybodyMayDoEverything) {
  EXPECT_TRUE(Access().is_open());
  EXPECT_EQ(Access().Authorize(Request{}, Right::kAdmin).value(), "anonymous");
}

TEST(Access, TokensAreFoundWhereverClientsPutThem) {
  const Access access = TwoUsers();
  const std::string bearer = absl::StrCat("Bearer ", kBob);
  EXPECT_EQ(access.Authorize(With("authorization", bearer), Right::kEdit).value(), "bob");
  EXPECT_EQ(access.Authorize(With("authorization", absl::StrCat("bearer  ", kAnn)), Right::kView).value(), "Ann A.");
  EXPECT_EQ(
      access.Authorize(With("cookie", absl::StrCat("a=b; middle_auth_token=\"", kBob, "\"")), Right::kView).value(),
      "bob");
  Request query;
  query.query["middle_auth_token"] = kAnn;
  EXPECT_EQ(access.Authorize(query, Right::kView).value(), "Ann A.");
}

TEST(Access, RightsHoldThoseBelow) {
  const Access access = TwoUsers();
  const Request ann = With("authorization", absl::StrCat("Bearer ", kAnn));
  const Request bob = With("authorization", absl::StrCat("Bearer ", kBob));
  EXPECT_TRUE(absl::IsPermissionDenied(access.Authorize(ann, Right::kEdit).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(access.Authorize(bob, Right::kAdmin).status()));
  EXPECT_TRUE(access.Authorize(bob, Right::kView).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(access.Authorize(Request{}, Right::kView).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(access.Authorize(With("authorization", "Bearer x"), Right::kView).status()));
  EXPECT_TRUE(access.Authorize(Request{}, Right::kNone).ok());
}

TEST(Access, AMistakeInTheListIsNamed) {
  const std::map<std::string, std::string> mistakes = {
      {"", "no token"},
      {"# nothing", "no token"},
      {"short view ann", "at least"},
      {absl::StrCat(kAnn, " owner ann"), "TOKEN RIGHT USER"},
      {absl::StrCat(kAnn, " view"), "TOKEN RIGHT USER"},
      {absl::StrCat(kAnn, " view a\n", kAnn, " edit b"), "line 2: the token was given before"},
  };
  for (const auto& [text, says] : mistakes) {
    const absl::Status status = Access::Parse(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(says));
    EXPECT_FALSE(absl::StrContains(status.message(), kAnn));
  }
  EXPECT_TRUE(absl::IsNotFound(Access::ReadFile("/no/such/file").status()));
}

}  // namespace
}  // namespace cleave::server
