// Goal: an auth server's word decides who may do what with which dataset; it is asked as seldom as it can be, and at
// once where somebody would be refused; while it is away, those it knew go on and no client repeats an edit; nothing
// that it or a stranger says hurts others, and no token is ever shown. Method: an auth server of a few lines on this
// server's own HTTP, that counts what it is asked; a clock that stands still until it is told; the project of
// server_testing.h, once under two names.
#include "server/middle_auth.h"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "server/access.h"
#include "server/http_server.h"
#include "server/request_log.h"
#include "server/server_testing.h"

namespace cleave::server {
namespace {

using nlohmann::json;

class StillClock final : public Clock {
 public:
  absl::Time Now() override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  void Advance(absl::Duration duration) {
    const std::lock_guard lock(mutex_);
    now_ += duration;
  }

 private:
  std::mutex mutex_;
  absl::Time now_ = absl::FromUnixSeconds(1'900'000'000);
};

// Knows tokens; a token that it does not know is answered with 401.
class FakeAuthServer {
 public:
  FakeAuthServer() { Start(0); }

  void Know(const std::string& token, const std::string& answer, int code = 200) {
    const std::lock_guard lock(mutex_);
    answers_[token] = {code, answer};
  }
  void Forget(const std::string& token) {
    const std::lock_guard lock(mutex_);
    answers_.erase(token);
  }
  void Start(uint16_t port) {
    server_ = HttpServer::Start({.port = port, .threads = 4}, [this](const Request& request) {
                return Answer(request);
              }).value();
    port_ = server_->port();
  }
  void Stop() { server_.reset(); }
  void StartAgain() { Start(port_); }
  // Answers wait while it is held.
  void Hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  [[nodiscard]] HttpUrl url() const { return ParseHttpUrl(absl::StrCat("http://127.0.0.1:", port_, "/auth")).value(); }
  [[nodiscard]] int asked() const { return asked_; }

 private:
  Response Answer(const Request& request) {
    ++asked_;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !held_; });
    Response response;
    std::string token(HeaderOf(request, "authorization"));
    token = absl::StartsWith(token, "Bearer ") ? token.substr(7) : "";
    const auto found = answers_.find(token);
    if (request.path != "/auth/api/v1/user/cache" || found == answers_.end()) {
      response.code = request.path == "/auth/api/v1/user/cache" ? 401 : 404;
      return response;
    }
    std::tie(response.code, response.body) = found->second;
    return response;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  std::map<std::string, std::pair<int, std::string>> answers_;
  std::atomic<int> asked_ = 0;
  uint16_t port_ = 0;
  std::unique_ptr<HttpServer> server_;
};

std::string UserJson(const std::string& email, const std::map<std::string, std::vector<std::string>>& permissions) {
  return json{{"id", 5}, {"email", email}, {"admin", false}, {"permissions_v2", permissions}}.dump();
}

class MiddleAuthTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    fake_.Know("ann", UserJson("ann@a.org", {{"graph", {"view"}}, {"other", {"view", "edit"}}}));
    fake_.Know("bob", UserJson("bob@a.org", {{"graph", {"view", "edit"}}}));
    fake_.Know("eve", json{{"id", 1}, {"name", "Eve"}, {"admin", true}, {"permissions", json::object()}}.dump());
    fake_.Know("old", json{{"id", 1}, {"name", "Old"}, {"permissions", {{"graph", 1}}}}.dump());
    Renew({});
  }
  void TearDown() override {
    guarded_.reset();
    ServerTest::TearDown();
  }
  // A server that has not asked yet.
  void Renew(MiddleAuthOptions options) {
    options.url = fake_.url();
    options.clock = &clock_;
    options.on_change = [this](const std::string& what) { told_.push_back(what); };
    options_ = RouteOptions{};
    options_.access = Access::From(std::move(options));
    guarded_ = std::make_unique<Routes>(*dataset_, *editor_, options_);
  }
  Response Ask(const std::string& token, const std::string& path = "/segmentation/table/graph/info",
               const std::string& method = "GET", const std::string& body = "") {
    std::map<std::string, std::string> headers;
    if (!token.empty()) {
      headers["authorization"] = absl::StrCat("Bearer ", token);
    }
    return guarded_->Answer({.method = method, .path = path, .host = "h:1", .body = body, .headers = headers});
  }
  int View(const std::string& token) { return Ask(token).code; }
  // An edit that changes nothing, where it is allowed: 400 says that it was looked at.
  int Edit(const std::string& token) { return Ask(token, absl::StrCat(kTable, "merge"), "POST", "[]").code; }
  int Admin(const std::string& token) { return Ask(token, absl::StrCat(kTable, "rollback_user"), "POST").code; }
  static std::string ChallengeOf(const Response& response) {
    for (const auto& [name, value] : response.headers) {
      if (name == "WWW-Authenticate") {
        return value;
      }
    }
    return "";
  }

