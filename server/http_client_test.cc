// Goal: an answer is had over TCP and, from a host that shows it is the one asked for, over TLS; whatever else happens
// is an error in time, however hostile the other side.
// Method: servers of a few lines that say what a test gives them; certificates made on the spot, trusted by
// SSL_CERT_FILE.
#include "server/http_client.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace cleave::server {
namespace {

namespace asio = boost::asio;
using TcpSocket = asio::ip::tcp::socket;

// Calls `serve` with each connection, one after the other.
class OneByOneServer {
 public:
  explicit OneByOneServer(std::function<void(TcpSocket)> serve)
      : thread_([this, serve = std::move(serve)] {
          for (;;) {
            boost::system::error_code error;
            TcpSocket socket = acceptor_.accept(error);
            if (error || is_ending_) {
              return;
            }
            serve(std::move(socket));
          }
        }) {}
  ~OneByOneServer() {
    is_ending_ = true;
    TcpSocket last(context_);
    boost::system::error_code ignored;
    last.connect({asio::ip::address_v4::loopback(), acceptor_.local_endpoint().port()}, ignored);
    thread_.join();
  }
  [[nodiscard]] HttpUrl url(const std::string& scheme = "http", const std::string& host = "127.0.0.1") {
    return ParseHttpUrl(absl::StrCat(scheme, "://", host, ":", acceptor_.local_endpoint().port(), "/auth")).value();
  }

