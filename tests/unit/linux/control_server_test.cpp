// The server and its clients in one thread: blocking clients would wait for themselves, so everything goes by the loop.
#include "mnd/linux/control_server.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>

#include "mnd/linux/descriptor.hpp"
#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mnd::kernel;
using nlohmann::json;

namespace {

// Answers {"echo": command}; "watch" gets a stream.
ControlServer::Answer echo(const json& request, Asker) {
  const auto command = request.at("command").get<std::string>();
  return {json{{"echo", command}}.dump(), command == "watch"};
}

struct Server {
  explicit Server(ControlServer::Handler handler = echo, const std::string& group = "no such group here",
                  Readers readers = Readers::kGroup) {
    auto opened = ControlServer::open(loop, path, group, std::move(handler), readers);
    REQUIRE(opened);
    server = std::move(*opened);
  }
  // Until nothing is ready any more: local sockets are ready at once.
  void run() {
    while (loop.poll() > 0) {
    }
  }
  TemporaryFolder folder;
  std::filesystem::path path = folder / "run/control.sock";
  boost::asio::io_context loop;
  std::unique_ptr<ControlServer> server;
};

class Client {
 public:
  explicit Client(const std::filesystem::path& path)
      : socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    connected = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  void send(std::string_view bytes) { REQUIRE(try_send(bytes) == static_cast<ssize_t>(bytes.size())); }
  ssize_t try_send(std::string_view bytes) { return ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void finish_sending() { ::shutdown(socket_.get(), SHUT_WR); }
  // What has arrived; `closed` tells whether the server ended the connection.
  std::string received() {
    std::string result;
    std::array<char, 65536> block{};
    for (;;) {
      const auto got = ::recv(socket_.get(), block.data(), block.size(), 0);
      closed = got == 0 || (got < 0 && errno != EAGAIN);
      if (got <= 0) return result;
      result.append(block.data(), static_cast<std::size_t>(got));
    }
  }
  bool connected = false;
  bool closed = false;

 private:
  Descriptor socket_;
};

// What else the loop has to do: a descriptor that can always be read, a thousand times.
class Beside {
 public:
  Beside(boost::asio::io_context& loop, std::function<void()> work) : other_{loop}, work_{std::move(work)} {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    writer_ = Descriptor{ends[1]};
    other_.assign(ends[0]);
    REQUIRE(::write(writer_.get(), "x", 1) == 1);
    wait();
  }

 private:
  void wait() {
    other_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const auto& error) {
      if (error) return;
      work_();
      if (--left_ > 0) wait();
    });
  }

  boost::asio::posix::stream_descriptor other_;
  Descriptor writer_;
  std::function<void()> work_;
  int left_ = 1000;
};

}  // namespace

TEST_CASE("a request is answered with one line") {
  Server fixture;
  Client client{fixture.path};
  client.send("{\"command\": \"status\"}\n");
  fixture.run();
  CHECK(client.received() == "{\"echo\":\"status\"}\n");
  CHECK_FALSE(client.closed);
}

TEST_CASE("requests may come in pieces, several at once, and with empty lines between") {
  Server fixture;
  Client client{fixture.path};
  client.send("{\"comm");
  fixture.run();
  CHECK(client.received().empty());
  client.send("and\":\"a\"}\n\n \r\n{\"command\":\"b\"}\n{");
  fixture.run();
  CHECK(client.received() == "{\"echo\":\"a\"}\n{\"echo\":\"b\"}\n");
}

TEST_CASE("what is no request is answered with an error, and the next one works") {
  Server fixture;
  Client client{fixture.path};
  for (const std::string_view line :
       {"nonsense", "[]", "{}", "{\"command\":5}", "\xff\xfe", "{\"command\":\"\xff\"}"}) {
    client.send(std::string{line} + "\n");
    fixture.run();
    const auto answer = json::parse(client.received());
    CHECK(answer.at("error").at("what").is_string());
    CHECK(answer.at("error").at("remedy").is_string());
    CHECK(answer.at("version") == kControlVersion);
  }
  client.send(std::string(1, '\0') + "\n{\"command\":\"status\"}\n");
  fixture.run();
  CHECK(client.received().find("{\"echo\":\"status\"}\n") != std::string::npos);
}

