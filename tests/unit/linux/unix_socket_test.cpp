#include "mnd/linux/unix_socket.hpp"

#include <string>

#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mnd::kernel {
namespace {

using namespace std::chrono_literals;

Descriptor listening_at(const std::string& path, int backlog = 5) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(socket.get(), backlog) == 0);
  return socket;
}

int error_of(const std::string& path) {
  const auto peer = connect_to(path);
  return peer ? 0 : peer.error();
}

TEST_CASE("whoever listens at a path is connected to", "[unix-socket]") {
  const TemporaryFolder folder;
  auto path = (folder / "s").string();
  if (GENERATE(false, true)) path.resize(sizeof(sockaddr_un{}.sun_path) - 1, 'x');  // the longest there is
  const auto daemon = listening_at(path);
  const auto peer = connect_to(path);
  REQUIRE(peer);
  const Descriptor accepted{::accept4(daemon.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  REQUIRE(::send(peer->get(), "x", 1, 0) == 1);
  char got = 0;
  CHECK(::recv(accepted.get(), &got, 1, 0) == 1);
  CHECK(got == 'x');
}

TEST_CASE("why nobody is connected to is told by errno", "[unix-socket]") {
  const TemporaryFolder folder;
  const auto path = (folder / "s").string();
  CHECK(error_of("") == ENOENT);
  CHECK(error_of(path) == ENOENT);
  listening_at(path);  // and ends: its file stays
  CHECK(error_of(path) == ECONNREFUSED);
  CHECK(error_of(std::string(sizeof(sockaddr_un{}.sun_path), 'x')) == ENAMETOOLONG);
}

TEST_CASE("patience is how long a peer may be silent", "[unix-socket]") {
  const TemporaryFolder folder;
  const auto path = (folder / "s").string();
  const auto daemon = listening_at(path);
  const auto patience = GENERATE(0s, 7s);
  const auto peer = connect_to(path, patience);
  REQUIRE(peer);
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    timeval limit{};
    socklen_t size = sizeof limit;
    REQUIRE(::getsockopt(peer->get(), SOL_SOCKET, option, &limit, &size) == 0);
    CHECK(limit.tv_sec == patience.count());
  }
}

TEST_CASE("who does not accept is waited for no longer than that", "[unix-socket]") {
  const TemporaryFolder folder;
  const auto path = (folder / "s").string();
  const auto daemon = listening_at(path, 0);
  const auto first = connect_to(path, 1s);  // all that a backlog of 0 takes
  REQUIRE(first);
  const auto second = connect_to(path, 1s);
  REQUIRE_FALSE(second);
  CHECK(second.error() == EAGAIN);
}

}  // namespace
}  // namespace mnd::kernel
