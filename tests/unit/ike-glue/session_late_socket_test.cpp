// The session when charon is started after us.
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "tests/catch.hpp"
#include "tests/unit/ike-glue/scripted_peer.hpp"

using namespace ike_test;

namespace {
bool no_inotify = false;
}

// In place of the C library's, to refuse as the kernel does when fs.inotify.max_user_instances are in use.
extern "C" int inotify_init1(int flags) noexcept {
  if (!no_inotify) return static_cast<int>(::syscall(SYS_inotify_init1, flags));
  errno = EMFILE;
  return -1;
}

TEST_CASE("a socket that appears later is connected to", "[session]") {
  Client client;
  client.session.start();
  REQUIRE(client.run([&] { return !client.disconnected.empty(); }));
  CHECK(client.disconnected.front().os_error == ENOENT);
  CHECK_FALSE(client.disconnected.front().remedy.empty());
  Peer peer(client.loop, client.path);
  CHECK(client.run([&] { return client.connected == 1; }));
  CHECK(client.disconnected.size() == 1);
}

TEST_CASE("a socket that was there before us, and is listened on a little later, is connected to", "[session]") {
  Client client;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = client.path;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int charon = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(charon, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  client.session.start();
  REQUIRE(client.run([&] { return !client.disconnected.empty(); }));
  CHECK(client.disconnected.front().os_error == ECONNREFUSED);
  REQUIRE(::listen(charon, 1) == 0);
  int accepted = -1;
  CHECK(client.run([&] { return (accepted = ::accept(charon, nullptr, nullptr)) >= 0; }));
  ::close(accepted);
  ::close(charon);
}

TEST_CASE("a folder that appears later with the socket in it is found", "[session]") {
  Folder folder;
  asio::io_context loop;
  int connected = 0;
  int failures = 0;
  ike::Session session(loop, folder / "run/strongswan/charon.vici", {},
                       {[&] { ++connected; }, [&](const auto&) { ++failures; }, {}});
  session.start();
  REQUIRE(run_until(loop, [&] { return failures == 1; }));
  std::filesystem::create_directories(folder / "run/strongswan");
  Peer peer(loop, folder / "run/strongswan/charon.vici");
  CHECK(run_until(loop, [&] { return connected == 1; }));
}

TEST_CASE("a request made before charon is there is answered when it is", "[session]") {
  Client client;
  client.session.start();
  REQUIRE(client.run([&] { return !client.disconnected.empty(); }));
  const auto answer = client.ask("version");
  Peer peer(client.loop, client.path);
  REQUIRE(client.run([&] { return !peer.received.empty(); }));
  peer.respond();
  REQUIRE(client.run([&] { return answer->has_value(); }));
  CHECK(answer->value().has_value());
}

TEST_CASE("without inotify a socket that appears later is connected to as well", "[session]") {
  no_inotify = true;
  Client client;
  client.session.start();
  REQUIRE(client.run([&] { return !client.disconnected.empty(); }));
  Peer peer(client.loop, client.path);
  CHECK(client.run([&] { return client.connected == 1; }));
  no_inotify = false;
}
