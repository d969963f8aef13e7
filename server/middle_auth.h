// Who may do what, as an auth server of the field's kind (middle_auth) says.
//
// Its answer about a token counts for a while. Where it lacks the right that is needed it is asked for again before
// anybody is refused, so that a right that was just given holds at once. While the auth server cannot be asked, users
// it knew lately go on with what they had.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "server/decision.h"
#include "server/http_client.h"
#include "server/token_cache.h"

namespace cleave::server {

struct MiddleAuthOptions {
  HttpUrl url;  // where this server asks
  // Where clients go for a token, if that is another address of the auth server: that one may be known in a cluster
  // only.
  std::optional<HttpUrl> login_url = std::nullopt;
  std::string dataset = {};  // its permissions count for every dataset; empty: those under a dataset's own name
  absl::Duration fresh = absl::Minutes(5);      // how long an answer counts
  absl::Duration grace = absl::Hours(1);        // how long it counts while the auth server cannot be asked
  absl::Duration ask_again = absl::Seconds(5);  // before an answer that refuses is asked for again
  absl::Duration pause = absl::Seconds(5);      // after a failure nobody asks for so long, and then one
  absl::Duration timeout = absl::Seconds(5);
  size_t tokens_max = 10'000;  // known ones that are kept, and foreign ones beside them
  Clock* clock = &Clock::System();
  // Told when the auth server cannot be asked any more, and why, when it answers again, and now and then of an answer
  // that makes no sense. Quick; thread-safe.
  std::function<void(const std::string&)> on_change = nullptr;
};

// Thread-safe.
class MiddleAuth {
 public:
  explicit MiddleAuth(MiddleAuthOptions options);

  // May wait for the auth server. `token` as the client gave it; empty: none.
  [[nodiscard]] Decision Authorize(absl::string_view token, Right needed, const std::string& dataset);
  // Clients go to {login_url}/api/v1/authorize for a token.
  [[nodiscard]] const std::string& login_url() const { return login_url_text_; }

 private:
  // What is known of a token, no older than `age_max` while the auth server can be asked. UNAVAILABLE when it cannot.
  absl::StatusOr<TokenAnswer> Know(const std::string& token, absl::Duration age_max);
  absl::StatusOr<TokenAnswer> Ask(const std::string& token);
  // All with mutex_ held.
  std::optional<TokenAnswer> Cached(const std::string& digest, absl::Duration age_max);
  absl::StatusOr<TokenAnswer> Settle(const std::string& digest, const absl::Status& problem);
  void Keep(const std::string& digest, const TokenAnswer& answer);
  void NoteOutage(const absl::Status& problem);
  void Tell(absl::string_view what) const;
  [[nodiscard]] Decision Challenge(absl::string_view message, absl::string_view error) const;

  const MiddleAuthOptions options_;
  const std::string url_text_;
  const std::string login_url_text_;
  HttpClient client_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::set<std::string> asking_;  // digests that a thread asks about
  TokenCache users_;
  TokenCache others_;    // foreign tokens and problems; apart, so that strangers cannot push users out
  absl::Status outage_;  // OK: it could be reached last
  absl::Time paused_until_ = absl::InfinitePast();
  absl::Time silent_until_ = absl::InfinitePast();  // about answers without sense
};

}  // namespace cleave::server
