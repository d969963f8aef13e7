// What a user may do, and what became of asking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "server/http_message.h"

namespace cleave::server {

// Each holds those before it.
enum class Right { kNone, kView, kEdit, kAdmin };
[[nodiscard]] absl::string_view Name(Right right);

// Terms of service that a user has to accept first.
struct MissingTerms {
  std::string dataset;
  int64_t id = 0;
  std::string name;
  std::string form_url;  // where they are accepted
};

struct Decision {
  // OK; UNAUTHENTICATED without a token that is known; PERMISSION_DENIED when it has not the right; UNAVAILABLE when
  // nobody could be asked.
  absl::Status status;
  std::string user;                                          // also of one that is refused, where it is known
  std::string challenge = {};                                // of UNAUTHENTICATED: what WWW-Authenticate says
  std::optional<MissingTerms> missing_terms = std::nullopt;  // of PERMISSION_DENIED, where they are the reason
};

// The answer to who is refused: 401 with the challenge, or 403, where terms are missing with "error": "missing_tos" and
// "data" as CAVEclient reads them. UNAVAILABLE is 503 for look-ups; for edits it is 500, since clients repeat what is
// answered with 503.
[[nodiscard]] Response RefusalResponse(const Decision& decision, Right needed, double duration_ms);

}  // namespace cleave::server
