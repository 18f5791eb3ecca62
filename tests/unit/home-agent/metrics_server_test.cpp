// The metrics' port: who asks as it should is answered, whoever else is connected; who does not is closed.
#include "examples/home-agent/metrics_server.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.hpp"

namespace mip6ha {
namespace {

using namespace std::chrono_literals;

constexpr int kRounds = 10'000;  // of the loop, a millisecond each: a guard against hanging

struct Harness {
  explicit Harness(MetricsLimits limits = {}, std::size_t size = 0) {
    auto opened = MetricsServer::open(
        loop, {.address = *mip6::Ipv6Address::parse("::1"), .port = 0},
        [this, size](MetricsForm form) {
          ++rendered;
          return std::string(form == MetricsForm::kText ? "text\n" : "open\n") + std::string(size, 'x');
        },
        limits);
    if (!opened) FAIL(opened.error().to_string());
    server = std::move(*opened);
  }
  template <typename Done>
  bool until(Done done) {
    for (int i = 0; i < kRounds; ++i) {
      if (done()) return true;
      loop.restart();
      loop.run_for(1ms);
    }
    return done();
  }

  boost::asio::io_context loop;
  int rendered = 0;
  std::unique_ptr<MetricsServer> server;
};

class Client {
 public:
  explicit Client(Harness& harness, int receive_buffer = 0) : harness_{harness} {
    socket_ = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(socket_ >= 0);
    if (receive_buffer > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(harness.server->port());
    address.sin6_addr = in6addr_loopback;
    const int done = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    REQUIRE((done == 0 || errno == EINPROGRESS));
  }
  Client(Client&& other) noexcept : harness_{other.harness_}, socket_{std::exchange(other.socket_, -1)} {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  Client& operator=(Client&&) = delete;
  ~Client() {
    if (socket_ >= 0) ::close(socket_);
  }

  // As much as goes; the rest is for nobody.
  void send(std::string_view bytes) {
    REQUIRE(harness_.until([&] {
      pollfd ready{.fd = socket_, .events = POLLOUT, .revents = 0};
      return ::poll(&ready, 1, 0) == 1;
    }));
    (void)::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // What is received until the connection is closed by the other end.
  std::string all() {
    std::string text;
    const bool closed = harness_.until([&] { return read(text); });
    CHECK(closed);
    return text;
  }

 private:
  bool read(std::string& text) const {
    char block[4096];
    for (;;) {
      const auto size = ::recv(socket_, block, sizeof block, 0);
      if (size > 0)
        text.append(block, static_cast<std::size_t>(size));
      else
        return size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    }
  }

  Harness& harness_;
  int socket_ = -1;
};

const std::string kAsk = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kAskOpen = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\n\r\n";

bool answers(Harness& harness) {
  Client client{harness};
  client.send(kAsk);
  return client.all().ends_with("\r\n\r\ntext\n");
}

TEST_CASE("the metrics are told in the form that is asked for", "[metrics]") {
  Harness harness;
  Client plain{harness};
  plain.send(kAsk);
  const auto text = plain.all();
  CHECK(text.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(text.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != std::string::npos);
  CHECK(text.find("Content-Length: 5\r\n") != std::string::npos);
  CHECK(text.ends_with("\r\n\r\ntext\n"));

  Client open{harness};
  open.send(kAskOpen);
  const auto told = open.all();
  CHECK(told.find("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n") != std::string::npos);
  CHECK(told.ends_with("\r\n\r\nopen\n"));
  CHECK(harness.until([&] { return harness.server->clients() == 0; }));
}

TEST_CASE("other paths and methods are told so", "[metrics]") {
  Harness harness;
  const auto [request, status] =
      GENERATE(table<std::string, std::string>({{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "404 "},
                                                {"GET /metrics/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", "404 "},
                                                {"DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "405 "},
                                                {"GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200 "}}));
  Client client{harness};
  client.send(request);
  CHECK(client.all().starts_with("HTTP/1.1 " + status));
}

TEST_CASE("what is no request, or too large a one, is closed without an answer", "[metrics]") {
  Harness harness;
  const auto bytes = GENERATE(std::string(100'000, '\0'), "\x16\x03\x01 hello\r\n\r\n",
                              "GET /metrics HTTP/1.1\r\nA: " + std::string(20'000, 'a'),
                              "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n",
                              "POST /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + std::string(10'000, 'b'));
  Client client{harness};
  client.send(bytes);
  CHECK(client.all().find("text\n") == std::string::npos);
  CHECK(harness.rendered == 0);
  CHECK(harness.until([&] { return harness.server->clients() == 0; }));
  CHECK(answers(harness));
}

TEST_CASE("who sends nothing, or half a request, is closed at its deadline", "[metrics]") {
  Harness harness{{.deadline = 50ms}};
  Client silent{harness};
  Client half{harness};
  half.send(kAsk.substr(0, 20));
  CHECK(silent.all().empty());
  CHECK(half.all().empty());
  CHECK(harness.server->clients() == 0);
  CHECK(harness.rendered == 0);
}

TEST_CASE("who does not read is closed at its deadline, and keeps nobody waiting", "[metrics]") {
  constexpr std::size_t kSize = 64 * 1024 * 1024;  // more than any socket takes
  Harness harness{{.deadline = 300ms}, kSize};
  Client deaf{harness, 4096};
  deaf.send(kAsk);
  REQUIRE(harness.until([&] { return harness.rendered == 1; }));
  CHECK(harness.server->clients() == 1);
  CHECK(harness.until([&] { return harness.server->clients() == 0; }));
  CHECK(deaf.all().size() < kSize);
}

TEST_CASE("who is turned away at the metrics' port is counted by name", "[metrics]") {
  Harness harness{{.deadline = 50ms}};
  const auto sent = [&](const std::string& bytes) {
    Client client{harness};
    client.send(bytes);
    client.all();
  };
  sent("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  sent("PUT /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  sent("\x16\x03\x01 hello\r\n\r\n");
  sent("GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n");
  sent("GET /metrics HTTP/1.1\r\nA: " + std::string(20'000, 'a'));
  sent("POST /metrics HTTP/1.1\r\nContent-Length: 10\r\n\r\n" + std::string(10, 'b'));
  sent("");
  { const Client leaves{harness}; }
  CHECK(harness.until([&] { return harness.server->clients() == 0; }));
  CHECK(harness.server->refusals() == mnd::kernel::Refusals{{"a request has no body", 1},
                                                            {"it is not HTTP", 1},
                                                            {"it is too slow", 1},
                                                            {"the header is too large", 2},
                                                            {"the method is not GET", 1},
                                                            {"there is no such path", 1}});
}

TEST_CASE("many that only sit there keep nobody out, and there are never more than the limit", "[metrics]") {
  Harness harness{{.clients = 4, .deadline = 1h}};
  std::vector<Client> sitting;
  for (std::size_t i = 0; i < 50; ++i) {
    sitting.emplace_back(harness);
    // Each is accepted before the next one asks: the system promises no order among those that wait.
    if (i < 4) CHECK(harness.until([&] { return harness.server->clients() == i + 1; }));
    if (i >= 4) CHECK(sitting[i - 4].all().empty());  // the oldest is closed
    CHECK(harness.server->clients() <= 4);
  }
  CHECK(answers(harness));
  CHECK(harness.server->clients() <= 4);
  CHECK(harness.server->refusals().at("a newer client had no room") >= 46);
}

TEST_CASE("asking in a loop makes the text no more often than it is fresh", "[metrics]") {
  Harness harness{{.fresh = 1h}};
  for (int i = 0; i < 20; ++i) CHECK(answers(harness));
  CHECK(harness.rendered == 1);
}

TEST_CASE("a port that is taken is an error that names it", "[metrics]") {
  Harness harness;
  const auto second =
      MetricsServer::open(harness.loop, {.address = *mip6::Ipv6Address::parse("::1"), .port = harness.server->port()},
                          [](MetricsForm) { return std::string{}; });
  REQUIRE_FALSE(second);
  CHECK(second.error().to_string().find("[::1]:" + std::to_string(harness.server->port())) != std::string::npos);
}

TEST_CASE("a server that goes closes its connections", "[metrics]") {
  Harness harness;
  Client client{harness};
  REQUIRE(harness.until([&] { return harness.server->clients() == 1; }));
  harness.server.reset();
  CHECK(client.all().empty());
}

}  // namespace
}  // namespace mip6ha