TEST_CASE("nesting is limited, wherever brackets are not text") {
  CHECK(parse_control_request(R"({"command":"a","x":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["})"));
  CHECK(parse_control_request(R"({"command":"a","x":"\"[[[[[[[[[[[[[[[[[[[[[[[[[[[["})"));
  CHECK_FALSE(parse_control_request("{\"command\":\"a\",\"x\":" + std::string(16, '[') + std::string(16, ']') + "}"));
  CHECK(parse_control_request("{\"command\":\"a\",\"x\":" + std::string(15, '[') + std::string(15, ']') + "}"));
  CHECK_FALSE(parse_control_request(std::string(60000, '[')));
}

TEST_CASE("a line that is too long is refused and ends the connection") {
  Server fixture;
  Client client{fixture.path};
  const std::string block(4096, 'x');
  for (int i = 0; i < 20; ++i) {
    client.try_send(block);
    fixture.run();
  }
  CHECK(client.received().find("at most 65536 bytes") != std::string::npos);
  CHECK(client.closed);
}

TEST_CASE("a client that leaves in the middle does not disturb others") {
  Server fixture;
  Client other{fixture.path};
  {
    Client client{fixture.path};
    client.send("{\"command\":\"watch\"}\n{\"comm");
    fixture.run();
  }
  fixture.server->publish("{}");
  fixture.run();
  CHECK_FALSE(fixture.server->has_streams());
  other.send("{\"command\":\"status\"}\n");
  fixture.run();
  CHECK(other.received() == "{\"echo\":\"status\"}\n");
}

TEST_CASE("a client that sends no more still gets its answer") {
  Server fixture;
  Client client{fixture.path};
  client.send("{\"command\":\"status\"}\n");
  client.finish_sending();
  fixture.run();
  CHECK(client.received() == "{\"echo\":\"status\"}\n");
  CHECK(client.closed);
}

TEST_CASE("what is published goes to those who asked for a stream") {
  Server fixture;
  Client plain{fixture.path};
  Client watching{fixture.path};
  plain.send("{\"command\":\"status\"}\n");
  watching.send("{\"command\":\"watch\"}\n");
  fixture.run();
  CHECK(fixture.server->has_streams());
  fixture.server->publish("{\"n\":1}");
  fixture.server->publish("{\"n\":2}");
  fixture.run();
  CHECK(watching.received() == "{\"echo\":\"watch\"}\n{\"n\":1}\n{\"n\":2}\n");
  CHECK(plain.received() == "{\"echo\":\"status\"}\n");
}

TEST_CASE("a stream that is not read is closed, and costs no more than its limit") {
  Server fixture;
  Client client{fixture.path};
  client.send("{\"command\":\"watch\"}\n");
  fixture.run();
  const std::string line(64 * 1024, 'x');
  for (int i = 0; i < 100 && fixture.server->has_streams(); ++i) {
    fixture.server->publish(line);
    fixture.run();
  }
  CHECK_FALSE(fixture.server->has_streams());
}

TEST_CASE("one client too many closes the oldest") {
  Server fixture;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i <= kMaxControlClients; ++i) {
    clients.push_back(std::make_unique<Client>(fixture.path));
    REQUIRE(clients.back()->connected);
    fixture.run();
  }
  clients.front()->received();
  CHECK(clients.front()->closed);
  clients.back()->send("{\"command\":\"status\"}\n");
  fixture.run();
  CHECK(clients.back()->received() == "{\"echo\":\"status\"}\n");
}

