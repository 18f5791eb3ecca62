// See control_server.hpp.
#include "mnd/linux/control_server.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "mnd/linux/os_error.hpp"
#include "mnd/linux/turns.hpp"

namespace mnd::kernel {

namespace {

using boost::asio::local::stream_protocol;
using nlohmann::json;

constexpr std::chrono::seconds kAcceptRetry{1};
// Names of refusals, beside the reasons of parse_control_request().
constexpr std::string_view kTooLong = "the request is too long";
constexpr std::string_view kUnread = "a stream is not read";
constexpr std::string_view kRequestRemedy = R"(send one JSON object per line, {"command": "status"})";

// How deep arrays and objects are nested in a text, whether it is JSON or not.
int nesting_of(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

std::vector<gid_t> further_groups(int descriptor) {
  std::vector<gid_t> groups;
  socklen_t size = 0;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, nullptr, &size) == 0 || errno != ERANGE) return groups;
  groups.resize(size / sizeof(gid_t));
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) groups.clear();
  return groups;
}

// Of the process that has connected; who it is later does not count.
Asker asker_on(int descriptor, std::optional<gid_t> group) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return Asker::kOther;
  if (peer.uid == 0 || peer.uid == ::geteuid()) return Asker::kRoot;
  const auto groups = further_groups(descriptor);
  const bool member = group && (peer.gid == *group || std::find(groups.begin(), groups.end(), *group) != groups.end());
  return member ? Asker::kMember : Asker::kOther;
}

// What all clients of a server have in common.
struct Common {
  std::optional<gid_t> group;
  ControlServer::Handler handler;
  std::shared_ptr<Turns> turns;
  Refusals refusals;
};
using SharedCommon = std::shared_ptr<Common>;

// One client. Lives as long as one of its reads or writes is pending, an answer is to come later, or its server keeps
// it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(stream_protocol::socket socket, SharedCommon common)
      : socket_{std::move(socket)},
        common_{std::move(common)},
        asker_{asker_on(socket_.native_handle(), common_->group)} {}

  bool streams() const { return stream_ && !closed(); }
  bool closed() const { return !socket_.is_open(); }
  Asker asker() const { return asker_; }
  // Something is being done for it, which takes its time.
  bool is_told_later() const { return answering_ && !rest_; }
  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  void read() {
    socket_.async_read_some(boost::asio::buffer(block_),
                            [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
                              if (self->closed()) return;
                              if (!error) return self->received({self->block_.data(), size});
                              self->finished_ = true;
                              self->close_when_sent();
                            });
  }

  void publish(const std::string& line) {
    if (!answering_) return send(line);
    // Not into the middle of an answer.
    if (published_.size() + line.size() > kMaxControlBacklog) return close_unread();
    published_ += line;
    published_ += '\n';
  }

 private:
  void send(const std::string& line) {
    if (closed() || finished_) return;
    // One answer may be longer.
    if (is_sending() && waiting_.size() + line.size() > kMaxControlBacklog) return close_unread();
    waiting_ += line;
    waiting_ += '\n';
    write();
  }

  void received(std::string_view bytes) {
    input_ += bytes;
    next();
  }

  // A request waits until the answers before it are sent, a piece of an answer until the pieces before it are: who does
  // not read is not answered without end. Nothing more is read before it had its turn.
  void next() {
    if (closed() || finished_) return;
    blocked_ = false;
    if (!answering_ && input_.find('\n') == std::string::npos) {
      if (input_.size() > kMaxControlLine) return refuse_long_line();
      return read();
    }
    const bool comes_later = answering_ && !rest_;
    blocked_ = is_sending() || comes_later;
    if (blocked_) return;
    common_->turns->wait([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->take_turn();
    });
  }

  void take_turn() {
    if (closed()) return;
    if (rest_)
      add_piece();
    else
      answer(next_line());
    next();
  }

  std::string next_line() {
    const auto end = input_.find('\n');
    auto line = input_.substr(0, end);
    input_.erase(0, end + 1);
    return line;
  }

  void answer(const std::string& line) {
    if (line.size() > kMaxControlLine) return refuse_long_line();
    if (line.find_first_not_of(" \t\r") == std::string::npos) return;
    const auto request = parse_control_request(line);
    if (!request) {
      count(common_->refusals, request.error().reason);
      return send(control_error(request.error().reason, request.error().remedy));
    }
    auto answer = common_->handler(*request, asker_);
    stream_ |= answer.stream;
    if (!answer.rest && !answer.later) return send(answer.line);
    answering_ = true;
    if (answer.later)
      return answer.later([self = shared_from_this()](const std::string& told) { self->end_line(told); });
    rest_ = std::move(answer.rest);
    waiting_ += answer.line;
    write();
  }

  void add_piece() {
    if (const auto piece = rest_()) {
      waiting_ += *piece;
      return write();
    }
    rest_ = nullptr;
    end_line({});
  }

  void end_line(const std::string& told) {
    if (closed()) return;
    answering_ = false;
    waiting_ += told;
    waiting_ += '\n';
    waiting_ += std::exchange(published_, {});
    write();
  }

  void refuse_long_line() {
    count(common_->refusals, kTooLong);
    send(control_error(fmt::format("a request has at most {} bytes", kMaxControlLine), "send a shorter one"));
    finished_ = true;
    close_when_sent();
  }

  void close_unread() {
    count(common_->refusals, kUnread);
    close();
  }

  bool is_sending() const { return !sending_.empty() || !waiting_.empty(); }

  void close_when_sent() {
    if (finished_ && !is_sending()) close();
  }

  void write() {
    if (!sending_.empty() || waiting_.empty()) return;
    sending_.swap(waiting_);
    boost::asio::async_write(socket_, boost::asio::buffer(sending_),
                             [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                               self->sending_.clear();
                               if (self->closed()) return;
                               if (error) return self->close();
                               if (!self->waiting_.empty()) return self->write();
                               self->close_when_sent();
                               if (self->blocked_) self->next();
                             });
  }

  stream_protocol::socket socket_;
  SharedCommon common_;
  Asker asker_;
  std::array<char, 4096> block_{};
  std::string input_;
  std::string sending_;
  std::string waiting_;
  bool stream_ = false;
  bool blocked_ = false;    // the next request or piece waits for those before it to be sent, or told
  bool answering_ = false;  // a line is not complete: what is published meanwhile waits for its end
  std::function<std::optional<std::string>()> rest_;  // of that line
  std::string published_;
  bool finished_ = false;  // nothing more is read or taken: what waits is sent, then it is closed
};

