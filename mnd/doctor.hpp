// What could be better, with what to do about it: for `mip6ctl doctor`, and the advice in `mip6ctl status`.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmip6/time.hpp"

namespace mnd {

// What the checks look at, as values. What is left as it is here is not judged.
struct Health {
  bool manual_keys = false;
  bool charon_connected = false;  // with dynamic keys
  // Of the 2^15 sequence numbers that are safe under the present keys; empty: it is not known which are used.
  std::optional<std::uint16_t> numbers_used = std::uint16_t{0};
  // Sequence numbers per second: on the average for moves alone, and for everything in the busiest ten minutes.
  double movement_rate = 0;
  double highest_rate = 0;
  std::uint32_t held_back = 0;  // updates, by the limit of MAX_UPDATE_RATE, in the last ten minutes
  mip6::Duration horizon{};     // setting forecast-horizon
  struct Wrong {
    std::string what;
    std::string remedy;
  };
  std::optional<Wrong> keys{};   // why the manual keys are not used
  std::optional<Wrong> state{};  // what the disk refuses
  // --- of this machine (health.cpp) ---
  bool running = true;                   // the daemon is
  std::string config_file{};             // where it is not running
  std::vector<Wrong> config_mistakes{};  // as mnd --check tells them
  std::vector<std::string> missing_modules{};
  std::vector<std::string> missing_options{};  // CONFIG_...
  bool ipv6_off = false;
  std::string vici_socket{};
  bool vici_forbidden = false;                // charon's socket is there, but not for us
  std::vector<std::string> charon_plugins{};  // that it has loaded; none: it has not answered yet
  std::string state_directory{};
  bool state_writable = true;
  std::int64_t unix_now = 0;  // seconds since 1970; 0: not known
  // --- of a running daemon ---
  bool has_address = true;             // that the home agent could be told
  bool send_forbidden = false;         // the kernel refused to send the last update: EPERM
  bool ike_forbidden = false;          // and UDP port 500 of the home agent; asked where key_exchange is set
  std::optional<std::uint32_t> mtu{};  // of the interface in use, octets
  std::string interface {};            // that one
  // What others have on this machine: outbound IPsec policies that take what goes to the home agent, and the interface
  // by which new connections leave while they should by the tunnel.
  std::vector<std::string> other_policies{};
  std::string other_way{};
  std::optional<Wrong> kernel{};        // what the kernel refuses
  std::optional<Wrong> key_exchange{};  // why charon has no keys with the home agent
  std::optional<Wrong> home_agent{};    // why it does not register us: silence, or a status
  std::optional<Wrong> discovery{};     // why no home agent is known
  std::optional<Wrong> prefixes{};      // what the home network's new prefixes mean
  std::int64_t certificate_from = 0;    // our own's validity, seconds since 1970; 0: not known
  std::int64_t certificate_until = 0;
  bool by_certificate = false;              // we prove who we are by one
  std::optional<Wrong> certificate_name{};  // that it does not name us
  bool guessable_secret = false;            // IKEv1 in aggressive mode with a secret
  std::optional<Wrong> short_secret{};      // one that is too short to be a good one
};

struct Finding {
  std::string check;
  std::string what;
  std::string remedy;
  bool advice = false;  // nothing is broken: `status` shows it beside the trouble
};

// As the control socket and mnd --doctor tell it.
nlohmann::json to_json(const Finding& finding);

// In the order of importance; empty: nothing found.
std::vector<Finding> examine(const Health& health);

// The names of all checks, in that order.
std::vector<std::string_view> check_names();

// The part of the sequence space that is used, for people: "used 29500 of 32768 sequence numbers ...". Empty while
// there is plenty.
std::string numbers_warning(std::uint16_t used);

}  // namespace mnd