TEST_CASE("the socket is for its owner only where the group does not exist, and goes with the server") {
  Server fixture;
  struct stat status {};
  REQUIRE(::stat(fixture.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  fixture.server.reset();
  CHECK_FALSE(std::filesystem::exists(fixture.path));
  fixture.loop.run();  // nothing is left to wait for
}

TEST_CASE("one answer may be long, but not many of them for a client that does not read") {
  const std::string text(3 * kMaxControlBacklog, 'x');
  Server fixture{[&](const json&, Asker) { return ControlServer::Answer{text, false}; }};
  Client reader{fixture.path};
  reader.send("{\"command\":\"list\"}\n");
  std::string got;
  for (int i = 0; i < 1000 && got.size() <= text.size(); ++i) {
    fixture.run();
    got += reader.received();
  }
  CHECK(got == text + '\n');
  CHECK_FALSE(reader.closed);
}

TEST_CASE("who does not read is not answered on and on") {
  const std::string text(3 * kMaxControlBacklog, 'x');
  int asked = 0;
  Server fixture{[&](const json&, Asker) {
    ++asked;
    return ControlServer::Answer{text, false};
  }};
  Client lazy{fixture.path};
  for (int i = 0; i < 3; ++i) lazy.send("{\"command\":\"list\"}\n");
  fixture.run();
  CHECK(asked == 1);
  std::size_t got = 0;
  for (int i = 0; i < 1000 && got < 3 * (text.size() + 1); ++i) {
    got += lazy.received().size();
    fixture.run();
  }
  CHECK(asked == 3);
  CHECK(got == 3 * (text.size() + 1));
  CHECK_FALSE(lazy.closed);
}

TEST_CASE("between two requests of whoever asks in a row everybody else has a turn") {
  constexpr int kRequests = 50;
  std::string order;
  Server fixture{[&](const json& request, Asker) {
    order += request.at("command").get<std::string>();
    return ControlServer::Answer{"{}", false};
  }};
  Beside beside{fixture.loop, [&] { order += '.'; }};
  Client greedy{fixture.path};
  Client second{fixture.path};
  for (int i = 0; i < kRequests; ++i) greedy.send("{\"command\":\"a\"}\n");
  second.send("{\"command\":\"b\"}\n");
  fixture.run();
  CHECK(std::count(order.begin(), order.end(), 'a') == kRequests);
  CHECK(order.find("aa") == std::string::npos);
  CHECK(std::count(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(order.find('b')), 'a') <= 2);
}

TEST_CASE("what is refused is counted by name") {
  Server fixture;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kMaxControlClients + 2; ++i) {
    clients.push_back(std::make_unique<Client>(fixture.path));
    fixture.run();
  }
  clients.back()->send("nonsense\n[]\n{}\n{\"command\":\"watch\"}\n" + std::string(20, '[') + '\n');
  fixture.run();
  const std::string line(64 * 1024, 'x');
  for (int i = 0; i < 100 && fixture.server->has_streams(); ++i) {
    fixture.server->publish(line);
    fixture.run();
  }
  for (int i = 0; i < 20; ++i) {
    clients[10]->try_send(std::string(4096, 'x'));
    fixture.run();
  }
  CHECK(fixture.server->refusals() == Refusals{{"a newer client had no room", 2},
                                               {"a stream is not read", 1},
                                               {"the request has no \"command\"", 1},
                                               {"the request is nested too deeply", 1},
                                               {"the request is no JSON object", 2},
                                               {"the request is too long", 1}});
}

TEST_CASE("an answer in pieces is one line, and each piece is asked for when the client has room") {
  const std::string piece(64 * 1024, 'x');
  constexpr int kPieces = 100;
  int asked = 0;
  Server fixture{[&](const json& request, Asker) {
    if (request.at("command") != "list") return echo(request, Asker::kMember);
    return ControlServer::Answer{.line = "begin", .rest = [&, left = kPieces]() mutable -> std::optional<std::string> {
                                   ++asked;
                                   if (left-- == 0) return std::nullopt;
                                   return left == kPieces / 2 ? std::string() : piece;  // one that has nothing
                                 }};
  }};
  Client lazy{fixture.path};
  lazy.send("{\"command\":\"list\"}\n{\"command\":\"status\"}\n");
  fixture.run();
  CHECK(asked > 0);
  CHECK(asked < kPieces / 2);  // what the socket holds, and no more
  Client other{fixture.path};
  other.send("{\"command\":\"status\"}\n");
  fixture.run();
  CHECK(other.received() == "{\"echo\":\"status\"}\n");
  std::string got;
  for (int i = 0; i < 1000 && got.find("echo") == std::string::npos; ++i) {
    got += lazy.received();
    fixture.run();
  }
  got += lazy.received();
  CHECK(got.size() == 5 + (kPieces - 1) * piece.size() + 1 + std::string_view{"{\"echo\":\"status\"}\n"}.size());
  CHECK(got.ends_with("x\n{\"echo\":\"status\"}\n"));
}

TEST_CASE("pieces for many clients have their turns like requests, everybody else between them") {
  constexpr int kClients = 4;
  constexpr int kPieces = 20;
  std::string order;
  Server fixture{[&](const json&, Asker) {
    return ControlServer::Answer{.line = "[", .rest = [&order, left = kPieces]() mutable -> std::optional<std::string> {
                                   if (left-- == 0) return std::nullopt;
                                   order += 'p';
                                   return "x";
                                 }};
  }};
  Beside beside{fixture.loop, [&] { order += '.'; }};
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Client>(fixture.path));
    clients.back()->send("{\"command\":\"list\"}\n");
  }
  fixture.run();
  CHECK(std::count(order.begin(), order.end(), 'p') == kClients * kPieces);
  CHECK(order.find("ppp") == std::string::npos);
  for (const auto& client : clients) CHECK(client->received() == '[' + std::string(kPieces, 'x') + '\n');
}

