// See metrics_server.hpp. One request a connection: a scrape every few seconds needs no more.
#include "examples/home-agent/metrics_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes an empty boost::optional in Beast's parser for one that is read.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <boost/beast/http.hpp>
#include <deque>
#include <optional>
#include <utility>

#include "mnd/linux/boot_timer.hpp"
#include "mnd/linux/os_error.hpp"

namespace mip6ha {

namespace {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using boost::system::error_code;
using mip6::Error;
using mnd::kernel::count;
using mnd::kernel::kTooManyClients;
using mnd::kernel::Refusals;

constexpr mip6::Duration kAcceptRetry = std::chrono::seconds{1};

// What all clients of a server have in common.
struct Common {
  std::function<http::response<http::string_body>(const http::request<http::empty_body>& request)> answer;
  Refusals refusals;
};

// Empty: it left before it had asked, which is nothing that is refused.
std::string_view refusal_of(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return "the header is too large";
  if (error == http::error::body_limit || error == http::error::unexpected_body) return "a request has no body";
  if (error.category() != http::make_error_code(http::error::end_of_stream).category()) return {};
  return error == http::error::end_of_stream || error == http::error::partial_message ? "" : "it is not HTTP";
}

// One client. Lives as long as its read or write is pending.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::size_t header_limit, std::shared_ptr<Common> common, mip6::BootTime until)
      : socket_{std::move(socket)}, buffer_{header_limit}, common_{std::move(common)}, until_{until} {
    parser_.header_limit(static_cast<std::uint32_t>(header_limit));
    parser_.body_limit(std::uint64_t{0});
  }

  mip6::BootTime until() const { return until_; }
  bool closed() const { return !socket_.is_open(); }
  void close() {
    error_code ignored;
    socket_.close(ignored);
  }

  void read() {
    http::async_read(socket_, buffer_, parser_, [self = shared_from_this()](const error_code& error, std::size_t) {
      if (self->closed()) return;
      // Not HTTP, too large, or with a body: no answer would be understood.
      if (error) {
        if (const auto name = refusal_of(error); !name.empty()) count(self->common_->refusals, name);
        return self->close();
      }
      self->write();
    });
  }

 private:
  void write() {
    response_ = common_->answer(parser_.get());
    http::async_write(socket_, response_, [self = shared_from_this()](const error_code&, std::size_t) {
      error_code ignored;
      if (!self->closed()) self->socket_.shutdown(tcp::socket::shutdown_both, ignored);
      self->close();
    });
  }

  tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  http::request_parser<http::empty_body> parser_;
  http::response<http::string_body> response_;
  std::shared_ptr<Common> common_;
  mip6::BootTime until_;
};

class HttpServer final : public MetricsServer {
 public:
  HttpServer(boost::asio::io_context& loop, tcp::acceptor acceptor, Render render, const MetricsLimits& limits)
      : acceptor_{std::move(acceptor)},
        render_{std::move(render)},
        limits_{limits},
        timer_{loop, [this] { deadline_reached(); }},
        retry_{loop, [this] { accept(); }},
        alive_{std::make_shared<bool>(true)} {
    common_->answer = [this](const auto& request) { return answer(request); };
    accept();
  }
  ~HttpServer() override {
    *alive_ = false;
    for (const auto& client : clients_) client->close();
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const override {
    error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
  }
  std::size_t clients() const override {
    std::size_t open = 0;
    for (const auto& client : clients_) open += client->closed() ? 0 : 1;
    return open;
  }
  Refusals refusals() const override { return common_->refusals; }

 private:
  void accept() {
    acceptor_.async_accept([this, alive = alive_](const error_code& error, tcp::socket socket) {
      if (!*alive || error == boost::asio::error::operation_aborted) return;
      // No descriptor is left, probably: trying again at once would spin.
      if (error) return retry_.arm(mnd::kernel::boot_now() + kAcceptRetry);
      add(std::move(socket));
      accept();
    });
  }

  void add(tcp::socket socket) {
    std::erase_if(clients_, [](const auto& client) { return client->closed(); });
    // The oldest goes, so that clients that only sit there keep nobody out.
    if (clients_.size() >= limits_.clients) {
      count(common_->refusals, kTooManyClients);
      clients_.front()->close();
      clients_.pop_front();
    }
    clients_.push_back(std::make_shared<Connection>(std::move(socket), limits_.header, common_,
                                                    mnd::kernel::boot_now() + limits_.deadline));
    clients_.back()->read();
    arm();
  }

  void deadline_reached() {
    while (!clients_.empty() && (clients_.front()->closed() || clients_.front()->until() <= mnd::kernel::boot_now())) {
      if (!clients_.front()->closed()) count(common_->refusals, "it is too slow");
      clients_.front()->close();
      clients_.pop_front();
    }
    arm();
  }

  void arm() { timer_.arm(clients_.empty() ? std::nullopt : std::optional{clients_.front()->until()}); }

  http::response<http::string_body> answer(const http::request<http::empty_body>& request) {
    http::response<http::string_body> response;
    response.version(11);
    response.keep_alive(false);
    response.set(http::field::content_type, "text/plain; charset=utf-8");
    const auto path = request.target().substr(0, request.target().find('?'));
    if (request.method() != http::verb::get) {
      count(common_->refusals, "the method is not GET");
      response.result(http::status::method_not_allowed);
      response.set(http::field::allow, "GET");
    } else if (path != "/metrics") {
      count(common_->refusals, "there is no such path");
      response.result(http::status::not_found);
      response.body() = "ask for /metrics\n";
    } else {
      const auto accept = request[http::field::accept];
      const auto form = form_for({accept.data(), accept.size()});
      response.set(http::field::content_type,
                   boost::beast::string_view{content_type(form).data(), content_type(form).size()});
      response.body() = text(form);
    }
    response.prepare_payload();
    return response;
  }

  const std::string& text(MetricsForm form) {
    auto& last = rendered_.at(static_cast<std::size_t>(form));
    const auto now = mnd::kernel::boot_now();
    if (!last.at || now - *last.at >= limits_.fresh) last = {.text = render_(form), .at = now};
    return last.text;
  }

  struct Rendered {
    std::string text;
    std::optional<mip6::BootTime> at;
  };

  tcp::acceptor acceptor_;
  Render render_;
  MetricsLimits limits_;
  mnd::kernel::BootTimer timer_;
  mnd::kernel::BootTimer retry_;
  std::shared_ptr<bool> alive_;
  std::shared_ptr<Common> common_ = std::make_shared<Common>();
  std::deque<std::shared_ptr<Connection>> clients_;  // the oldest first
  std::array<Rendered, 2> rendered_;                 // by form
};

}  // namespace

tl::expected<std::unique_ptr<MetricsServer>, Error> MetricsServer::open(boost::asio::io_context& loop,
                                                                        const MetricsEndpoint& endpoint, Render render,
                                                                        const MetricsLimits& limits) {
  boost::asio::ip::address_v6::bytes_type bytes;
  std::copy(endpoint.address.bytes.begin(), endpoint.address.bytes.end(), bytes.begin());
  const tcp::endpoint at{boost::asio::ip::address_v6{bytes}, endpoint.port};
  tcp::acceptor acceptor{loop};
  error_code error;
  const auto step = [&](auto&& call) {
    if (!error) call();
  };
  step([&] { acceptor.open(at.protocol(), error); });
  step([&] { acceptor.set_option(tcp::acceptor::reuse_address{true}, error); });
  step([&] { acceptor.set_option(boost::asio::ip::v6_only{true}, error); });
  step([&] { acceptor.bind(at, error); });
  step([&] { acceptor.listen(static_cast<int>(limits.clients), error); });
  if (error)
    return tl::unexpected(mnd::kernel::os_error(
        error.value(), "serve metrics", fmt::format("[{}]:{}", endpoint.address.to_string(), endpoint.port),
        "name an address of this machine and a free port: metrics = [ADDRESS]:PORT"));
  return std::make_unique<HttpServer>(loop, std::move(acceptor), std::move(render), limits);
}

}  // namespace mip6ha
