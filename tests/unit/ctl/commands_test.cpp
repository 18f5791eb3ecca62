// The table of commands is what completion and manual know; and each command talks to a daemon played here.
#include "mnd/ctl/commands.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "tests/catch.hpp"
#include "tests/unit/source_folder.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mip6ctl;

namespace {

std::string file_of_project(const char* name) {
  std::ifstream file{source_folder() / name};
  INFO(name);
  REQUIRE(file.is_open());
  return {std::istreambuf_iterator<char>{file}, {}};
}

// Accepts one client, reads one request line, writes `answer` and closes. Blocking, in a thread of its own.
class PlayedDaemon {
 public:
  explicit PlayedDaemon(std::string answer) : fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    options.socket.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd_, 1) == 0);
    thread_ = std::thread{[this, answer = std::move(answer)] {
      const int client = ::accept(fd_, nullptr, nullptr);
      char byte = 0;
      while (::read(client, &byte, 1) == 1 && byte != '\n') request += byte;
      (void)!::write(client, answer.data(), answer.size());
      ::close(client);
    }};
  }
  ~PlayedDaemon() {
    if (thread_.joinable()) thread_.join();
    ::close(fd_);
  }
  // What the client asked, when it is served.
  json asked() {
    thread_.join();
    return json::parse(request);
  }

  TemporaryFolder folder;
  Options options{.socket = (folder / "s").string()};

 private:
  int fd_;
  std::string request;
  std::thread thread_;
};

}  // namespace

TEST_CASE("every command is in the manual page and in the completion") {
  const auto manual = file_of_project("packaging/man/mip6ctl.1");
  const auto completion = file_of_project("packaging/completions/mip6ctl.bash");
  for (const auto& command : kCommands) {
    INFO(command.name);
    CHECK(manual.find(".It Cm " + std::string{command.name}) != std::string::npos);
    CHECK(completion.find(command.name) != std::string::npos);
  }
}

TEST_CASE("status asks for the status and is well without trouble") {
  PlayedDaemon daemon{"{\"version\":1,\"state\":\"registered\"}\n"};
  CHECK(run_status(daemon.options) == kOk);
  CHECK(daemon.asked() == json{{"command", "status"}});
}

TEST_CASE("status in trouble can be told by the exit code") {
  PlayedDaemon daemon{"{\"state\":\"registering\",\"last_error\":{\"what\":\"x\",\"current\":true}}\n"};
  CHECK(run_status(daemon.options) == kTrouble);
}

TEST_CASE("an error of the daemon is trouble") {
  PlayedDaemon daemon{"{\"version\":1,\"error\":{\"what\":\"detached\",\"remedy\":\"plug in a cable\"}}\n"};
  CHECK(run_refresh(daemon.options) == kTrouble);
  CHECK(daemon.asked() == json{{"command", "refresh"}});
}

TEST_CASE("a daemon that is not there, hangs up or answers nonsense is not reachable") {
  CHECK(run_status(Options{.socket = "/nonexistent/control.sock"}) == kUnreachable);
  CHECK(run_status(Options{.socket = std::string(200, 'x')}) == kUnreachable);
  PlayedDaemon silent{""};
  CHECK(run_status(silent.options) == kUnreachable);
  PlayedDaemon nonsense{"220 mail.example.org ESMTP\n"};
  CHECK(run_status(nonsense.options) == kUnreachable);
}

TEST_CASE("events that are followed go on until the daemon ends, whatever else is in the stream") {
  PlayedDaemon daemon{"{\"events\":[{\"kind\":\"a\"}]}\n{\"state\":\"registered\"}\n{\"kind\":\"b\",\"text\":5}\n"};
  daemon.options.follow = true;
  CHECK(run_events(daemon.options) == kUnreachable);
  CHECK(daemon.asked() == json{{"command", "events"}, {"follow", true}});
}

TEST_CASE("events without follow end after the list") {
  PlayedDaemon daemon{"{\"events\":[{\"kind\":\"a\"},5,null]}\n"};
  CHECK(run_events(daemon.options) == kOk);
}

TEST_CASE("watch goes on until the daemon ends") {
  PlayedDaemon daemon{"{\"state\":\"registered\"}\n{\"kind\":\"x\"}\n{\"state\":\"detached\"}\n"};
  CHECK(run_watch(daemon.options) == kUnreachable);
}
