// Mobile prefix discovery: which prefixes the home link has, and for how long (RFC 6275 section 11.4). Its messages are
// under an SA of their own, which is made when it is first needed.
#include <fmt/format.h>

#include <algorithm>

#include "libmip6/wire/icmp_message.hpp"
#include "mnd/daemon.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"

namespace mnd {

namespace node = mip6::node;

namespace {

std::string lifetime_text(mip6::Lifetime lifetime) {
  return lifetime == mip6::kInfiniteLifetime ? "for ever" : fmt::format("for {} s", lifetime.count());
}

}  // namespace

void Daemon::perform(const node::SendPrefixSolicitation& action) {
  if (manual()) return;
  if (!prefix_sa_) {
    unsent_solicitation_ = action;
    return feed(ike::ChildAsked{ike::ChildKind::kPrefixes});
  }
  const auto bytes = mip6::write_icmp_message(action.solicitation);
  if (const auto sent = prefix_socket_->send(bytes, action.home_agent); !sent)
    kernel::log(kernel::Level::kDebug, sent.error().to_string());  // it is repeated
  else
    journal_.add("prefixes", "the home agent is asked for the home network's prefixes");
}

void Daemon::prefix_sa(bool up) {
  prefix_sa_ = up;
  if (const auto unsent = std::exchange(unsent_solicitation_, std::nullopt); up && unsent) perform(*unsent);
}

void Daemon::received_prefixes(const kernel::MobilityPacket& packet) {
  const auto message = mip6::parse_icmp_message(packet.message);
  const auto* advertisement = message ? std::get_if<mip6::MobilePrefixAdvertisement>(&*message) : nullptr;
  if (advertisement == nullptr) return drop("malformed", packet);
  if (packet.source != ends_.home_agent) return drop("not from the home agent", packet);
  // The policies have let nothing through that was not under ESP.
  if (!packet.routing_header) return drop("without routing header", packet);
  feed(node::PrefixAdvertisementReceived{
      .advertisement = *advertisement, .source = packet.source, .protected_by_ipsec = true});
}

// A home address in another prefix would need keys of its own, and none are configured: it is told, and not used. Once
// it outlives our own prefix, the user has to do something.
void Daemon::perform(const node::PrefixesLearned& action) {
  const auto& prefixes = action.advertisement.prefixes;
  const auto is_ours = [this](const auto& one) { return one.prefix.contains(config_.home_address); };
  const auto own = std::ranges::find_if(prefixes, is_ours);
  const mip6::PrefixInformation* successor = nullptr;
  for (const auto& one : prefixes) {
    const bool ours = is_ours(one);
    journal_.add("prefixes", fmt::format("home network has {}, valid {}, preferred {}{}", one.prefix.to_string(),
                                         lifetime_text(one.valid), lifetime_text(one.preferred),
                                         ours ? "" : "; there is no key for a home address in it, so it is not used"));
    if (!ours && own != prefixes.end() && one.valid > own->valid) successor = &one;
  }
  if (successor == nullptr) return troubles_.over("prefixes");
  trouble("prefixes",
          fmt::format("the home network moves to {}: the home address {} is valid {}", successor->prefix.to_string(),
                      config_.home_address.to_string(), lifetime_text(own->valid)),
          "ask the home agent's administrator for a home address in the new prefix and a key for it, and write them "
          "into mnd.conf");
}

}  // namespace mnd
