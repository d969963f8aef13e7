// Files over HTTP: parts of them (Range), and "not changed since" (ETag).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "server/http_message.h"
#include "store/store.h"

namespace cleave::server {

// The text between the quotes of an ETag that names this generation.
[[nodiscard]] std::string TagOf(const store::Generation& generation);
// Whether If-None-Match names the tag, or its compressed form, or "*".
[[nodiscard]] bool IsKnown(const Request& request, const std::string& tag);

// A single "bytes=a-b", "bytes=a-" or "bytes=-n"; nullopt without one, and for several ranges and other units, which a
// server may answer whole.
struct RangeWish {
  std::optional<uint64_t> begin;  // nullopt: the last `end` bytes
  std::optional<uint64_t> end;    // exclusive; nullopt: up to the end
};
[[nodiscard]] std::optional<RangeWish> RangeOf(const Request& request);

// 200, 206 or 416 for a file that is in memory, or 304 without a body. Clients may keep it and must ask again.
[[nodiscard]] Response FileResponse(const Request& request, std::string bytes, const std::string& tag);
[[nodiscard]] Response NotModified(const std::string& tag);

}  // namespace cleave::server
