// The resolvers of names that this machine asks, for the doctor: from the home address they may not be asked.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mnd/ctl/json.hpp"

namespace mip6ctl {

struct Resolver {
  std::string name;  // its address, as the file has it
  sockaddr_storage address{};
  socklen_t size = 0;
};

// Those that a file in the form of resolv.conf(5) names, in its order, three at most: no more are asked by the C
// library.
std::vector<Resolver> read_resolvers(const std::filesystem::path& file);

enum class Answered { kNothing, kRefused, kYes };
// Asks all of them for the root's name servers (RFC 1035 section 4.1), each twice within `patience`. kYes: one answers;
// kRefused: those that do refuse or fail; kNothing: silence. `source`: an IPv6 address to ask from, which leaves those
// of IPv4 out; empty: what the kernel chooses.
Answered ask_resolvers(const std::vector<Resolver>& resolvers, std::chrono::milliseconds patience,
                       const std::string& source = {});

// A finding as mip6ctl doctor has them: none of those that `file` was read to name answers, or none but to `care_of`,
// from which they are asked where the home address gets nothing. Empty: that is not so, or there are none; or they
// refuse that address too, which is then no matter of ours. `care_of` may be empty.
std::optional<json> examine_resolvers(const std::vector<Resolver>& resolvers, const std::filesystem::path& file,
                                      const std::string& care_of,
                                      std::chrono::milliseconds patience = std::chrono::seconds{4});

}  // namespace mip6ctl