  FakeAuthServer fake_;
  StillClock clock_;
  std::vector<std::string> told_;
  RouteOptions options_;
  std::unique_ptr<Routes> guarded_;
};

TEST_F(MiddleAuthTest, PermissionsDecide) {
  EXPECT_EQ(View("ann"), 200);
  EXPECT_EQ(Edit("ann"), 403);
  EXPECT_EQ(Edit("bob"), 400);
  EXPECT_EQ(Admin("bob"), 403);
  EXPECT_EQ(View("eve"), 200);
  EXPECT_EQ(Edit("eve"), 400);
  EXPECT_EQ(Admin("eve"), 400);
  EXPECT_EQ(View("old"), 200);
  EXPECT_EQ(Edit("old"), 403);
  fake_.Know("ada", UserJson("ada@a.org", {{"graph", {"admin"}}}));
  EXPECT_EQ(Admin("ada"), 400);
  const Response refused = Ask("ann", absl::StrCat(kTable, "merge"), "POST", "[]");
  EXPECT_EQ(refused.content_type, "application/json");
  EXPECT_EQ(json::parse(refused.body)["message"],
            "[403]: this needs the right 'edit' for the dataset graph; ann@a.org has 'view'");
}

TEST_F(MiddleAuthTest, TokensStandWhereClientsPutThem) {
  for (const Request& request :
       {Request{.method = "GET", .path = "/segmentation/table/graph/info", .query = {{"middle_auth_token", "ann"}}},
        Request{.method = "GET",
        .path = "/segmentation/table/graph/info",
        .headers = {{"cookie", "a=b; middle_auth_token=ann"}}}}) {
    EXPECT_EQ(guarded_->Answer(request).code, 200);
  }
}

TEST_F(MiddleAuthTest, WithoutATokenOrWithAForeignOneTheWayToOneIsShown) {
  const std::string realm = absl::StrCat("Bearer realm=\"", FormatHttpUrl(fake_.url()), "/api/v1/authorize\"");
  const Response none = Ask("");
  EXPECT_EQ(none.code, 401);
  EXPECT_EQ(ChallengeOf(none), realm);
  EXPECT_EQ(fake_.asked(), 0);
  const Response foreign = Ask("stranger");
  EXPECT_EQ(foreign.code, 401);
  EXPECT_EQ(ChallengeOf(foreign), absl::StrCat(realm, ", error=\"invalid_token\""));
  EXPECT_EQ(json::parse(foreign.body)["code"], 401);
  fake_.Know("barred", "{}", 403);
  EXPECT_EQ(View("barred"), 401);
  EXPECT_EQ(Ask("", "/healthz").code, 200);
}

TEST_F(MiddleAuthTest, WhatCanBeNoTokenIsAskedOfNobody) {
  for (const std::string& odd : {std::string("a\r\nX-Admin: 1"), std::string("a b"), std::string("a\0b", 3),
                                 std::string("\xc3\xa4"), std::string(5000, 'a')}) {
    const Response response = guarded_->Answer(
        {.method = "GET", .path = "/segmentation/table/graph/info", .query = {{"middle_auth_token", odd}}});
    EXPECT_EQ(response.code, 401);
    EXPECT_THAT(ChallengeOf(response), testing::HasSubstr("invalid_token"));
  }
  EXPECT_EQ(fake_.asked(), 0);
}

TEST_F(MiddleAuthTest, NeuroglancerIsToldWhereToLogIn) {
  const Response response = Ask("", "/auth_info");
  EXPECT_EQ(response.code, 200);
  EXPECT_EQ(json::parse(response.body), (json{{"login_url", FormatHttpUrl(fake_.url())}}));
  EXPECT_EQ(Get("/auth_info").code, 404) << "an open server has none";
}

