// What was answered about tokens, for a while.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

#include "server/auth_user.h"

namespace cleave::server {

struct TokenAnswer {
  std::shared_ptr<const AuthUser> user = nullptr;  // null: the token is foreign, or it could not be told
  absl::Time asked = absl::InfinitePast();
  absl::Status problem = absl::OkStatus();  // why it could not be told
};

// The newest answer about each of at most `tokens_max` tokens; the ones that were not looked for longest go first.
// Tokens are named by a digest, so that a memory dump shows none. Not thread-safe.
class TokenCache {
 public:
  explicit TokenCache(size_t tokens_max) : tokens_max_(tokens_max) {}

  [[nodiscard]] std::optional<TokenAnswer> Find(const std::string& digest);
  void Put(const std::string& digest, TokenAnswer answer);
  void Forget(const std::string& digest);
  [[nodiscard]] size_t size() const { return order_.size(); }

 private:
  using Order = std::list<std::pair<std::string, TokenAnswer>>;  // looked for last comes first
  const size_t tokens_max_;
  Order order_;
  absl::flat_hash_map<std::string, Order::iterator> places_;
};

}  // namespace cleave::server
