// Bodies on their way: compressed requests and answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

#include "server/http_message.h"

namespace cleave::server {

// Inflates a gzip or zlib body of at most `bytes_max` bytes; nullopt when it is damaged, cut off or larger.
[[nodiscard]] std::optional<std::string> Inflate(absl::string_view bytes, uint64_t bytes_max);
[[nodiscard]] std::string Gzip(absl::string_view bytes);

// Whether "gzip, deflate;q=0.5" allows gzip.
[[nodiscard]] bool AcceptsGzip(absl::string_view accept_encoding);
// Compresses an answer where the client takes it and it helps: 200 and larger than a packet, never a part of a file.
void CompressAnswer(const Request& request, Response& response);

}  // namespace cleave::server