// In a cluster this server asks an address that no client can reach.
TEST_F(MiddleAuthTest, ClientsLogInAtAnAddressOfTheirOwn) {
  const std::string login = "https://login.example.org/auth";
  Renew({.url = {}, .login_url = ParseHttpUrl(login).value()});
  EXPECT_EQ(json::parse(Ask("", "/auth_info").body), (json{{"login_url", login}}));
  for (const char* token : {"", "stranger"}) {
    const Response response = Ask(token);
    EXPECT_EQ(response.code, 401);
    EXPECT_THAT(ChallengeOf(response),
                testing::StartsWith("Bearer realm=\"https://login.example.org/auth/api/v1/authorize\""));
    EXPECT_THAT(response.body, testing::HasSubstr(login + "/api/v1/authorize"));
    EXPECT_THAT(response.body, testing::Not(testing::HasSubstr("127.0.0.1")));
  }
  EXPECT_EQ(fake_.asked(), 1) << "the other address is the one that is asked";
  EXPECT_EQ(Edit("bob"), 400);
  json user = {{"id", 5}, {"email", "t@a.org"}, {"permissions_v2", json::object()}};
  user["missing_tos"] = {{{"dataset_id", 1}, {"dataset_name", "graph"}, {"tos_id", 9}, {"tos_name", "Be nice"}}};
  fake_.Know("tim", user.dump());
  EXPECT_EQ(json::parse(Ask("tim").body)["data"]["tos_form_url"], login + "/api/v1/tos/9/accept");
}

TEST_F(MiddleAuthTest, AnAnswerCountsForFiveMinutes) {
  EXPECT_EQ(View("ann"), 200);
  clock_.Advance(absl::Seconds(299));
  EXPECT_EQ(View("ann"), 200);
  EXPECT_EQ(fake_.asked(), 1);
  fake_.Forget("ann");
  EXPECT_EQ(View("ann"), 200);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(View("ann"), 401) << "the token was taken back";
  EXPECT_EQ(fake_.asked(), 2);
  fake_.Know("ann", UserJson("ann@a.org", {{"graph", {"view"}}}));
  EXPECT_EQ(View("ann"), 401) << "a foreign token counts as such for a moment";
  EXPECT_EQ(fake_.asked(), 2);
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(View("ann"), 200);
}

TEST_F(MiddleAuthTest, BeforeAnybodyIsRefusedTheRightIsAskedForAgain) {
  EXPECT_EQ(View("ann"), 200);
  fake_.Know("ann", UserJson("ann@a.org", {{"graph", {"view", "edit"}}}));
  clock_.Advance(absl::Seconds(6));
  EXPECT_EQ(Edit("ann"), 400) << "the right was given just now";
  EXPECT_EQ(fake_.asked(), 2);
  fake_.Know("ann", UserJson("ann@a.org", {{"graph", {"view"}}}));
  EXPECT_EQ(Edit("ann"), 400) << "what was answered counts";
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Admin("ann"), 403) << "it was asked a moment ago";
  }
  EXPECT_EQ(fake_.asked(), 2);
  clock_.Advance(absl::Seconds(6));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Admin("ann"), 403);
  }
  EXPECT_EQ(fake_.asked(), 3) << "not oftener than every few seconds";
  EXPECT_EQ(Edit("ann"), 403) << "the newer answer counts";
}

TEST_F(MiddleAuthTest, AClockThatIsSetBackMakesNoAnswerYoung) {
  EXPECT_EQ(View("ann"), 200);
  clock_.Advance(-absl::Hours(24));
  fake_.Forget("ann");
  EXPECT_EQ(View("ann"), 401);
}

TEST_F(MiddleAuthTest, TermsComeFirst) {
  json user = {{"id", 5}, {"email", "t@a.org"}, {"permissions_v2", json::object()}};
  user["missing_tos"] = {{{"dataset_id", 1}, {"dataset_name", "graph"}, {"tos_id", 9}, {"tos_name", "Be nice"}}};
  fake_.Know("tim", user.dump());
  const Response response = Ask("tim");
  EXPECT_EQ(response.code, 403);
  const json body = json::parse(response.body);
  EXPECT_EQ(body["error"], "missing_tos");
  EXPECT_EQ(body["code"], 403);
  const std::string form = absl::StrCat(FormatHttpUrl(fake_.url()), "/api/v1/tos/9/accept");
  EXPECT_EQ(body["data"], (json{{"tos_id", 9}, {"tos_name", "Be nice"}, {"tos_form_url", form}}));
  EXPECT_THAT(std::string(body["message"]), testing::HasSubstr(form));
  user["missing_tos"][0]["dataset_name"] = "another";
  fake_.Know("tom", user.dump());
  EXPECT_FALSE(json::parse(Ask("tom").body).contains("error"));
}

