// The other home agents of the home link: which were ever seen, durably; and how often strangers are answered.
#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>
#include <tl/expected.hpp>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"
#include "libmip6/time.hpp"

namespace mip6ha {

// A file of addresses, one a line, in the state directory. What was seen once stays there: another home agent may be
// down when we start, and be back later, or the other way round. Who has taken one off for good removes the file.
class OtherAgents {
 public:
  // A file that cannot be read, or is damaged, is taken for one that names somebody.
  explicit OtherAgents(const std::filesystem::path& state_directory);

  // Whether a home address may be served by somebody else on the link while we are away.
  bool any() const { return unreadable_ || !known_.empty(); }
  const std::set<mip6::Ipv6Address>& known() const { return known_; }
  // So many at most: anybody on the link can advertise itself.
  static constexpr std::size_t kMost = 64;
  // Returns when the disk has it; nothing is written for one that is known.
  tl::expected<void, mip6::Error> saw(const mip6::Ipv6Address& home_agent);

 private:
  std::filesystem::path file_;
  std::set<mip6::Ipv6Address> known_;
  bool unreadable_ = false;
};

// Nothing authenticates who asks for home agents (RFC 6275 section 15.7): a token bucket bounds what an answer to a
// forged address, or a flood, can cost.
class RequestLimit {
 public:
  static constexpr int kBurst = 20;
  static constexpr mip6::Duration kInterval = std::chrono::milliseconds{100};  // one more each

  bool allows(mip6::BootTime now) {
    at_ = std::max(at_, now - kBurst * kInterval);
    if (at_ + kInterval > now) return false;
    at_ += kInterval;
    return true;
  }

 private:
  mip6::BootTime at_ = mip6::BootTime{} - kBurst * kInterval;
};

}  // namespace mip6ha