 private:
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_{context_, {asio::ip::address_v4::any(), 0}};
  std::atomic<bool> is_ending_ = false;
  std::thread thread_;
};

template <typename Stream>
std::string Converse(Stream& stream, const std::string& answer) {
  boost::system::error_code ignored;
  asio::streambuf asked;
  asio::read_until(stream, asked, "\r\n\r\n", ignored);
  asio::write(stream, asio::buffer(answer), ignored);
  return {asio::buffers_begin(asked.data()), asio::buffers_end(asked.data())};
}

absl::Status StatusOfAnswer(const std::string& answer, absl::Duration timeout = absl::Seconds(5)) {
  OneByOneServer server([&](TcpSocket socket) { Converse(socket, answer); });
  HttpClient client;
  return client.Get(server.url(), {.path = "/x", .bearer = "t0ken", .timeout = timeout, .answer_bytes_max = 1000})
      .status();
}

TEST(HttpClient, UrlsAreReadStrictly) {
  const HttpUrl url = ParseHttpUrl("https://a.org/auth//").value();
  EXPECT_EQ(url.host, "a.org");
  EXPECT_EQ(url.port, 443);
  EXPECT_EQ(url.path, "/auth");
  for (const char* same : {"https://a.org", "http://a.org:8080/x/y", "http://[::1]:99", "https://10.0.0.1/a"}) {
    EXPECT_EQ(FormatHttpUrl(ParseHttpUrl(same).value()), same);
  }
  EXPECT_EQ(FormatHttpUrl(ParseHttpUrl("http://a.org:80/").value()), "http://a.org");
  for (const char* wrong :
       {"", "a.org/auth", "ftp://a.org", "https://", "https:///x", "https://u:p@a.org", "https://a.org:0",
        "https://a.org:x", "https://a.org:70000", "https://a.org?x=1", "https://a.org/#x", "https://a b",
        "https://a.org/\r\nX: y", "https://[::1", "https://a.org/\"x", "https://[::1]x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseHttpUrl(wrong).status())) << wrong;
  }
}

TEST(HttpClient, AsksWithTheTokenAndReadsTheAnswer) {
  std::string asked;
  OneByOneServer server(
      [&](TcpSocket socket) { asked = Converse(socket, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"); });
  HttpClient client;
  const HttpAnswer answer = client.Get(server.url(), {.path = "/api", .bearer = "t0ken"}).value();
  EXPECT_EQ(answer.code, 403);
  EXPECT_EQ(answer.body, "no");
  EXPECT_THAT(asked, testing::StartsWith("GET /auth/api HTTP/1.1\r\n"));
  EXPECT_THAT(asked, testing::HasSubstr("Authorization: Bearer t0ken\r\n"));
  EXPECT_THAT(asked, testing::HasSubstr("Host: 127.0.0.1:"));
}

TEST(HttpClient, WhatIsNoWholeAnswerIsAnError) {
  const std::string large(2000, 'x');
  for (const std::string& answer :
       {std::string(), std::string("hello\r\n\r\n"), std::string("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
        absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", large),
        absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", large),
        absl::StrCat("HTTP/1.1 200 OK\r\n\r\n", large),
        absl::StrCat("HTTP/1.1 200 OK\r\nX: ", std::string(100'000, 'x')),
        absl::StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n", large, "\r\n0\r\n\r\n")}) {
    const absl::Status status = StatusOfAnswer(answer);
    EXPECT_TRUE(absl::IsUnavailable(status)) << answer.substr(0, 60) << status;
    EXPECT_THAT(status.ToString(), testing::Not(testing::HasSubstr("t0ken")));
  }
}

TEST(HttpClient, NobodyThereIsAnError) {
  HttpUrl url;
  {
    OneByOneServer server([](const TcpSocket&) {});
    url = server.url();
  }
  HttpClient client;
  const absl::Status status = client.Get(url, {.path = "/x", .bearer = "t"}).status();
  EXPECT_THAT(status.ToString(), testing::HasSubstr("no connection"));
  url.host = "no-such-host.invalid";
  EXPECT_TRUE(absl::IsUnavailable(client.Get(url, {.path = "/x", .bearer = "t"}).status()));
}

TEST(HttpClient, ASilentServerIsNotWaitedForLong) {
  OneByOneServer server(
      [held = std::make_shared<std::vector<TcpSocket>>()](TcpSocket socket) { held->push_back(std::move(socket)); });
  HttpClient client;
  for (const char* scheme : {"http", "https"}) {
    const absl::Status status =
        client.Get(server.url(scheme), {.path = "/x", .bearer = "t", .timeout = absl::Milliseconds(50)}).status();
    EXPECT_THAT(status.ToString(), testing::HasSubstr("no answer within 50ms"));
  }
}

// A key and a certificate for localhost and 127.0.0.1 that vouches for itself.
class CertifiedServer {
 public:
  CertifiedServer() {
    key_ = EVP_EC_gen("P-256");
    certificate_ = X509_new();
    X509_set_version(certificate_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* name = X509_get_subject_name(certificate_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("cleave test"), -1, -1,
                               0);
    X509_set_issuer_name(certificate_, name);
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate_, certificate_, nullptr, nullptr, 0);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_add_ext(certificate_, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate_, key_, EVP_sha256());
    std::FILE* file = std::fopen(path_.c_str(), "we");
    PEM_write_X509(file, certificate_);
    std::fclose(file);
    SSL_CTX_use_certificate(tls_.native_handle(), certificate_);
    SSL_CTX_use_PrivateKey(tls_.native_handle(), key_);
    server_ = std::make_unique<OneByOneServer>([this](TcpSocket socket) {
      asio::ssl::stream<TcpSocket> stream(std::move(socket), tls_);
      boost::system::error_code error;
      stream.handshake(asio::ssl::stream_base::server, error);
      if (!error) {
        ++handshakes_;
        Converse(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      }
    });
  }
  ~CertifiedServer() {
    server_.reset();
    X509_free(certificate_);
    EVP_PKEY_free(key_);
    std::remove(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] HttpUrl url(const std::string& host) { return server_->url("https", host); }
  [[nodiscard]] int handshakes() const { return handshakes_; }

 private:
  const std::string path_ = absl::StrCat(testing::TempDir(), "/cleave_certificate_", getpid(), ".pem");
  asio::ssl::context tls_{asio::ssl::context::tls_server};
  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
  std::atomic<int> handshakes_ = 0;
  std::unique_ptr<OneByOneServer> server_;
};

TEST(HttpClient, OnlyTheHostThatIsAskedForIsTrusted) {
  CertifiedServer server;
  {
    HttpClient client;
    const absl::Status status = client.Get(server.url("localhost"), {.path = "/x", .bearer = "t"}).status();
    EXPECT_THAT(status.ToString(), testing::HasSubstr("no trusted TLS connection"));
    EXPECT_EQ(server.handshakes(), 0) << "the token was never sent";
  }
  ASSERT_EQ(setenv("SSL_CERT_FILE", server.path().c_str(), 1), 0);
  HttpClient client;
  ASSERT_EQ(unsetenv("SSL_CERT_FILE"), 0);
  EXPECT_EQ(client.Get(server.url("localhost"), {.path = "/x", .bearer = "t"}).value().body, "ok");
  EXPECT_EQ(client.Get(server.url("127.0.0.1"), {.path = "/x", .bearer = "t"}).value().body, "ok");
  const absl::Status status = client.Get(server.url("127.0.0.2"), {.path = "/x", .bearer = "t"}).status();
  EXPECT_THAT(status.ToString(), testing::HasSubstr("no trusted TLS connection")) << "not what the certificate names";
}

}  // namespace
}  // namespace cleave::server