TEST_F(MiddleAuthTest, WhileItIsAwayThoseItKnewGoOn) {
  EXPECT_EQ(View("bob"), 200);
  fake_.Stop();
  EXPECT_EQ(Edit("bob"), 400) << "the answer still counts";
  EXPECT_TRUE(told_.empty());
  clock_.Advance(absl::Minutes(59));
  EXPECT_EQ(View("bob"), 200);
  EXPECT_EQ(Edit("bob"), 400);
  EXPECT_EQ(Admin("bob"), 403);
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_THAT(told_[0], testing::HasSubstr("cannot be asked: no connection"));

  const Response look_up = Ask("ann");
  EXPECT_EQ(look_up.code, 503);
  EXPECT_EQ(look_up.content_type, "application/json");
  const Response edit = Ask("ann", absl::StrCat(kTable, "merge"), "POST", "[]");
  EXPECT_EQ(edit.code, 500) << "clients repeat what is answered with 503";
  EXPECT_THAT(edit.body, testing::HasSubstr("nothing was done"));

  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(View("bob"), 503) << "an hour is over";
  fake_.StartAgain();
  EXPECT_EQ(View("bob"), 503) << "nobody asks for a moment after a failure";
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(View("bob"), 200);
  EXPECT_EQ(View("ann"), 200);
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_THAT(told_[1], testing::HasSubstr("can be reached again"));
}

TEST_F(MiddleAuthTest, ASilentServerHoldsOneRequestAtMost) {
  Renew({.url = {}, .timeout = absl::Milliseconds(100)});
  EXPECT_EQ(View("bob"), 200);
  fake_.Hold(true);
  clock_.Advance(absl::Minutes(6));
  EXPECT_EQ(View("bob"), 200) << "no answer in time: the last one counts";
  const int asked = fake_.asked();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(View("bob"), 200);
    EXPECT_EQ(View("ann"), 503);
  }
  EXPECT_EQ(fake_.asked(), asked) << "nobody waits again";
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(View("ann"), 503);
  EXPECT_EQ(fake_.asked(), asked + 1);
  fake_.Hold(false);
}

TEST_F(MiddleAuthTest, OneOfManyAsksAndTheOthersWait) {
  fake_.Hold(true);
  std::vector<std::jthread> threads;
  std::atomic<int> allowed = 0;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { allowed += View("bob") == 200 ? 1 : 0; });
  }
  while (fake_.asked() == 0) {
    std::this_thread::yield();
  }
  fake_.Hold(false);
  threads.clear();
  EXPECT_EQ(allowed, 8);
  EXPECT_EQ(fake_.asked(), 1);
}

