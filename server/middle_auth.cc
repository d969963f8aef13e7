// How a token is looked up (Know):
// 1. An answer that is young enough counts. One that calls a token foreign, or makes no sense, counts for `ask_again`
//    only, so that strangers cannot make this server ask without end.
// 2. Of several threads with one token, one asks; the others wait for its answer and begin anew.
// 3. When the auth server could not be reached, nobody asks for `pause`. Then one thread takes the turn, by prolonging
//    the pause before it asks: so one thread at most waits for a server that is silent.
// 4. An answer is kept, one without sense too: it is the problem of one token, since a stranger could provoke it and
//    must not shut others out. In both cases what is known of the user counts on for `grace`.
#include "server/middle_auth.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include <openssl/sha.h>

#include "base/status.h"

namespace cleave::server {
namespace {

constexpr size_t kTokenBytesMax = 4096;

// A token goes into a line of HTTP: nothing else may come with it.
bool CanBeToken(absl::string_view token) {
  return token.size() <= kTokenBytesMax &&
         std::ranges::all_of(token, [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
}

std::string DigestOf(absl::string_view token) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return {digest.begin(), digest.end()};
}

Decision Refuse(const AuthUser& user, Right needed, const std::string& dataset) {
  Decision decision{.status = absl::PermissionDeniedError(absl::StrCat("this needs the right '", Name(needed),
                                                                       "' for the dataset ", dataset, "; ", user.name,
                                                                       " has '", Name(RightOf(user, dataset)), "'")),
                    .user = user.name};
  const auto terms = std::ranges::find(user.missing_terms, dataset, &MissingTerms::dataset);
  if (terms != user.missing_terms.end()) {
    decision.missing_terms = *terms;
    decision.status = absl::PermissionDeniedError(
        absl::StrCat("the terms of service of the dataset ", dataset, " must be accepted first: ", terms->form_url));
  }
  return decision;
}

}  // namespace

MiddleAuth::MiddleAuth(MiddleAuthOptions options)
    : options_(std::move(options)),
      url_text_(FormatHttpUrl(options_.url)),
      login_url_text_(FormatHttpUrl(options_.login_url.value_or(options_.url))),
      users_(options_.tokens_max),
      others_(options_.tokens_max) {}

Decision MiddleAuth::Authorize(absl::string_view token, Right needed, const std::string& dataset) {
  if (token.empty()) {
    return Challenge("this server needs a token: Authorization: Bearer TOKEN", "");
  }
  const std::string text(token);
  const std::string& name = options_.dataset.empty() ? dataset : options_.dataset;
  absl::StatusOr<TokenAnswer> known =
      CanBeToken(token) ? Know(text, options_.fresh) : absl::StatusOr<TokenAnswer>(TokenAnswer{});
  if (known.ok() && known->user != nullptr && RightOf(*known->user, name) < needed) {
    known = Know(text, options_.ask_again);
  }
  if (!known.ok()) {
    return {.status = known.status(), .user = ""};
  }
  if (known->user == nullptr) {
    return Challenge("the token is not known, or has expired", ", error=\"invalid_token\"");
  }
  if (RightOf(*known->user, name) < needed) {
    return Refuse(*known->user, needed, name);
  }
  return {.status = absl::OkStatus(), .user = known->user->name};
}

Decision MiddleAuth::Challenge(absl::string_view message, absl::string_view error) const {
  const std::string place = login_url_text_ + "/api/v1/authorize";
  return {.status = absl::UnauthenticatedError(absl::StrCat(message, "; log in at ", place)),
          .user = "",
          .challenge = absl::StrCat("Bearer realm=\"", place, "\"", error)};
}

absl::StatusOr<TokenAnswer> MiddleAuth::Know(const std::string& token, absl::Duration age_max) {
  const std::string digest = DigestOf(token);
  std::unique_lock lock(mutex_);
  for (;;) {
    if (const std::optional<TokenAnswer> cached = Cached(digest, age_max)) {
      return cached->problem.ok() ? *cached : Settle(digest, cached->problem);
    }
    if (!asking_.contains(digest)) {
      break;
    }
    answered_.wait(lock);
  }
  const absl::Time now = options_.clock->Now();
  if (!outage_.ok() && now < paused_until_) {
    return Settle(digest, outage_);
  }
  paused_until_ = now + options_.pause;
  asking_.insert(digest);
  lock.unlock();
  const absl::StatusOr<TokenAnswer> answer = Ask(token);
  lock.lock();
  asking_.erase(digest);
  answered_.notify_all();
  if (!answer.ok()) {
    NoteOutage(answer.status());
    return Settle(digest, outage_);
  }
  Keep(digest, *answer);
  return answer->problem.ok() ? answer : Settle(digest, answer->problem);
}

// UNAVAILABLE when it cannot be reached.
absl::StatusOr<TokenAnswer> MiddleAuth::Ask(const std::string& token) {
  const absl::Time asked = options_.clock->Now();
  const absl::StatusOr<HttpAnswer> answer =
      client_.Get(options_.url, {.path = "/api/v1/user/cache", .bearer = token, .timeout = options_.timeout});
  if (!answer.ok()) {
    return Annotate(answer.status(), absl::StrCat("the auth server ", url_text_, " cannot be asked"));
  }
  if (answer->code == 401 || answer->code == 403) {
    return TokenAnswer{.asked = asked};
  }
  absl::StatusOr<AuthUser> user =
      answer->code == 200
          ? ParseAuthUser(answer->body, login_url_text_)
          : absl::StatusOr<AuthUser>(absl::UnavailableError(absl::StrCat("its code is ", answer->code)));
  if (!user.ok()) {
    return TokenAnswer{.asked = asked,
                       .problem = absl::UnavailableError(absl::StrCat(
                           "the auth server ", url_text_, " gave no answer of use: ", user.status().message()))};
  }
  return TokenAnswer{.user = std::make_shared<const AuthUser>(*std::move(user)), .asked = asked};
}

// What counts while nothing newer can be had.
absl::StatusOr<TokenAnswer> MiddleAuth::Settle(const std::string& digest, const absl::Status& problem) {
  const absl::Time now = options_.clock->Now();
  const std::optional<TokenAnswer> last = users_.Find(digest);
  return last.has_value() && now - last->asked < options_.grace ? absl::StatusOr<TokenAnswer>(*last) : problem;
}

// A clock that was set back makes no answer young again.
std::optional<TokenAnswer> MiddleAuth::Cached(const std::string& digest, absl::Duration age_max) {
  const absl::Time now = options_.clock->Now();
  const auto is_young = [&](const std::optional<TokenAnswer>& answer, absl::Duration max) {
    return answer.has_value() && answer->asked <= now && now - answer->asked < max;
  };
  if (std::optional<TokenAnswer> user = users_.Find(digest); is_young(user, age_max)) {
    return user;
  }
  std::optional<TokenAnswer> other = others_.Find(digest);
  return is_young(other, options_.ask_again) ? other : std::nullopt;
}

void MiddleAuth::Keep(const std::string& digest, const TokenAnswer& answer) {
  if (!outage_.ok()) {
    Tell(absl::StrCat("the auth server ", url_text_, " can be reached again"));
  }
  outage_ = absl::OkStatus();
  others_.Forget(digest);
  if (answer.user != nullptr) {
    return users_.Put(digest, answer);
  }
  others_.Put(digest, answer);
  if (answer.problem.ok()) {
    users_.Forget(digest);
  } else if (answer.asked >= silent_until_) {
    silent_until_ = answer.asked + absl::Minutes(1);
    Tell(answer.problem.message());
  }
}

void MiddleAuth::NoteOutage(const absl::Status& problem) {
  if (outage_.ok()) {
    Tell(absl::StrCat(problem.message(), "; users it knew within ", absl::FormatDuration(options_.grace),
                      " go on, others are refused"));
  }
  outage_ = problem;
  paused_until_ = options_.clock->Now() + options_.pause;
}

void MiddleAuth::Tell(absl::string_view what) const {
  if (options_.on_change) {
    options_.on_change(std::string(what));
  }
}

}  // namespace cleave::server
