// Requests that clients name by a key, so that one sent twice is carried out once.
//
// A row "k" + the SHA-256 of the key, 64 hexadecimal digits, holds the operation that carries the request out, the
// digest of the request, and the key itself. It is claimed under the operation's locks, and becomes durable with its
// commit at the latest; whether the request was carried out is what the operation's own row says. A claim of an
// operation that came to nothing is free again, also for another request. Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "edit/operation_log.h"
#include "graph/ids.h"
#include "table/table.h"

namespace cleave::edit {

inline constexpr size_t kRequestKeyBytesMax = 256;

struct KeyedRequest {
  std::string key;
  std::string digest;  // SHA-256 of the request's text
};

// INVALID_ARGUMENT when the key is too long.
[[nodiscard]] absl::StatusOr<KeyedRequest> MakeKeyedRequest(absl::string_view key, absl::string_view text);

class RequestKeys {
 public:
  // `table` must outlive the object.
  explicit RequestKeys(table::Table& table) : table_(table), log_(table) {}

  // The operation that carried this very request out; nothing if none has. FAILED_PRECONDITION when the key belongs to
  // another request, UNAVAILABLE while an operation is at work on this one.
  [[nodiscard]] absl::StatusOr<std::optional<graph::OperationId>> Find(const KeyedRequest& request) const;
  // The key is this operation's. ABORTED when another operation claimed it meanwhile: ask Find.
  [[nodiscard]] absl::Status Claim(const KeyedRequest& request, graph::OperationId operation);

 private:
  struct Owner {
    std::string operation_text;  // empty: nobody
    std::string digest;
  };
  [[nodiscard]] absl::StatusOr<Owner> ReadOwner(const KeyedRequest& request) const;

  table::Table& table_;
  const OperationLog log_;
};

}  // namespace cleave::edit