class UnixControlServer final : public ControlServer {
 public:
  UnixControlServer(boost::asio::io_context& loop, stream_protocol::acceptor acceptor, std::filesystem::path path,
                    std::optional<gid_t> group, Handler handler)
      : acceptor_{std::move(acceptor)},
        retry_{acceptor_.get_executor()},
        path_{std::move(path)},
        alive_{std::make_shared<bool>(true)} {
    common_->group = group;
    common_->handler = std::move(handler);
    common_->turns = std::make_shared<Turns>(loop);
    accept();
  }
  ~UnixControlServer() override {
    *alive_ = false;
    for (const auto& client : clients_) client->close();
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  UnixControlServer(const UnixControlServer&) = delete;
  UnixControlServer& operator=(const UnixControlServer&) = delete;

  void publish(const std::string& line) override {
    for (const auto& client : clients_)
      if (client->streams()) client->publish(line);
  }
  bool has_streams() const override {
    return std::any_of(clients_.begin(), clients_.end(), [](const auto& client) { return client->streams(); });
  }
  Refusals refusals() const override { return common_->refusals; }

 private:
  void accept() {
    acceptor_.async_accept(
        [this, alive = alive_](const boost::system::error_code& error, stream_protocol::socket socket) {
          if (!*alive || error == boost::asio::error::operation_aborted) return;
          if (error) return accept_later();
          add(std::move(socket));
          accept();
        });
  }

  // No descriptor is left, probably: trying again at once would spin.
  void accept_later() {
    retry_.expires_after(kAcceptRetry);
    retry_.async_wait([this, alive = alive_](const boost::system::error_code&) {
      if (*alive) accept();
    });
  }

  void add(stream_protocol::socket socket) {
    std::erase_if(clients_, [](const auto& client) { return client->closed(); });
    if (clients_.size() >= kMaxControlClients) close_one();
    clients_.push_back(std::make_shared<Connection>(std::move(socket), common_));
    clients_.back()->read();
  }

  // The oldest goes, so that clients that only sit there keep nobody out; one that may only look before all others.
  void close_one() {
    count(common_->refusals, kTooManyClients);
    const auto looks = [](const auto& client) { return client->asker() == Asker::kOther; };
    const auto idle = [](const auto& client) { return !client->is_told_later(); };
    auto oldest = std::find_if(clients_.begin(), clients_.end(), looks);
    if (oldest == clients_.end()) oldest = std::find_if(clients_.begin(), clients_.end(), idle);
    if (oldest == clients_.end()) oldest = clients_.begin();
    (*oldest)->close();
    clients_.erase(oldest);
  }

  stream_protocol::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  std::filesystem::path path_;
  SharedCommon common_ = std::make_shared<Common>();
  std::shared_ptr<bool> alive_;
  std::vector<std::shared_ptr<Connection>> clients_;  // oldest first
};

// A socket that nobody listens on any more is removed; one with a listener is an error.
tl::expected<void, mip6::Error> remove_stale(boost::asio::io_context& loop, const stream_protocol::endpoint& endpoint,
                                             const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode))
    return tl::unexpected(mip6::Error{.tried = "make the control socket",
                                      .on = path.string(),
                                      .reason = "something else has this name",
                                      .remedy = "remove it, or choose another control-socket"});
  stream_protocol::socket probe{loop};
  boost::system::error_code error;
  probe.connect(endpoint, error);
  if (!error)
    return tl::unexpected(mip6::Error{.tried = "make the control socket",
                                      .on = path.string(),
                                      .reason = "it is already running",
                                      .remedy = "stop the other process first, or choose another control-socket"});
  ::unlink(path.c_str());
  return {};
}

