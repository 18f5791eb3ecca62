// Mobile prefix discovery: which prefixes the home link has, and for how long (RFC 6275 section 11.4). Its messages are
// under an SA of their own, which is made when it is first needed.
#include <fmt/format.h>

#include "libmip6/wire/icmp_message.hpp"
#include "mnd/daemon.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"

namespace mnd {

namespace node = mip6::node;

namespace {

constexpr mip6::Duration kShortestSolicitWait = std::chrono::seconds{10};

std::string lifetime_text(mip6::Lifetime lifetime) {
  return lifetime == mip6::kInfiniteLifetime ? "for ever" : fmt::format("for {} s", lifetime.count());
}

}  // namespace

void Daemon::want_prefixes() {
  if (manual()) return journal_.add("prefixes", "not asked for: manual keys protect the Mobility Header only");
  feed(ike::ChildAsked{ike::ChildKind::kPrefixes});
  feed_prefixes(node::PrefixesWanted{});
}

void Daemon::feed_prefixes(const node::PrefixEvent& event) {
  for (const auto& action : prefixes_.handle(event, kernel::boot_now())) {
    if (const auto* learned = std::get_if<node::PrefixesLearned>(&action)) {
      learn(learned->advertisement);
      continue;
    }
    const auto& solicit = std::get<node::SendPrefixSolicitation>(action);
    const auto bytes = mip6::write_icmp_message(solicit.solicitation);
    if (const auto sent = prefix_socket_->send(bytes, solicit.home_agent); !sent)
      kernel::log(kernel::Level::kDebug, sent.error().to_string());  // it is repeated
    else
      journal_.add("prefixes", "the home agent is asked for the home network's prefixes");
  }
  rearm();
}

// Solicitations make sense with a binding, and with an SA that they can leave under.
void Daemon::serve_prefixes() {
  const auto& at = registration_ ? registration_->registered_at() : std::nullopt;
  if (at && !at->at_home && prefix_sa_)
    feed_prefixes(node::AgentServes{config_.home_agent});
  else
    feed_prefixes(node::AgentServesNot{});
}

void Daemon::received_prefixes(const kernel::MobilityPacket& packet) {
  const auto message = mip6::parse_icmp_message(packet.message);
  const auto* advertisement = message ? std::get_if<mip6::MobilePrefixAdvertisement>(&*message) : nullptr;
  if (advertisement == nullptr) return drop("malformed", packet);
  if (packet.source != config_.home_agent) return drop("not from the home agent", packet);
  // The policies have let nothing through that was not under ESP.
  if (!packet.routing_header) return drop("without routing header", packet);
  feed_prefixes(node::PrefixAdvertisementReceived{
      .advertisement = *advertisement, .source = packet.source, .protected_by_ipsec = true});
}

// A home address in another prefix would need keys of its own, and none are configured: it is told, and not used.
void Daemon::learn(const mip6::MobilePrefixAdvertisement& advertisement) {
  const auto now = kernel::boot_now();
  for (const auto& one : advertisement.prefixes) {
    const bool ours = one.prefix.contains(config_.home_address);
    journal_.add("prefixes", fmt::format("home network has {}, valid {}, preferred {}{}", one.prefix.to_string(),
                                         lifetime_text(one.valid), lifetime_text(one.preferred),
                                         ours ? "" : "; there is no key for a home address in it, so it is not used"));
    if (!ours) continue;
    std::optional<mip6::BootTime> until;
    solicit_prefixes_at_.reset();
    if (one.valid != mip6::kInfiniteLifetime) {
      until = now + one.valid;
      solicit_prefixes_at_ = now + std::max<mip6::Duration>(mip6::Duration{one.valid} / 4 * 3, kShortestSolicitWait);
    }
    feed(node::HomeAddressValid{until});
  }
}

void Daemon::prefix_deadline(mip6::BootTime now) {
  if (solicit_prefixes_at_ && *solicit_prefixes_at_ <= now) {
    solicit_prefixes_at_.reset();
    want_prefixes();
  }
  feed_prefixes(node::PrefixDeadlineReached{});
}

}  // namespace mnd
