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

std::string UserOf(const Access& access, const Request& request, Right needed) {
  const Decision decision = access.Authorize(request, needed, "graph");
  return decision.status.ok() ? decision.user : decision.status.ToString();
}

absl::Status StatusOf(const Access& access, const Request& request, Right needed) {
  return access.Authorize(request, needed, "graph").status;
}

TEST(Access, WithoutAListEverybodyMayDoEverything) {
  EXPECT_EQ(Access().kind(), "open");
  EXPECT_EQ(UserOf(Access(), Request{}, Right::kAdmin), "anonymous");
}

TEST(Access, TokensAreFoundWhereverClientsPutThem) {
  const Access access = TwoUsers();
  const std::string bearer = absl::StrCat("Bearer ", kBob);
  EXPECT_EQ(UserOf(access, With("authorization", bearer), Right::kEdit), "bob");
  EXPECT_EQ(UserOf(access, With("authorization", absl::StrCat("bearer  ", kAnn)), Right::kView), "Ann A.");
  EXPECT_EQ(UserOf(access, With("cookie", absl::StrCat("a=b; middle_auth_token=\"", kBob, "\"")), Right::kView), "bob");
  Request query;
  query.query["middle_auth_token"] = kAnn;
  EXPECT_EQ(UserOf(access, query, Right::kView), "Ann A.");
}

TEST(Access, RightsHoldThoseBelow) {
  const Access access = TwoUsers();
  const Request ann = With("authorization", absl::StrCat("Bearer ", kAnn));
  const Request bob = With("authorization", absl::StrCat("Bearer ", kBob));
  EXPECT_TRUE(absl::IsPermissionDenied(StatusOf(access, ann, Right::kEdit)));
  EXPECT_TRUE(absl::IsPermissionDenied(StatusOf(access, bob, Right::kAdmin)));
  EXPECT_TRUE(StatusOf(access, bob, Right::kView).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(StatusOf(access, Request{}, Right::kView)));
  EXPECT_TRUE(absl::IsUnauthenticated(StatusOf(access, With("authorization", "Bearer x"), Right::kView)));
  EXPECT_TRUE(StatusOf(access, Request{}, Right::kNone).ok());
  EXPECT_EQ(access.kind(), "tokens");
  EXPECT_EQ(access.Authorize(Request{}, Right::kView, "graph").challenge, "Bearer realm=\"cleave\"");
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
