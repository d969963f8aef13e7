#include "server/http_connection.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <boost/asio/post.hpp>

#include "base/clock.h"
#include "server/http_coding.h"

namespace cleave::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::chrono::seconds kIdleTimeout(120);
constexpr std::chrono::seconds kWriteTimeout(300);
constexpr std::chrono::seconds kLingerTimeout(2);
constexpr uint32_t kHeaderBytesMax = 64 << 10;
constexpr size_t kRequestIdMax = 64;

// The client's own id where it gives one that fits into a log line, else a new one.
std::string RequestId(absl::string_view given) {
  const bool is_plain = std::ranges::all_of(
      given, [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; });
  if (!given.empty() && given.size() <= kRequestIdMax && is_plain) {
    return std::string(given);
  }
  uint8_t bytes[8];
  RandomSource::System().Fill(bytes);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes), sizeof(bytes)));
}

}  // namespace

Request RequestOf(http::request<http::string_body> message) {
  Request request;
  request.method = std::string(message.method_string());
  const auto target = message.target();
  SetTarget(request, absl::string_view(target.data(), target.size()));
  for (const auto& field : message) {
    const auto name = field.name_string();
    const auto value = field.value();
    request.headers[absl::AsciiStrToLower(absl::string_view(name.data(), name.size()))] =
        std::string(value.data(), value.size());
  }
  request.host = std::string(HeaderOf(request, "host"));
  request.id = RequestId(HeaderOf(request, "x-request-id"));
  request.body = std::move(message.body());
  return request;
}

namespace {

// What a browser needs to read any answer from any page, errors included. A preflight's wishes are granted as asked.
template <typename Message>
void AllowAllOrigins(const Request& request, Message& message) {
  const absl::string_view wanted = HeaderOf(request, "access-control-request-headers");
  message.set(http::field::access_control_allow_origin, "*");
  message.set(http::field::access_control_allow_methods, "GET, HEAD, POST, OPTIONS");
  message.set(http::field::access_control_allow_headers, wanted.empty() ? "*" : std::string(wanted));
  message.set(http::field::access_control_expose_headers,
              "WWW-Authenticate, Content-Range, Used-Bounds, ETag, X-Request-Id");
  message.set(http::field::access_control_max_age, "86400");
}

}  // namespace

void HttpConnection::Read() {
  parser_.emplace();
  parser_->header_limit(kHeaderBytesMax);
  parser_->body_limit(context_.options.body_bytes_max);
  stream_.expires_after(kIdleTimeout);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](ErrorCode error, size_t) { self->HandleHeader(error); });
}

void HttpConnection::HandleHeader(ErrorCode error) {
  if (error) {
    return Refuse(error);
  }
  if (!beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
    return ReadBody();
  }
  go_on_ = {http::status::continue_, 11};
  http::async_write(stream_, go_on_, [self = shared_from_this()](ErrorCode failed, size_t) {
    failed ? self->Close() : self->ReadBody();
  });
}

void HttpConnection::ReadBody() {
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](ErrorCode error, size_t) { self->HandleBody(error); });
}

void HttpConnection::Refuse(ErrorCode error) {
  keep_alive_ = false;
  if (error == http::error::body_limit) {
    return Write({}, ErrorResponse(413,
                                   absl::StrCat("the body is larger than ", context_.options.body_bytes_max,
                                                " bytes, which is the most (--body-mib-max)"),
                                   0));
  }
  if (error == http::error::header_limit) {
    return Write({}, ErrorResponse(431, absl::StrCat("the headers are larger than ", kHeaderBytesMax, " bytes"), 0));
  }
  const bool is_broken_off = error == http::error::end_of_stream || error == http::error::partial_message;
  if (!is_broken_off && error.category() == http::make_error_code(http::error::bad_target).category()) {
    return Write({}, ErrorResponse(400, absl::StrCat("this is not HTTP: ", error.message()), 0));
  }
  Close();
}

void HttpConnection::HandleBody(ErrorCode error) {
  if (error) {
    return Refuse(error);
  }
  // Counted first, looked second: whoever stops sets the flag first and looks at the count second.
  ++context_.requests_under_way;
  if (context_.stopping) {
    --context_.requests_under_way;
    return Close();
  }
  is_counted_ = true;
  http::request<http::string_body> message = parser_->release();
  keep_alive_ = message.keep_alive();
  const bool is_options = message.method() == http::verb::options;
  Request request = RequestOf(std::move(message));
  const bool is_slow = !is_options && context_.is_slow && context_.is_slow(request);
  std::atomic<int64_t>& waiting = is_slow ? context_.waiting_edits : context_.waiting_look_ups;
  ++waiting;
  asio::post(is_slow ? context_.slow_workers : context_.workers,
             [self = shared_from_this(), &waiting, is_options, asked = std::move(request)]() mutable {
               --waiting;
               self->AnswerInflated(std::move(asked), is_options);
             });
}

void HttpConnection::AnswerInflated(Request request, bool is_options) {
  if (absl::EqualsIgnoreCase(HeaderOf(request, "content-encoding"), "gzip")) {
    std::optional<std::string> body = Inflate(request.body, context_.options.body_bytes_max);
    if (!body) {
      return Write(request, ErrorResponse(400,
                                          absl::StrCat("the compressed body is damaged, or inflated larger than ",
                                                       context_.options.body_bytes_max,
                                                       " bytes, which is the most (--body-mib-max)"),
                                          0));
    }
    request.body = *std::move(body);
  }
  Answer(request, is_options);
}

void HttpConnection::Answer(const Request& request, bool is_options) {
  Response response;
  if (is_options) {
    response.content_type = "text/plain";
  } else {
    response = context_.handler(request);
    CompressAnswer(request, response);
  }
  Write(request, std::move(response));
}

void HttpConnection::Write(const Request& request, Response response) {
  const bool is_head = request.method == "HEAD";
  message_.emplace();
  message_->result(static_cast<unsigned>(response.code));
  message_->set(http::field::content_type, response.content_type);
  message_->set(http::field::cache_control, response.cache_control);
  AllowAllOrigins(request, *message_);
  for (const auto& [name, value] : response.headers) {
    message_->insert(name, value);
  }
  if (!request.id.empty()) {
    message_->set("X-Request-Id", request.id);
  }
  const uint64_t length = response.body.size();
  message_->body() = is_head ? std::string() : std::move(response.body);
  keep_alive_ = keep_alive_ && !context_.stopping;
  message_->keep_alive(keep_alive_);
  message_->prepare_payload();
  if (is_head) {
    message_->content_length(length);
  }
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    self->stream_.expires_after(kWriteTimeout);
    http::async_write(self->stream_, *self->message_, [self](ErrorCode error, size_t) { self->Written(error); });
  });
}

void HttpConnection::Written(ErrorCode error) {
  if (is_counted_) {
    is_counted_ = false;
    --context_.requests_under_way;
  }
  if (error) {
    Close();
  } else if (keep_alive_) {
    Read();
  } else {
    Close();
    Linger();
  }
}

void HttpConnection::Close() {
  ErrorCode ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

// A socket closed over unread bytes resets the connection, and the client may lose the answer that says why.
void HttpConnection::Linger() {
  if (discarded_.empty()) {
    discarded_.resize(64 << 10);
    stream_.expires_after(kLingerTimeout);
  }
  stream_.async_read_some(asio::buffer(discarded_), [self = shared_from_this()](ErrorCode error, size_t) {
    if (!error) {
      self->Linger();
    }
  });
}

}  // namespace cleave::server