TEST_F(MiddleAuthTest, AnAnswerWithoutSenseIsTheProblemOfItsTokenAlone) {
  const std::map<std::string, std::pair<int, std::string>> answers = {
      {"text", {200, "<html>s3cret</html>"}},
      {"empty", {200, ""}},
      {"huge", {200, absl::StrCat("{\"id\": 1, \"x\": \"", std::string(900'000, 'x'), "\"")}},
      {"types", {200, R"({"id": 1, "permissions_v2": "s3cret"})"}},
      {"deep", {200, std::string(500'000, '[')}},
      {"broken", {500, "s3cret"}},
      {"away", {302, ""}},
      {"slow", {429, ""}},
  };
  for (const auto& [token, answer] : answers) {
    fake_.Know(token, answer.second, answer.first);
    const Response response = Ask(token);
    EXPECT_EQ(response.code, 503) << token;
    EXPECT_THAT(response.body, testing::Not(testing::HasSubstr("s3cret"))) << token;
    EXPECT_EQ(Edit(token), 500);
  }
  EXPECT_EQ(fake_.asked(), static_cast<int>(answers.size())) << "each is asked about once in a while";
  EXPECT_EQ(View("bob"), 200) << "a new token is asked about all the same";
  EXPECT_EQ(told_.size(), 1U) << "said once a minute";

  fake_.Know("bob", "nonsense");
  clock_.Advance(absl::Minutes(30));
  EXPECT_EQ(Edit("bob"), 400) << "what was known counts on";
  clock_.Advance(absl::Minutes(30));
  EXPECT_EQ(View("bob"), 503);
}

// 1 MiB is the most that is read; more is as good as no answer.
TEST_F(MiddleAuthTest, AnEndlessAnswerIsNotRead) {
  fake_.Know("endless", absl::StrCat("{\"id\": 1, \"x\": \"", std::string(2'000'000, 'x'), "\"}"));
  EXPECT_EQ(View("endless"), 503);
}

TEST_F(MiddleAuthTest, StrangersPushNoUserOut) {
  Renew({.url = {}, .tokens_max = 3});
  EXPECT_EQ(View("bob"), 200);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(View(absl::StrCat("stranger", i)), 401);
  }
  const int asked = fake_.asked();
  EXPECT_EQ(View("bob"), 200);
  EXPECT_EQ(fake_.asked(), asked);
  for (int i = 0; i < 3; ++i) {
    fake_.Know(absl::StrCat("user", i), UserJson("u@a.org", {{"graph", {"view"}}}));
    EXPECT_EQ(View(absl::StrCat("user", i)), 200);
  }
  EXPECT_EQ(View("bob"), 200);
  EXPECT_EQ(fake_.asked(), asked + 4) << "only so many are kept";
}

TEST_F(MiddleAuthTest, EachDatasetHasPermissionsOfItsOwn) {
  const std::string other_folder = folder_ + "_other";
  std::filesystem::remove_all(other_folder);
  std::filesystem::copy(folder_, other_folder, std::filesystem::copy_options::recursive);
  {
    const auto other = graph::Dataset::Open(other_folder).value();
    const auto other_editor = edit::Editor::Open(*other).value();
    guarded_ = std::make_unique<Routes>(std::vector<ServedDataset>{{"graph", dataset_.get(), editor_.get()},
                                                                   {"other", other.get(), other_editor.get()}},
                                        options_);
    const std::string other_merge = "/segmentation/api/v1/table/other/merge";
    EXPECT_EQ(Edit("ann"), 403);
    EXPECT_EQ(Ask("ann", other_merge, "POST", "[]").code, 400);
    EXPECT_EQ(Edit("bob"), 400);
    EXPECT_EQ(Ask("bob", other_merge, "POST", "[]").code, 403);
    EXPECT_EQ(Ask("bob", "/segmentation/table/other/info").code, 403);
    EXPECT_EQ(Ask("bob", "/data/other/info").code, 403);
    EXPECT_EQ(Ask("bob", "/ocdbt/other/manifest.ocdbt").code, 403);
    const auto shown = [&](const std::string& token) {
      return json::parse(Ask(token, "/cleave/api/v1/datasets").body)["datasets"].size();
    };
    EXPECT_EQ(shown("ann"), 2U);
    EXPECT_EQ(shown("bob"), 1U);
    EXPECT_EQ(Ask("ann", "/metrics").code, 200);
    EXPECT_EQ(Ask("bob", "/metrics").code, 403) << "metrics are about both";
    fake_.Know("none", UserJson("none@a.org", {}));
    EXPECT_EQ(Ask("none", "/cleave/api/v1/datasets").code, 403);
    guarded_.reset();
  }
  std::filesystem::remove_all(other_folder);
}

TEST_F(MiddleAuthTest, OneDatasetMayStandForAnother) {
  Renew({.url = {}, .dataset = "other"});
  EXPECT_EQ(Edit("ann"), 400);
  EXPECT_EQ(View("bob"), 403);
}

TEST_F(MiddleAuthTest, VoxelsMayBeOpen) {
  options_.open_data = true;
  guarded_ = std::make_unique<Routes>(*dataset_, *editor_, options_);
  EXPECT_EQ(Ask("", "/data/graph/info").code, 200);
  EXPECT_EQ(View(""), 401);
}

TEST_F(MiddleAuthTest, TheMailAddressStandsInTheLogsAndNoTokenDoes) {
  const std::string path = folder_ + "_requests";
  const auto log = RequestLog::Open(path).value();
  options_.log = log.get();
  guarded_ = std::make_unique<Routes>(*dataset_, *editor_, options_);
  fake_.Know("t0ken-of-bob", UserJson("bob@a.org", {{"graph", {"view", "edit"}}}));
  ASSERT_EQ(Ask("t0ken-of-bob", absl::StrCat(kTable, "split"), "POST", kSplit).code, 200);
  EXPECT_EQ(View("t0ken-of-a-stranger"), 401);
  EXPECT_EQ(Admin("t0ken-of-bob"), 403);
  fake_.Stop();
  clock_.Advance(absl::Hours(2));
  EXPECT_EQ(View("t0ken-of-bob"), 503);
  const json operations = json::parse(Get("/cleave/api/v1/table/graph/operations").body)["operations"];
  EXPECT_EQ(operations[0]["user"], "bob@a.org");
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_THAT(text.str(), testing::HasSubstr("\"user\":\"bob@a.org\""));
  EXPECT_THAT(text.str(), testing::Not(testing::HasSubstr("t0ken")));
  EXPECT_THAT(testing::PrintToString(told_), testing::Not(testing::HasSubstr("t0ken")));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace cleave::server
