// What keeps this machine from being a good home agent, with what to do about it: for `mip6-ha doctor`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "examples/home-agent/steering.hpp"
#include "libmip6/address.hpp"

namespace mip6ha {

// What the checks look at, as values; empty: it could not be read, and is not judged.
struct Health {
  mip6::Ipv6Address address;
  std::string interface;
  std::optional<bool> forwarding;
  std::optional<bool> link_up;                  // the home link's interface is up and has a carrier
  std::optional<bool> address_there;            // on any interface
  std::optional<bool> tunnel_there;             // our device, up
  std::optional<mip6::Ipv6Prefix> next_prefix;  // that nodes may have addresses of; empty: there is none
  std::optional<bool> next_prefix_there;        // the home link's interface has an address of it
  bool ipsec = true;                            // the kernel has it
  bool charon_needed = true;
  bool charon_connected = true;
  std::string charon_version;               // as charon says; empty: it has not answered yet
  std::vector<std::string> charon_plugins;  // that it has loaded; none: it has not answered yet
  std::string vici_socket;
  std::optional<TroubleView> disk;                // why the last record could not be stored
  bool state_writable = true;                     // the file system that the database is on
  std::optional<std::uint64_t> state_bytes_free;  // there
  std::string state_directory;
  std::int64_t unix_now = 0;
};

// What the machine tells.
Health read_health(const mip6::Ipv6Address& address, const std::string& interface,
                   const std::filesystem::path& state_directory,
                   const std::optional<mip6::Ipv6Prefix>& next_prefix = {});
// In the order of importance; none: nothing was found.
std::vector<Finding> examine(const Health& health);

}  // namespace mip6ha
