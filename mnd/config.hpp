// The daemon's configuration: /etc/mnd/mnd.conf, five lines are enough.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "ike-glue/credentials.hpp"
#include "libmip6/address.hpp"
#include "libmip6/node/movement.hpp"
#include "libmip6/wire/message.hpp"
#include "mnd/linux/config_file.hpp"
#include "mnd/linux/control_server.hpp"
#include "mnd/linux/manual_keys.hpp"

namespace mnd {

enum class Keying { kIkev2, kIkev1, kManual };

struct Config {
  mip6::Ipv6Address home_address;  // home-address = 2001:db8:1::42/64 (length 64 if not given)
  mip6::Ipv6Prefix home_prefix;
  // home-agent = 2001:db8:1::1 [2001:db8:1::2 ...] [discover]: most preferred first, each once; `discover`: those that
  // the home link tells of when none of these answers, or none is written
  std::vector<mip6::Ipv6Address> home_agents;
  bool discover = false;
  std::string identity;  // identity = laptop@example.org
  // home-agent-identity = NAME [NAME ...]: one for all home agents, or one for each of home_agents, in their order;
  // default: the home agent's address
  std::vector<std::string> home_agent_identities;
  std::filesystem::path proof_file;  // secret-file = /etc/mnd/secret, or certificate = /etc/mnd/laptop.pem: one of
                                     // them, mode 0640 or stricter
  ike::Proof proof;                  // its content; never printed
  Keying keying = Keying::kIkev2;    // keying = ikev2
  ike::Method method = ike::default_method(ike::IkeVersion::kV2);  // ike-proposals, esp-proposals, signature-hash
  // manual-keys = /etc/mnd/manual-keys, with keying = manual, in place of identity and proof; never printed
  std::optional<kernel::ManualKeys> manual_keys;
  std::filesystem::path manual_keys_file;
  // forecast-horizon = 400 (days): where moves would cycle the sequence space earlier, manual keys are advised against
  std::chrono::days forecast_horizon{400};
  bool protect_payload = false;   // protect = payload (ESP for all that is tunnelled) or signalling
  bool prefix_discovery = false;  // prefix-discovery = yes: at once, not only when the home agent says that it is
                                  // necessary
  mip6::Lifetime lifetime{420};   // lifetime = 420 (seconds, 4 to 262140)
  // first-timeout = 1500 (milliseconds until a first registration is repeated; RFC 6275 InitialBindackTimeoutFirstReg)
  std::chrono::milliseconds first_timeout{1500};
  std::chrono::seconds rekey{3600};          // rekey = 3600 (seconds that the SAs' keys are used, at most)
  std::chrono::seconds ike_rekey{4 * 3600};  // ike-rekey = 14400 (those of the IKE connection)
  // [interface "wl*"] preference = 10; prefer = eth* wl* stands for sections of preference 2 and 1, after all others
  std::vector<mip6::InterfacePreference> preference;
  std::vector<std::string> exclude;         // [interface "docker*"] exclude = yes, or exclude = docker*
  std::vector<std::string> optimistic_dad;  // [interface "wl*"] optimistic-dad = yes: interfaces where it is asked for
  // bypass = 2001:db8:2::/48: prefixes that new connections reach beside the tunnel, as they do what is on-link
  std::vector<mip6::Ipv6Prefix> bypass;
  std::filesystem::path vici_socket = "/var/run/charon.vici";      // vici-socket
  std::filesystem::path control_socket = "/run/mnd/control.sock";  // control-socket
  kernel::Readers control_read = kernel::Readers::kGroup;          // control-read = group, or everyone
  std::filesystem::path state_directory = "/var/lib/mnd";          // state-directory
  // What is most likely wrong, and yet no reason not to start: mnd --check tells it as a mistake, the doctor when it
  // runs.
  std::vector<kernel::ConfigMistake> doubts{};
  std::vector<kernel::ConfigMistake> warnings{};  // what works and could be better; told as such, and no mistake
};

// "manual", "ikev1" or "ikev2", as `keying` has it.
std::string_view method_name(const Config& config);

// The first one that is named; unspecified if none is.
mip6::Ipv6Address first_of(const std::vector<mip6::Ipv6Address>& home_agents);

// The name by which a home agent, configured or found, has to authenticate itself.
std::string identity_of(const Config& config, const mip6::Ipv6Address& home_agent);

// Reads and checks; all mistakes at once. Also reads the secret.
tl::expected<Config, std::vector<kernel::ConfigMistake>> load_config(const std::filesystem::path& path);

}  // namespace mnd
