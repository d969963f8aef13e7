// Status and StatusOr, the error values of every room, and two macros that pass them up.
//
//   absl::StatusOr<int> Parse(absl::string_view text);
//
//   absl::Status Use(absl::string_view text) {
//     CLEAVE_ASSIGN_OR_RETURN(const int value, Parse(text));
//     CLEAVE_RETURN_IF_ERROR(Check(value));
//     return absl::OkStatus();
//   }
//
// The codes carry meaning for callers:
//   INVALID_ARGUMENT     the request itself is wrong; the same request never succeeds
//   NOT_FOUND            a named thing does not exist
//   FAILED_PRECONDITION  the request is well formed but the present state refuses it
//   ABORTED              a condition on a write was not met: read again and retry
//   DATA_LOSS            stored bytes are damaged; the message names the object in its store
//   UNAVAILABLE          another process or a transport stands in the way; retry later
//   OUT_OF_RANGE         a coordinate outside the volume
//   INTERNAL             an invariant of this program does not hold: a defect
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// Returns `status` with `context` put in front of its message; code and payload are kept. OK stays OK.
[[nodiscard]] absl::Status Annotate(const absl::Status& status, absl::string_view context);

}  // namespace cleave

#define CLEAVE_STATUS_CONCAT_INNER(a, b) a##b
#define CLEAVE_STATUS_CONCAT(a, b) CLEAVE_STATUS_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expression` (an absl::Status) is not OK.
#define CLEAVE_RETURN_IF_ERROR(expression)                                \
  do {                                                                    \
    if (absl::Status cleave_status = (expression); !cleave_status.ok()) { \
      return cleave_status;                                               \
    }                                                                     \
  } while (false)

// Evaluates `expression` (an absl::StatusOr<T>); returns its error, or moves the value into `declaration`.
#define CLEAVE_ASSIGN_OR_RETURN(declaration, expression) \
  CLEAVE_ASSIGN_OR_RETURN_INNER(CLEAVE_STATUS_CONCAT(cleave_status_or_, __LINE__), declaration, expression)
#define CLEAVE_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                          \
  if (!result.ok()) {                                                  \
    return std::move(result).status();                                 \
  }                                                                    \
  declaration = *std::move(result)
