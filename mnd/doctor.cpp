// A table of checks, one function each.
#include "mnd/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

#include "ike-glue/method.hpp"
#include "libmip6/forecast.hpp"

namespace mnd {
namespace {

using Result = std::optional<Finding>;

constexpr std::string_view kNewKeysAndRestart =
    "make new keys (mnd --make-keys), set them here and at the home agent, restart both";

Result found(std::string what, std::string remedy, bool advice = false) {
  return Finding{.check = {}, .what = std::move(what), .remedy = std::move(remedy), .advice = advice};
}

Result check_state(const Health& health) {
  if (!health.state) return std::nullopt;
  return found(health.state->what, health.state->remedy);
}

Result check_keys(const Health& health) {
  if (!health.keys) return std::nullopt;
  return found(health.keys->what, health.keys->remedy);
}

Result check_running(const Health& health) {
  if (health.running) return std::nullopt;
  return found("mnd is not running", "systemctl start mnd; why it does not: journalctl -u mnd");
}

Result check_config(const Health& health) {
  if (health.config_mistakes.empty()) return std::nullopt;
  const auto& first = health.config_mistakes.front();
  const auto more = health.config_mistakes.size() - 1;
  if (more == 0) return found(first.what, first.remedy);
  return found(fmt::format("{}, and {} more mistake{}", first.what, more, more == 1 ? "" : "s"),
               fmt::format("{}; all of them: mnd --check --config {}", first.remedy, health.config_file));
}

Result check_ipv6(const Health& health) {
  if (!health.ipv6_off) return std::nullopt;
  return found("IPv6 is switched off on this machine",
               "sysctl -w net.ipv6.conf.all.disable_ipv6=0; look for disable_ipv6 in /etc/sysctl.d, and for "
               "ipv6.disable in /proc/cmdline");
}

Result check_modules(const Health& health) {
  if (health.missing_modules.empty()) return std::nullopt;
  return found(fmt::format("the kernel has no {}", fmt::join(health.missing_modules, ", ")),
               fmt::format("modprobe -a {}; where there are none: a kernel that has them, as Debian's (apt install "
                           "linux-image-$(dpkg --print-architecture))",
                           fmt::join(health.missing_modules, " ")));
}

Result check_options(const Health& health) {
  if (health.missing_options.empty()) return std::nullopt;
  return found(fmt::format("the kernel was built without {}", fmt::join(health.missing_options, ", ")),
               "use a kernel that has them, as Debian's: apt install linux-image-$(dpkg --print-architecture)");
}

Result check_vici(const Health& health) {
  if (health.manual_keys || !health.vici_forbidden) return std::nullopt;
  return found(fmt::format("mnd may not use charon's socket {}", health.vici_socket),
               fmt::format("setfacl -m u:mnd:rw {}; strongswan.service.d/mnd.conf does so at each start of charon",
                           health.vici_socket));
}

Result check_charon(const Health& health) {
  if (health.manual_keys || health.charon_connected || health.vici_forbidden) return std::nullopt;
  return found("charon cannot be reached, and it makes the keys",
               "systemctl start strongswan; why it does not: journalctl -u strongswan; vici-socket in mnd.conf names "
               "another socket of charon");
}

// Not all that charon needs has a plugin of one name: those of which there is no second one. The algorithms that
// openssl, gmp, curve25519 and the like bring are missed when keys are agreed, by name.
Result check_plugins(const Health& health) {
  if (health.manual_keys || health.charon_plugins.empty()) return std::nullopt;
  std::vector<std::string_view> missing;
  for (const std::string_view plugin : {"kernel-netlink", "socket-default", "nonce", "pem"})
    if ((plugin != "pem" || health.by_certificate) &&
        std::find(health.charon_plugins.begin(), health.charon_plugins.end(), plugin) == health.charon_plugins.end())
      missing.push_back(plugin);
  if (missing.empty()) return std::nullopt;
  return found(
      fmt::format("charon has not loaded its plugin {}", fmt::join(missing, ", ")),
      "look for 'load' in strongswan.conf and strongswan.d, let it name them, and systemctl restart strongswan");
}

Result check_state_directory(const Health& health) {
  if (health.state_writable || health.state) return std::nullopt;  // the kernel's own words tell more
  return found(fmt::format("{} cannot be written", health.state_directory),
               fmt::format("install -d -o mnd -g mnd -m 0700 {}; see that its file system is not read-only",
                           health.state_directory));
}

// Certificates are judged by it.
Result check_clock(const Health& health) {
  constexpr std::int64_t kRelease = 1'735'689'600;  // 2025; nothing of this was there before
  if (health.unix_now == 0) return std::nullopt;
  if (health.unix_now >= kRelease && health.unix_now >= health.certificate_from) return std::nullopt;
  return found(health.unix_now < kRelease ? "the wall clock shows a time in the past"
                                          : "the wall clock shows a time before our certificate is valid",
               "timedatectl set-ntp true, or timedatectl set-time 'YYYY-MM-DD hh:mm:ss'");
}

Result check_certificate(const Health& health) {
  constexpr std::int64_t kDay = 24 * 60 * 60;
  constexpr std::int64_t kRenewBefore = 14 * kDay;
  if (health.certificate_until == 0 || health.unix_now == 0) return std::nullopt;
  const auto left = health.certificate_until - health.unix_now;
  if (left >= kRenewBefore) return std::nullopt;
  constexpr std::string_view kRenew = "have it renewed, replace the file, then: systemctl reload mnd";
  if (left < 0)
    return found(
        "our certificate has expired",
        fmt::format("date tells whether the clock is right (else timedatectl set-ntp true); if it is, {}", kRenew));
  return found(fmt::format("our certificate expires in {} days", left / kDay), std::string{kRenew});
}

// RFC 4877 section 7.3: who presents a home address has it in the certificate; of other names charon wants the same.
Result check_certificate_name(const Health& health) {
  if (!health.certificate_name) return std::nullopt;
  return found(health.certificate_name->what, health.certificate_name->remedy);
}

Result check_secret(const Health& health) {
  if (health.guessable_secret)
    return found(std::string{ike::kAggressiveRisk.what}, std::string{ike::kAggressiveRisk.remedy});
  if (!health.short_secret) return std::nullopt;
  return found(health.short_secret->what, health.short_secret->remedy);
}

Result check_kernel(const Health& health) {
  if (!health.kernel) return std::nullopt;
  return found(health.kernel->what, health.kernel->remedy);
}

Result check_network(const Health& health) {
  if (health.has_address) return std::nullopt;
  return found(
      "no network here has an IPv6 address and a router: the home agent cannot be reached",
      "connect to a network with IPv6; ip -6 address and ip -6 route show what there is; where there should be "
      "some, see that a router advertises there, that accept_ra of the interface is not 0, and that no packet "
      "filter drops ICMPv6; exclude in mnd.conf leaves interfaces out");
}

// RFC 8200 section 5: what is tunnelled must hold 1280 octets. In the tunnel's header there are 40.
Result check_mtu(const Health& health) {
  constexpr std::uint32_t kLeast = 1280 + 40;
  if (!health.mtu || *health.mtu >= kLeast) return std::nullopt;
  return found(fmt::format("the MTU of {} is {}: tunnelled packets of 1280 octets need {}", health.interface,
                           *health.mtu, kLeast),
               fmt::format("ip link set {} mtu 1500, or as much as its network takes", health.interface));
}

Result check_others(const Health& health) {
  if (!health.other_policies.empty())
    return found(
        fmt::format("an IPsec policy of another VPN, or another Mobile IPv6, takes what goes to the home agent: "
                    "{}",
                    fmt::join(health.other_policies, ", ")),
        "ip -6 xfrm policy shows whose it is; end that one (swanctl --terminate --ike NAME), or have it leave the "
        "home agent out");
  if (health.other_way.empty()) return std::nullopt;
  return found(
      fmt::format("new connections leave by {} and not from the home address: another VPN comes first",
                  health.other_way),
      fmt::format("ip link set {} down, which ends it; else take ::/0 out of what it is for (AllowedIPs of WireGuard, "
                  "redirect-gateway of OpenVPN); ip -6 rule shows who comes first",
                  health.other_way));
}

// A socket that is open is told EPERM by a packet filter, or by an IPsec policy that blocks, which is another VPN's.
// What is dropped elsewhere looks like silence.
Result check_firewall(const Health& health) {
  if (!health.manual_keys && health.ike_forbidden)
    return found(
        "a packet filter here drops what charon sends to the home agent: IKE (UDP port 500)",
        "nft list ruleset; nft insert rule inet filter output udp dport '{ 500, 4500 }' accept, with the names of your "
        "table and chain");
  if (!health.send_forbidden) return std::nullopt;
  return found(
      "a packet filter here drops what is sent to the home agent: ESP (protocol 50), or the Mobility Header "
      "(protocol 135) in it",
      "nft list ruleset; nft insert rule inet filter output meta l4proto '{ esp, 135 }' accept, with the names "
      "of your table and chain");
}

Result check_discovery(const Health& health) {
  if (!health.discovery) return std::nullopt;
  return found(health.discovery->what, health.discovery->remedy);
}

Result check_key_exchange(const Health& health) {
  if (health.manual_keys || !health.key_exchange) return std::nullopt;
  return found(health.key_exchange->what, health.key_exchange->remedy);
}

Result check_home_agent(const Health& health) {
  if (!health.home_agent) return std::nullopt;
  return found(health.home_agent->what, health.home_agent->remedy);
}

Result check_prefixes(const Health& health) {
  if (!health.prefixes) return std::nullopt;
  return found(health.prefixes->what, health.prefixes->remedy);
}

// Keys from key management are renewed by the node itself.
Result check_numbers(const Health& health) {
  if (!health.manual_keys || health.keys) return std::nullopt;
  if (!health.numbers_used)
    return found("it is not known which sequence numbers the manual keys have seen", std::string{kNewKeysAndRestart});
  auto warning = numbers_warning(*health.numbers_used);
  if (warning.empty()) return std::nullopt;
  return found(std::move(warning),
               std::string{kNewKeysAndRestart} + "; or use keying = ikev2, which renews them by itself", true);
}

// How long a round through the whole space takes, however old the keys are; empty: not in sight.
std::optional<mip6::Duration> round_at(double rate) {
  return mip6::SequenceForecast::time_until(mip6::kWholeSpace, 0, rate);
}

// RFC 6275 section 15.3: where movement makes replays possible with manual keying only, IKE SHOULD be used. Refreshes
// are left out: that a node which stands still uses its numbers up tells when new keys are due, and nothing else.
Result check_movement(const Health& health) {
  const auto round = round_at(health.movement_rate);
  if (!health.manual_keys || !round || *round >= health.horizon) return std::nullopt;
  const auto days = [](mip6::Duration time) { return std::chrono::floor<std::chrono::days>(time).count(); };
  return found(fmt::format("IKE should be used instead of manual keys: with as many moves as so far, the sequence "
                           "numbers of these alone come round again in {} days, earlier than in the {} days of "
                           "forecast-horizon",
                           days(*round), days(health.horizon)),
               "use keying = ikev2; fewer moves (prefer, exclude) use fewer numbers", true);
}

// The same section: "uncontrolled alternation" between networks. The average forgets such a burst, and the next one may
// last. A round in a day is 455 numbers in ten minutes. Alternation at the rate limit, three updates a second, makes
// one in six hours; refreshing at the shortest lifetime (a number in 3 s) takes more than two days, a home agent that
// does not answer (one in 32 s, with two links hardly more) more than two weeks. And nobody can replace manual keys
// every day.
constexpr mip6::Duration kThrashing = std::chrono::days{1};

// So many held back in ten minutes are no coincidence of moves any more.
constexpr std::uint32_t kManyHeldBack = 10;

Result check_thrashing(const Health& health) {
  const auto round = round_at(health.highest_rate);
  if (!health.manual_keys || !round || *round >= kThrashing) {
    if (health.held_back < kManyHeldBack) return std::nullopt;
    return found(fmt::format("the node changes between networks faster than it may tell the home agent: {} updates "
                             "were held back in the last ten minutes",
                             health.held_back),
                 "prefer and exclude keep the node from changing to and fro between two links", true);
  }
  return found(fmt::format("IKE should be used instead of manual keys: with thrashing as in the busiest ten minutes so "
                           "far the sequence numbers come round again in {} h",
                           std::chrono::floor<std::chrono::hours>(*round).count()),
               "use keying = ikev2; prefer and exclude keep the node from changing to and fro between two links", true);
}

// A consequence is told only where no cause that stands before it was found: who has no network hears nothing from the
// home agent either.
enum class Kind { kCause, kConsequence };
struct Check {
  std::string_view name;
  Result (*run)(const Health&);
  Kind kind;
};
constexpr std::array<Check, 27> kChecks{{
    {"running", check_running, Kind::kCause},
    {"configuration", check_config, Kind::kCause},
    {"ipv6", check_ipv6, Kind::kCause},
    {"modules", check_modules, Kind::kCause},
    {"kernel-options", check_options, Kind::kCause},
    {"state-file", check_state, Kind::kCause},
    {"state-directory", check_state_directory, Kind::kCause},
    {"manual-keys", check_keys, Kind::kCause},
    {"vici", check_vici, Kind::kCause},
    {"charon", check_charon, Kind::kCause},
    {"charon-plugins", check_plugins, Kind::kCause},
    {"clock", check_clock, Kind::kCause},
    {"certificate", check_certificate, Kind::kCause},
    {"certificate-name", check_certificate_name, Kind::kCause},
    {"kernel", check_kernel, Kind::kConsequence},
    {"network", check_network, Kind::kConsequence},
    {"mtu", check_mtu, Kind::kCause},
    {"other-vpn", check_others, Kind::kCause},
    {"firewall", check_firewall, Kind::kConsequence},
    {"discovery", check_discovery, Kind::kConsequence},
    {"key-exchange", check_key_exchange, Kind::kConsequence},
    {"home-agent", check_home_agent, Kind::kConsequence},
    {"prefixes", check_prefixes, Kind::kCause},
    {"secret", check_secret, Kind::kCause},
    {"sequence-numbers", check_numbers, Kind::kCause},
    {"movement", check_movement, Kind::kCause},
    {"thrashing", check_thrashing, Kind::kCause},
}};

// Not running is no cause of what is wrong besides; nor is what the kernel lacks, where it refuses nothing.
bool explains(const Finding& finding, const Health& health) {
  if (finding.check == "modules" || finding.check == "kernel-options") return health.kernel || !health.running;
  return finding.check != "running";
}

}  // namespace

nlohmann::json to_json(const Finding& finding) {
  return {{"check", finding.check}, {"what", finding.what}, {"remedy", finding.remedy}};
}

std::vector<Finding> examine(const Health& health) {
  std::vector<Finding> findings;
  for (const auto& check : kChecks) {
    const bool explained = std::ranges::any_of(findings, [&](const auto& one) { return explains(one, health); });
    if (check.kind == Kind::kConsequence && explained) continue;
    auto finding = check.run(health);
    if (!finding) continue;
    finding->check = check.name;
    findings.push_back(std::move(*finding));
  }
  return findings;
}

std::vector<std::string_view> check_names() {
  std::vector<std::string_view> names;
  for (const auto& check : kChecks) names.push_back(check.name);
  return names;
}

std::string numbers_warning(std::uint16_t used) {
  switch (mip6::use_of_half_space(used)) {
    case mip6::SequenceUse::kPlenty:
      return {};
    case mip6::SequenceUse::kAll:
      return fmt::format("all {} sequence numbers that are safe under the manual keys are used", mip6::kHalfSpace);
    case mip6::SequenceUse::kHalf:
    case mip6::SequenceUse::kNearlyAll:
      break;
  }
  return fmt::format("{} of the {} sequence numbers that are safe under the manual keys are used ({} %)", used,
                     mip6::kHalfSpace, used * 100 / mip6::kHalfSpace);
}

}  // namespace mnd