TEST_CASE("who goes in the middle of an answer in pieces is asked for no more of them") {
  const std::string piece(64 * 1024, 'x');
  auto asked = std::make_shared<int>(0);
  Server fixture{[&](const json&, Asker) {
    return ControlServer::Answer{.line = "begin", .rest = [&piece, asked]() -> std::optional<std::string> {
                                   ++*asked;
                                   return piece;  // on and on
                                 }};
  }};
  {
    Client client{fixture.path};
    client.send("{\"command\":\"list\"}\n");
    fixture.run();
    CHECK(*asked > 0);
  }
  const int before = *asked;
  fixture.run();
  CHECK(*asked == before);
  Client other{fixture.path};  // takes the place of those that have gone
  fixture.run();
  CHECK(asked.use_count() == 1);
}

TEST_CASE("an answer may come later, also when nobody is there any more") {
  std::vector<std::function<void(std::string)>> waiting;
  Server fixture{[&](const json& request, Asker) {
    if (request.at("command") != "reload") return echo(request, Asker::kMember);
    return ControlServer::Answer{.line = {}, .later = [&](auto told) { waiting.push_back(std::move(told)); }};
  }};
  {
    Client gone{fixture.path};
    gone.send("{\"command\":\"reload\"}\n");
    fixture.run();
  }
  Client client{fixture.path};
  client.send("{\"command\":\"reload\"}\n{\"command\":\"status\"}\n");
  fixture.run();
  CHECK(client.received().empty());  // in the order of the requests
  REQUIRE(waiting.size() == 2);
  for (const auto& told : waiting) told("done");
  fixture.run();
  CHECK(client.received() == "done\n{\"echo\":\"status\"}\n");
  client.send("{\"command\":\"status\"}\n");
  fixture.run();
  CHECK(client.received() == "{\"echo\":\"status\"}\n");
}

TEST_CASE("clients without end do not close one for whom something is being done") {
  std::function<void(std::string)> told;
  Server fixture{[&](const json&, Asker) {
    return ControlServer::Answer{.line = {}, .later = [&](auto one) { told = std::move(one); }};
  }};
  Client client{fixture.path};
  client.send("{\"command\":\"reload\"}\n");
  fixture.run();
  std::vector<std::unique_ptr<Client>> others;
  for (int i = 0; i < 2 * kMaxControlClients; ++i) {
    others.push_back(std::make_unique<Client>(fixture.path));
    fixture.run();
  }
  told("done");
  fixture.run();
  CHECK(client.received() == "done\n");
}

TEST_CASE("what is published does not get into an answer that is not complete") {
  std::function<void(std::string)> told;
  Server fixture{[&](const json& request, Asker) {
    if (request.at("command") == "watch") return ControlServer::Answer{"\"watching\"", true};
    return ControlServer::Answer{.line = {}, .later = [&](auto one) { told = std::move(one); }};
  }};
  Client client{fixture.path};
  client.send("{\"command\":\"watch\"}\n{\"command\":\"reload\"}\n");
  fixture.run();
  fixture.server->publish("1");
  fixture.run();
  CHECK(client.received() == "\"watching\"\n");
  told("done");
  fixture.server->publish("2");
  fixture.run();
  CHECK(client.received() == "done\n1\n2\n");
}

