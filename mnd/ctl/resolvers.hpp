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
// kRefused: those that do refuse or fail; kNothing: silence.
Answered ask_resolvers(const std::vector<Resolver>& resolvers, std::chrono::milliseconds patience);

// A finding as mip6ctl doctor has them; empty: a resolver answers, or the file names none.
std::optional<json> examine_resolvers(const std::filesystem::path& file,
                                      std::chrono::milliseconds patience = std::chrono::seconds{4});

}  // namespace mip6ctl