std::optional<gid_t> group_id(const std::string& name) {
  const auto* entry = ::getgrnam(name.c_str());
  return entry ? std::optional{entry->gr_gid} : std::nullopt;
}

void allow(const std::filesystem::path& path, std::optional<gid_t> group, Readers readers) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return;
  // The units run in that group, and may not give files away.
  const bool given = group && (status.st_gid == *group || ::chown(path.c_str(), uid_t(-1), *group) == 0);
  if (readers == Readers::kEveryone)
    ::chmod(path.c_str(), 0666);
  else if (given)
    ::chmod(path.c_str(), 0660);
}

}  // namespace

tl::expected<json, mip6::Error> parse_control_request(std::string_view line) {
  const auto refused = [](std::string reason) {
    return tl::unexpected(mip6::Error{.tried = "read a request",
                                      .on = "the control socket",
                                      .reason = std::move(reason),
                                      .remedy = std::string{kRequestRemedy}});
  };
  if (nesting_of(line) > kMaxControlDepth) return refused("the request is nested too deeply");
  auto request = json::parse(line, nullptr, false);
  if (!request.is_object()) return refused("the request is no JSON object");
  const auto command = request.find("command");
  if (command == request.end() || !command->is_string()) return refused("the request has no \"command\"");
  return request;
}

std::string control_line(const json& message) { return message.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string control_error(const std::string& what, const std::string& remedy, std::string_view kind) {
  return control_line({{"version", kControlVersion}, {"error", {{"what", what}, {"remedy", remedy}, {"kind", kind}}}});
}

tl::expected<std::unique_ptr<ControlServer>, mip6::Error> ControlServer::open(boost::asio::io_context& loop,
                                                                              const std::filesystem::path& path,
                                                                              const std::string& group, Handler handler,
                                                                              Readers readers) {
  const auto failed = [&](int number, const char* remedy) {
    return tl::unexpected(os_error(number, "make the control socket", path.string(), remedy));
  };
  constexpr std::size_t kMaxPath = 107;  // sun_path
  if (path.native().size() > kMaxPath) return failed(ENAMETOOLONG, "choose a shorter path");
  std::error_code folder_error;
  std::filesystem::create_directories(path.parent_path(), folder_error);
  if (folder_error) return failed(folder_error.value(), "check the path, or start it as root");

  const stream_protocol::endpoint endpoint{path.string()};
  if (auto removed = remove_stale(loop, endpoint, path); !removed) return tl::unexpected(removed.error());
  stream_protocol::acceptor acceptor{loop};
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (error) return failed(error.value(), "");
  // nobody else may connect before the group is set
  const auto former = ::umask(0177);
  acceptor.bind(endpoint, error);
  ::umask(former);
  if (error) return failed(error.value(), "check that the folder is writable, or start it as root");
  const auto members = group_id(group);
  allow(path, members, readers);
  acceptor.listen(kMaxControlClients, error);
  if (error) return failed(error.value(), "");
  return std::make_unique<UnixControlServer>(loop, std::move(acceptor), path, members, std::move(handler));
}

}  // namespace mnd::kernel