// Of this thread alone, as the kernel has them; -1: unchanged.
void become(long effective_user) { ::syscall(SYS_setresuid, -1L, effective_user, -1L); }

TEST_CASE("who asks is told by the kernel: root and the daemon's own user, the group, or somebody who may only look") {
  const std::string group = "daemon";
  Server fixture{[](const json&, Asker asker) {
                   return ControlServer::Answer{asker == Asker::kRoot     ? "\"root\""
                                                : asker == Asker::kMember ? "\"member\""
                                                                          : "\"other\"",
                                                false};
                 },
                 group, Readers::kEveryone};
  const auto answer_to = [&](Client& client) {
    REQUIRE(client.connected);
    client.send("{\"command\":\"a\",\"uid\":0}\n");
    fixture.run();
    return client.received();
  };
  Client own{fixture.path};
  CHECK(answer_to(own) == "\"root\"\n");
  if (::geteuid() != 0) return;  // nobody else can be had
  ::chmod(fixture.path.parent_path().c_str(), 0755);
  ::chmod(fixture.folder.path().c_str(), 0755);
  constexpr long kNobody = 65534;
  become(kNobody);
  Client other{fixture.path};
  become(0);
  CHECK(answer_to(other) == "\"other\"\n");
  const auto* entry = ::getgrnam(group.c_str());
  REQUIRE(entry);
  const long members = entry->gr_gid;
  ::syscall(SYS_setresgid, -1L, members, -1L);
  become(kNobody);
  Client member{fixture.path};
  become(0);
  ::syscall(SYS_setresgid, -1L, 0L, -1L);
  CHECK(answer_to(member) == "\"member\"\n");
  const gid_t further = entry->gr_gid;
  ::syscall(SYS_setgroups, 1L, &further);
  become(kNobody);
  Client further_member{fixture.path};
  become(0);
  ::syscall(SYS_setgroups, 0L, nullptr);
  CHECK(answer_to(further_member) == "\"member\"\n");
}

TEST_CASE("one client too many closes one that may only look, not an older one that may steer") {
  if (::geteuid() != 0) return;  // nobody else can be had
  Server fixture{echo, "daemon", Readers::kEveryone};
  ::chmod(fixture.path.parent_path().c_str(), 0755);
  ::chmod(fixture.folder.path().c_str(), 0755);
  Client own{fixture.path};
  fixture.run();
  std::vector<std::unique_ptr<Client>> others;
  for (int i = 0; i < kMaxControlClients; ++i) {
    constexpr long kNobody = 65534;
    become(kNobody);
    others.push_back(std::make_unique<Client>(fixture.path));
    become(0);
    REQUIRE(others.back()->connected);
    fixture.run();
  }
  others.front()->received();
  CHECK(others.front()->closed);
  own.send("{\"command\":\"status\"}\n");
  fixture.run();
  CHECK(own.received() == "{\"echo\":\"status\"}\n");
}

TEST_CASE("without a word only root and the group may connect") {
  const Server fixture{echo, "daemon"};
  struct stat status {};
  REQUIRE(::stat(fixture.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == (::geteuid() == 0 ? 0660 : 0600));
}

TEST_CASE("a second server on a live socket is an error, a stale socket is replaced") {
  Server fixture;
  const auto second = ControlServer::open(fixture.loop, fixture.path, "", echo);
  REQUIRE_FALSE(second);
  CHECK(second.error().reason == "it is already running");
  const auto stale = fixture.folder / "stale.sock";
  {
    const Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    stale.native().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  CHECK(ControlServer::open(fixture.loop, stale, "", echo));
}

TEST_CASE("a file with the socket's name is left alone") {
  Server fixture;
  const auto path = fixture.folder.file("important", "content");
  CHECK_FALSE(ControlServer::open(fixture.loop, path, "", echo));
  CHECK(std::filesystem::is_regular_file(path));
}

TEST_CASE("a path that is too long is an error, not an exception") {
  Server fixture;
  CHECK_FALSE(ControlServer::open(fixture.loop, fixture.folder / std::string(120, 'x'), "", echo));
}
