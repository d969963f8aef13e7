// Goal: a connection is to the server, the user and the database that a URL names, or the error says why not. Method: a
// real redis-server with a password; URLs right and wrong.
#include "store/redis_connection.h"

#include "gtest/gtest.h"

#include "store/redis_testing.h"

namespace cleave::store {
namespace {

TEST(RedisConnection, SignsInWithAPassword) {
  CLEAVE_NEEDS_REDIS();
  const RedisServer server(false, "open sesame");
  RedisAddress address = server.address();
  EXPECT_TRUE(RedisConnection::Open(address, absl::Seconds(5)).ok());
  address.password = "wrong";
  const absl::Status wrong = RedisConnection::Open(address, absl::Seconds(5)).status();
  EXPECT_TRUE(absl::IsUnauthenticated(wrong)) << wrong;
  EXPECT_EQ(wrong.message().find("wrong:"), absl::string_view::npos);
  address.password = "";
  EXPECT_TRUE(absl::IsUnauthenticated(RedisConnection::Open(address, absl::Seconds(5)).status()));
  address = server.address();
  address.database = 9999;
  EXPECT_TRUE(absl::IsFailedPrecondition(RedisConnection::Open(address, absl::Seconds(5)).status()));
}

TEST(RedisUrl, IsReadWholeOrRefused) {
  const RedisAddress whole = ParseRedisUrl("redis://ana:p%40ss@redis.lab:7000/3").value();
  EXPECT_EQ(whole.host, "redis.lab");
  EXPECT_EQ(whole.port, 7000);
  EXPECT_EQ(whole.user, "ana");
  EXPECT_EQ(whole.password, "p@ss");
  EXPECT_EQ(whole.database, 3);
  EXPECT_EQ(whole.ToString(), "redis://redis.lab:7000/3");
  EXPECT_EQ(ParseRedisUrl("redis://localhost")->port, 6379);
  EXPECT_EQ(ParseRedisUrl("redis://[::1]:7000/")->host, "::1");
  EXPECT_EQ(ParseRedisUrl("redis://[::1]:7000/")->ToString(), "redis://[::1]:7000/0");
  for (const char* wrong :
       {"localhost:6379", "redis://", "redis://:6379", "redis://host:0", "redis://host:port", "redis://host/x",
        "redis://host/-1", "redis://user@host", "redis://:%zz@host", "redis://[::1:7000", "rediss://host"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseRedisUrl(wrong).status())) << wrong;
  }
}

}  // namespace
}  // namespace cleave::store
