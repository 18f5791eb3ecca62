// The configuration of mip6-ha: a file with a section for every node that is served; sections of nodes may also stand
// in files of their own.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "examples/home-agent/metrics_endpoint.hpp"
#include "ike-glue/credentials.hpp"
#include "libmip6/address.hpp"
#include "libmip6/agent/behaviour.hpp"
#include "libmip6/agent/prefix_advertiser.hpp"
#include "libmip6/wire/message.hpp"
#include "mnd/linux/config_file.hpp"
#include "mnd/linux/manual_keys.hpp"

namespace mip6ha {

struct NodeConfig {  // [node NAME]
  std::string name;  // [a-z0-9-], at most kMaxNodeName characters
  mip6::Ipv6Address home_address;
  std::string identity;       // default: the home address
  ike::Proof proof;           // content of secret-file = FILE, or our own certificate; never printed
  std::string certificate{};  // content of certificate = FILE, PEM: no other one is taken; empty: any of the root's
  // keying, ike-proposals, esp-proposals, signature-hash: here, or at the top for all nodes
  ike::Method method = ike::default_method(ike::IkeVersion::kV2);
  // manual-keys = FILE, in place of identity and proof; never printed
  std::optional<mnd::kernel::ManualKeys> manual_keys;
  bool protect_payload = false;  // protect = payload|signalling; default: as at the top
};
inline constexpr std::size_t kMaxNodeName = 40;
bool is_node_name(std::string_view name);  // 1 to kMaxNodeName of a-z, 0-9 and -

struct Config {
  mip6::Ipv6Address address;                          // our own, on the home link
  std::string interface;                              // that the home link is on
  mip6::Ipv6Prefix prefix;                            // of the home link
  std::string identity;                               // default: the address
  std::optional<ike::SharedCertificate> certificate;  // our own: content of certificate = FILE; never printed
  bool key_mobility = true;                           // key-mobility = yes|no: K is answered with K
  bool protect_payload = false;                       // protect = payload: ESP for all that is tunnelled; or signalling
  mip6::Lifetime lifetime{3600};
  // In seconds, from the start or the reload that has set it; empty: the prefix is for ever.
  std::optional<mip6::Lifetime> prefix_lifetime;
  // min-prefix-interval, max-prefix-interval: in which nodes are told unasked (RFC 6275 section 13).
  mip6::Lifetime min_prefix_interval = mip6::agent::PrefixAdvertiserPolicy{}.min_interval;
  mip6::Lifetime max_prefix_interval = mip6::agent::PrefixAdvertiserPolicy{}.max_interval;
  std::optional<mip6::Ipv6Prefix> next_prefix;  // next-prefix = P: what the home link is being renumbered to
  bool discovery = true;         // discovery = yes|no: who asks for home agents is answered, others are listed
  std::uint16_t preference = 0;  // preference = N: ours among them, as our router advertisements have it
  std::filesystem::path vici_socket = "/var/run/charon.vici";
  std::filesystem::path control_socket = "/run/mip6-ha/control.sock";
  std::filesystem::path state_directory = "/var/lib/mip6-ha";
  std::optional<MetricsEndpoint> metrics;  // metrics = PORT or [ADDRESS]:PORT; empty: none
  mip6::agent::BehaviourPolicy behaviour;  // tolerate = OFFENCES or all; ban-for = SECONDS, the first time
  std::vector<NodeConfig> nodes;
  std::vector<mnd::kernel::ConfigMistake> warnings{};  // what works and could be better; told as such, and no mistake

  // Which of `prefix` and `next_prefix` a home address is of; nullptr: of neither.
  const mip6::Ipv6Prefix* prefix_of(const mip6::Ipv6Address& home_address) const;
};

using Mistakes = std::vector<mnd::kernel::ConfigMistake>;

// The folder beside the configuration in which files NAME.conf have nothing but sections of nodes.
std::filesystem::path nodes_folder(const std::filesystem::path& config);

// Reads `path`, `path`.d/*.conf and nodes_folder(path)/*.conf.
mnd::kernel::ConfigContent read_content(const std::filesystem::path& path);
// Reads all of these and checks them, the secrets too; all mistakes at once.
tl::expected<Config, Mistakes> load_config(const std::filesystem::path& path);
// Whether a configuration without a single node is a mistake: not where nodes come and go by command.
enum class NoNode { kMistake, kFine };
// Checks what was read already; `file` is named where a mistake is in no line. Secret files are read from disk.
tl::expected<Config, Mistakes> check_config(const mnd::kernel::ConfigContent& content, const std::string& file,
                                            NoNode none = NoNode::kMistake);

}  // namespace mip6ha
