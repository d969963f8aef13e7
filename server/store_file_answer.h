// Files of a store, which may be large: no more than the part that is asked for is read.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/http_message.h"
#include "server/request_limits.h"
#include "store/store.h"

namespace cleave::server {

struct StoreFiles {
  const store::Store& store;
  const RequestLimits& limits;
};

// 200, 206, 304 or 416 for the file of this key, after WithoutDoubleSlashes. INVALID_ARGUMENT for what is no key, or
// more bytes than the limits allow; NOT_FOUND.
[[nodiscard]] absl::StatusOr<Response> StoreFileAnswer(const Request& request, const StoreFiles& files,
                                                       absl::string_view name);

// Viewers put slashes together that belong to two parts of a URL.
[[nodiscard]] std::string WithoutDoubleSlashes(absl::string_view key);

}  // namespace cleave::server
