// Where to attach: the choice among the addresses that the kernel has (RFC 6275 sections 11.5.2 and 11.5.3).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libmip6/address.hpp"

namespace mip6 {

// Where the mobile node is attached: away with a care-of address, or on its home link.
struct Attachment {
  std::uint32_t interface = 0;         // kernel's index
  Ipv6Address care_of;                 // the home address itself when at_home
  std::optional<Ipv6Address> gateway;  // link-local address of the default router on that interface
  bool at_home = false;
  bool operator==(const Attachment&) const = default;
};

// One address of one interface, as found in the kernel, with what is known about its link.
struct Candidate {
  std::uint32_t interface = 0;
  std::string interface_name;
  bool link_up = false;  // administratively up and with carrier
  Ipv6Address address;
  std::uint8_t prefix_length = 64;
  bool tentative = false;  // duplicate address detection is running and the address is not optimistic
  bool duplicate = false;  // duplicate address detection failed
  bool deprecated = false;
  bool temporary = false;
  std::optional<Ipv6Address> gateway;  // default router on that interface; none: not usable
  std::uint32_t metric = 0;            // of that default route; lower is preferred
  bool router_unreachable = false;     // neighbour unreachability detection says so of that router
  bool leaving = false;                // its link is about to go, see LinkHealth::leaves()
};

// Patterns of interface names have `*` and `?` as in the shell.
struct InterfacePreference {
  std::string pattern;
  int preference = 0;
  bool operator==(const InterfacePreference&) const = default;
};

struct MovementPolicy {
  Ipv6Address home_address;
  Ipv6Prefix home_prefix;
  Ipv6Address home_agent;
  // The higher one wins, of addresses that are equally stable. The first whose pattern matches counts; a name that
  // matches none has 0.
  std::vector<InterfacePreference> preference;
  std::vector<std::string> exclude;  // patterns of interfaces never used
  // Where the user knows better than what is advertised: if not empty, only these can be the home link; those never.
  std::vector<std::string> home{};
  std::vector<std::string> not_home{};
  std::optional<std::string>
      only{};  // the name of the one interface that the node is to stay on, whatever else there is
};

struct Choice {
  Attachment attachment;
  std::string reason;    // why this one won, for `mip6ctl status`: "preferred interface w1", "only usable address"
  bool failing = false;  // its router is unreachable, or it is among the silent ones
  bool leaving = false;  // as of its candidate
};

// Every usable attachment, best first, one per care-of address; empty if none is usable. Those that fail come after all
// that do not: `silent` ones, from which the home agent is not heard (LinkHealth), and those whose router is
// unreachable; and after those the ones that are leaving, though they still work. Then an interface with an on-link
// address of the home prefix and a router, which is the home link, wins over all others. `current` breaks ties: what is
// in use stays in use.
std::vector<Choice> usable_attachments(std::span<const Candidate> candidates, const MovementPolicy& policy,
                                       const std::optional<Attachment>& current,
                                       std::span<const Attachment> silent = {});

// A candidate as the choice sees it, for who wants to know why it is used or not.
struct Verdict {
  Candidate candidate;
  enum class Use : std::uint8_t { kChosen, kUsable, kUnusable } use = Use::kUnusable;
  std::string why;  // "preferred interface w1"; "w1 is preferred (2, not 1)"; "no router"
};
// Every candidate: the one that usable_attachments() has first, with the same reason, the other usable ones with what
// the chosen one has before them, best first, then those that cannot be used, in the order given.
std::vector<Verdict> explain(std::span<const Candidate> candidates, const MovementPolicy& policy,
                             const std::optional<Attachment>& current, std::span<const Attachment> silent = {});

// Whether packets from both go the same way, by the same router and with a source of the same network (a /64, which is
// what addresses are formed in, RFC 4862): privacy addresses do, those of a prefix that has come in another's place
// don't.
bool is_same_way(const Attachment& one, const Attachment& other);

// Whether `policy` never uses that interface.
bool is_excluded(std::string_view interface_name, const MovementPolicy& policy);

}  // namespace mip6
