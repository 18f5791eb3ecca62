// Questions in DNS's own form: the C library does not tell which resolver answered what.
#include "mnd/ctl/resolvers.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include <array>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

#include "mnd/linux/descriptor.hpp"

namespace mip6ctl {
namespace {

using Clock = std::chrono::steady_clock;
using Question = std::array<std::uint8_t, 17>;

constexpr std::size_t kMostResolvers = 3;  // MAXNS

std::optional<Resolver> read_resolver(const std::string& name) {
  addrinfo wanted{};
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  wanted.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name.c_str(), "53", &wanted, &found) != 0) return std::nullopt;
  Resolver resolver{.name = name, .address = {}, .size = found->ai_addrlen};
  std::memcpy(&resolver.address, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return resolver;
}

Question question() {
  std::random_device random;
  const auto id = static_cast<std::uint16_t>(random());
  Question bytes{static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id & 0xff)};
  bytes[2] = 1;   // recursion desired
  bytes[5] = 1;   // one question: the root,
  bytes[14] = 2;  // type NS,
  bytes[16] = 1;  // class IN
  return bytes;
}

// What was received as an answer to `asked`; kNothing: it is none.
Answered judge(const Question& asked, const std::uint8_t* bytes, std::size_t size) {
  constexpr std::uint8_t kServerFailure = 2;
  constexpr std::uint8_t kRefused = 5;
  if (size < 12 || bytes[0] != asked[0] || bytes[1] != asked[1] || (bytes[2] & 0x80) == 0) return Answered::kNothing;
  const auto code = bytes[3] & 0x0f;
  return code == kServerFailure || code == kRefused ? Answered::kRefused : Answered::kYes;
}

// One resolver that is asked; connected, so that an ICMP error is told.
struct Asked {
  mnd::kernel::Descriptor socket;
  Question question{};
};

bool is_for_bypass(const Resolver& resolver) {
  if (resolver.address.ss_family != AF_INET6) return false;
  in6_addr address{};
  std::memcpy(&address, &reinterpret_cast<const sockaddr_in6&>(resolver.address).sin6_addr, sizeof address);
  return !IN6_IS_ADDR_LOOPBACK(&address) && !IN6_IS_ADDR_LINKLOCAL(&address);
}

json finding(const std::string& what, const std::string& remedy) {
  return json{{"check", "dns"}, {"what", "names are not resolved: " + what}, {"remedy", remedy}};
}

}  // namespace

std::vector<Resolver> read_resolvers(const std::filesystem::path& file) {
  std::vector<Resolver> resolvers;
  std::ifstream lines{file};
  for (std::string line; resolvers.size() < kMostResolvers && std::getline(lines, line);) {
    std::istringstream words{line};
    std::string word;
    std::string name;
    if (!(words >> word >> name) || word != "nameserver") continue;
    if (auto resolver = read_resolver(name)) resolvers.push_back(std::move(*resolver));
  }
  return resolvers;
}

Answered ask_resolvers(const std::vector<Resolver>& resolvers, std::chrono::milliseconds patience,
                       const std::string& source) {
  std::vector<Asked> asked;
  sockaddr_in6 from{};
  from.sin6_family = AF_INET6;
  if (!source.empty() && ::inet_pton(AF_INET6, source.c_str(), &from.sin6_addr) != 1) return Answered::kNothing;
  for (const auto& resolver : resolvers) {
    mnd::kernel::Descriptor socket{::socket(resolver.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const auto* address = reinterpret_cast<const sockaddr*>(&resolver.address);
    if (!source.empty() && ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) continue;
    if (!socket || ::connect(socket.get(), address, resolver.size) != 0) continue;
    asked.push_back({std::move(socket), question()});
  }
  auto result = Answered::kNothing;
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::vector<pollfd> waiting;
    for (const auto& one : asked) {
      // Two sends: the first one may be told of an ICMP error of before, and sends nothing then.
      if (::send(one.socket.get(), one.question.data(), one.question.size(), 0) < 0)
        (void)::send(one.socket.get(), one.question.data(), one.question.size(), 0);
      waiting.push_back({one.socket.get(), POLLIN, 0});
    }
    const auto end = Clock::now() + patience / 2;
    for (std::size_t outstanding = waiting.size(); outstanding > 0;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
      if (left <= 0 || ::poll(waiting.data(), waiting.size(), static_cast<int>(left)) <= 0) break;
      for (std::size_t i = 0; i < waiting.size(); ++i) {
        if (waiting[i].revents == 0) continue;
        std::array<std::uint8_t, 512> bytes{};
        const auto got = ::recv(waiting[i].fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
        const auto said =
            got < 0 ? Answered::kNothing : judge(asked[i].question, bytes.data(), static_cast<std::size_t>(got));
        if (said == Answered::kYes) return said;
        if (said == Answered::kRefused) result = said;
        if (got >= 0 && said == Answered::kNothing) continue;  // a stranger's
        waiting[i].fd = -1;                                    // which poll() leaves out
        --outstanding;
      }
    }
  }
  return result;
}

std::optional<json> examine_resolvers(const std::vector<Resolver>& resolvers, const std::filesystem::path& file,
                                      const std::string& care_of, std::chrono::milliseconds patience) {
  if (resolvers.empty()) return std::nullopt;
  const auto answered = ask_resolvers(resolvers, patience);
  if (answered == Answered::kYes) return std::nullopt;
  const auto beside = care_of.empty() ? Answered::kNothing : ask_resolvers(resolvers, patience, care_of);
  if (beside != Answered::kYes && (answered == Answered::kRefused || beside == Answered::kRefused)) return std::nullopt;
  std::string names;
  std::string bypass;
  for (const auto& resolver : resolvers) {
    names += " " + resolver.name;
    if (is_for_bypass(resolver)) bypass += " " + resolver.name + "/128";
  }
  if (beside == Answered::kYes)
    return finding(
        fmt::format("the resolvers of {} answer the care-of address alone, and not the home address:{}", file.string(),
                    names),
        fmt::format("ask them beside the tunnel: bypass ={} in mnd.conf, then mip6ctl reload; or name one that "
                    "answers everybody (resolvectl status)",
                    bypass));
  return finding(fmt::format("the resolvers of {} do not answer:{}", file.string(), names),
                 "resolvectl status tells who named them; name one that answers");
}

}  // namespace mip6ctl
