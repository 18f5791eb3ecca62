// What keeps this machine from being a good home agent, with what to do about it: for `mip6-ha doctor` and `init`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "examples/home-agent/steering.hpp"
#include "libmip6/address.hpp"
#include "mnd/linux/config_file.hpp"

namespace mip6ha {

// Whether charon's configuration bounds what strangers can ask of it (strongswan.conf(5)).
struct CharonLimits {
  bool half_open = false;  // init_limit_half_open: all half-open IKE_SAs together
  bool cookies = true;     // cookie_threshold is not switched off
};

// What the checks look at, as values; empty: it could not be read, and is not judged.
struct Health {
  mip6::Ipv6Address address;
  mip6::Ipv6Prefix prefix;
  std::string interface;
  std::optional<bool> forwarding;
  // Where it does not forward: interfaces whose default route the kernel took from router advertisements, and gives up
  // once it forwards, since accept_ra is 1 there.
  std::vector<std::string> uplinks_by_advertisement;
  std::optional<bool> link_up;                  // the home link's interface is up and has a carrier
  std::optional<bool> address_there;            // on the home link's interface
  std::optional<mip6::Ipv6Prefix> next_prefix;  // that nodes may have addresses of; empty: there is none
  std::optional<bool> next_prefix_there;        // the home link's interface has an address of it
  std::optional<bool> tunnel_there;             // our device, up
  bool ipsec = true;                            // the kernel has it
  std::vector<std::string> missing_modules;
  bool charon_needed = true;
  bool charon_connected = true;
  std::optional<CharonLimits> charon_limits;
  std::string charon_version;               // as charon says; empty: it has not answered yet
  std::vector<std::string> charon_plugins;  // that it has loaded; none: it has not answered yet
  std::string vici_socket;
  std::optional<TroubleView> disk;                // why the last record could not be stored
  bool state_writable = true;                     // the file system that the database is on
  std::optional<std::uint64_t> state_bytes_free;  // there
  std::string state_directory;
  std::int64_t unix_now = 0;
};

// Of a running home agent; in the order of importance. None: nothing was found.
std::vector<Finding> examine(const Health& health);

// What the configuration is warned of, with file and line.
std::vector<Finding> findings_of(std::span<const mnd::kernel::ConfigMistake> warnings);

struct MachineFinding {
  std::string check;  // one word
  bool good = false;
  std::string what;
  std::string remedy;  // empty if good
};
// The same checks before a home agent runs, those that are passed, too; without those that only a running one can fail.
std::vector<MachineFinding> examine_machine(const Health& health);

// The lines of a file in /etc/sysctl.d, each with its newline: forwarding, and before it what keeps the uplinks of the
// machine.
std::string sysctl_lines(const Health& health);
inline constexpr const char* kSysctlFile = "/etc/sysctl.d/60-mip6-ha.conf";
// charon's limits: packaging/strongswan/mip6-ha.conf, for a file in strongswan.d.
extern const char* const kCharonLimits;

}  // namespace mip6ha
