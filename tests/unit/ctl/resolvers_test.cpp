// Resolvers are asked over a real socket; each is played here.
#include "mnd/ctl/resolvers.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <thread>

#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mip6ctl;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::uint8_t>;

// Gives each question to `answer`, and sends what that returns; nothing if it is empty.
class PlayedResolver {
 public:
  explicit PlayedResolver(std::function<Bytes(Bytes)> answer) : fd_{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    auto& address = reinterpret_cast<sockaddr_in6&>(resolver.address);
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    resolver.size = sizeof address;
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), resolver.size) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &resolver.size) == 0);
    thread_ = std::thread{[this, answer = std::move(answer)] {
      while (!done_) {
        pollfd waiting{fd_, POLLIN, 0};
        if (::poll(&waiting, 1, 10) <= 0) continue;
        Bytes bytes(512);
        sockaddr_in6 from{};
        socklen_t size = sizeof from;
        const auto got = ::recvfrom(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (got < 0) continue;
        bytes.resize(static_cast<std::size_t>(got));
        ++asked;
        const auto said = answer(bytes);
        if (!said.empty()) ::sendto(fd_, said.data(), said.size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
      }
    }};
  }
  ~PlayedResolver() {
    done_ = true;
    thread_.join();
    ::close(fd_);
  }
  PlayedResolver(const PlayedResolver&) = delete;
  PlayedResolver& operator=(const PlayedResolver&) = delete;

  Resolver resolver{.name = "::1"};
  std::atomic<int> asked = 0;

 private:
  int fd_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

std::function<Bytes(Bytes)> with_code(std::uint8_t code) {
  return [code](Bytes question) {
    question[2] |= 0x80;
    question[3] = code;
    return question;
  };
}

}  // namespace

TEST_CASE("resolvers are those that the file names, three at most", "[resolvers]") {
  const TemporaryFolder folder;
  const auto names = [&](const std::string& content) {
    std::vector<std::string> found;
    for (const auto& one : read_resolvers(folder.file("resolv.conf", content))) found.push_back(one.name);
    return found;
  };
  using Names = std::vector<std::string>;
  CHECK(
      names(
          "# nameserver 2001:db8::1\nsearch example.org\nnameserver 2001:db8::53\n\tnameserver\t192.0.2.53 # two\n") ==
      Names{"2001:db8::53", "192.0.2.53"});
  CHECK(names("nameserver\nnameserver dns.example.org\nnameservers ::1\n").empty());
  CHECK(names("nameserver ::1\nnameserver ::2\nnameserver ::3\nnameserver ::4\n") == Names{"::1", "::2", "::3"});
  CHECK(read_resolvers(folder / "none").empty());
}

TEST_CASE("one resolver that answers is enough, whatever the others do", "[resolvers]") {
  PlayedResolver refuses{with_code(5)};
  PlayedResolver silent{[](const Bytes&) { return Bytes{}; }};
  PlayedResolver answers{with_code(0)};
  PlayedResolver knows_no_root{with_code(3)};
  CHECK(ask_resolvers({refuses.resolver, silent.resolver, answers.resolver}, 20s) == Answered::kYes);
  CHECK(ask_resolvers({knows_no_root.resolver}, 20s) == Answered::kYes);
}

TEST_CASE("what refuses, fails or is silent is asked twice and does not resolve", "[resolvers]") {
  PlayedResolver refuses{with_code(5)};
  CHECK(ask_resolvers({refuses.resolver}, 20s) == Answered::kRefused);
  CHECK(refuses.asked == 2);
  PlayedResolver fails{with_code(2)};
  CHECK(ask_resolvers({fails.resolver}, 20s) == Answered::kRefused);
  PlayedResolver silent{[](const Bytes&) { return Bytes{}; }};
  CHECK(ask_resolvers({silent.resolver}, 100ms) == Answered::kNothing);
  CHECK(ask_resolvers({}, 20s) == Answered::kNothing);
}

TEST_CASE("what is no answer to the question is not taken for one", "[resolvers]") {
  PlayedResolver echoes{[](Bytes question) { return question; }};
  CHECK(ask_resolvers({echoes.resolver}, 100ms) == Answered::kNothing);
  PlayedResolver other{[](Bytes question) {
    question[2] |= 0x80;
    question[1] ^= 1;
    return question;
  }};
  CHECK(ask_resolvers({other.resolver}, 100ms) == Answered::kNothing);
  PlayedResolver cut{[](Bytes question) {
    question[2] |= 0x80;
    question.resize(11);
    return question;
  }};
  CHECK(ask_resolvers({cut.resolver}, 100ms) == Answered::kNothing);
}

TEST_CASE("the source is what it was asked to be", "[resolvers]") {
  PlayedResolver answers{with_code(0)};
  CHECK(ask_resolvers({answers.resolver}, 20s, "::1") == Answered::kYes);
  CHECK(ask_resolvers({answers.resolver}, 20s, "2001:db8::1") == Answered::kNothing);  // not of this machine
  CHECK(ask_resolvers({answers.resolver}, 20s, "none") == Answered::kNothing);
}

TEST_CASE("silence is a finding that names the resolvers", "[resolvers]") {
  const TemporaryFolder folder;
  const auto examine = [&](const std::string& content, const std::string& care_of) {
    const auto file = folder.file("resolv.conf", content);
    const auto resolvers = read_resolvers(file);
    std::filesystem::remove(file);  // it is read once
    return examine_resolvers(resolvers, file, care_of, 10ms);
  };
  CHECK_FALSE(examine("", ""));
  // Nobody is there (RFC 6666).
  for (const char* care_of : {"", "::1"}) {
    const auto finding = examine("nameserver 100::53\nnameserver fe80::53%lo\n", care_of);
    REQUIRE(finding);
    CHECK((*finding)["check"] == "dns");
    CHECK((*finding)["what"].get<std::string>().ends_with("do not answer: 100::53 fe80::53%lo"));
    CHECK((*finding)["remedy"].get<std::string>().starts_with("resolvectl"));
  }
}
