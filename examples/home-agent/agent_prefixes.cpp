// The home link's prefixes, and mobile prefix discovery: solicitations are answered, and nodes that are away are told
// of the home prefix (RFC 6275 section 10.6), where an SA for it is there.
#include <fmt/format.h>

#include "examples/home-agent/agent.hpp"
#include "libmip6/wire/icmp_message.hpp"
#include "mnd/linux/log.hpp"

namespace mip6ha {

namespace agent = mip6::agent;
using mip6::Ipv6Address;
using mnd::kernel::Level;

agent::HomePrefixes Agent::home_prefixes() const {
  agent::HomePrefixes prefixes{{.prefix = config_.prefix, .valid_until = prefix_end_, .preferred_until = prefix_end_}};
  if (config_.next_prefix) prefixes.push_back({.prefix = *config_.next_prefix});
  return prefixes;
}

void Agent::begin_prefix_lifetime() {
  prefix_end_ = config_.prefix_lifetime ? mnd::kernel::boot_now() + *config_.prefix_lifetime : agent::kForever;
}

// By another configuration: bindings end with the validity of their prefix (RFC 6275 section 10.3.1), and nodes that
// are away are told, each at a time of its own (section 10.6.2).
void Agent::prefixes_changed() {
  const auto prefixes = home_prefixes();
  post(agent::Event{agent::HomePrefixesChanged{prefixes}});
  advertise(agent::HomePrefixesChanged{prefixes});
  if (list_ != nullptr) {
    requests_.reset();  // and with it the former anycast addresses
    open_requests();
  }
  std::string told;
  for (const auto& one : prefixes) {
    const auto left = agent::remaining(one.valid_until, mnd::kernel::boot_now());
    told += fmt::format("{}{} {}", told.empty() ? "" : ", ", one.prefix.to_string(),
                        left == mip6::kInfiniteLifetime ? "for ever" : fmt::format("for {} s", left.count()));
  }
  tell(std::string_view{}, fmt::format("the home link has {}", told));
  mnd::kernel::log(Level::kInfo, fmt::format("home prefixes changed: {}", told));
}

void Agent::received_prefixes(const mnd::kernel::MobilityPacket& packet) {
  const auto message = mip6::parse_icmp_message(packet.message);
  const auto* solicitation = message ? std::get_if<mip6::MobilePrefixSolicitation>(&*message) : nullptr;
  if (solicitation == nullptr) return drop("malformed prefix solicitation", packet.source);
  // Whoever has no policy of its own is not kept from sending one in the clear.
  if (!packet.home_address_option || !reqids_.contains(packet.source))
    return drop("prefix solicitation of nobody that is served", packet.source);
  advertise(agent::PrefixSolicitationReceived{
      .solicitation = *solicitation, .home_address = packet.source, .source = *packet.home_address_option});
}

void Agent::note_binding(const agent::Action& action) {
  if (const auto* installed = std::get_if<agent::InstallBinding>(&action)) {
    if (prefix_sas_.contains(installed->home_address))
      advertise(agent::BindingInstalled{installed->home_address, installed->care_of});
  } else if (const auto* removed = std::get_if<agent::RemoveBinding>(&action)) {
    advertise(agent::BindingRemoved{removed->home_address});
  }
}

void Agent::prefix_sa(const Ipv6Address& home_address, bool up) {
  if (!up) {
    prefix_sas_.erase(home_address);
    return advertise(agent::BindingRemoved{home_address});
  }
  prefix_sas_.insert(home_address);
  const auto bound = performer_->bound().find(home_address);
  if (bound != performer_->bound().end()) advertise(agent::BindingInstalled{home_address, bound->second});
}

void Agent::advertise(const agent::PrefixEvent& event) {
  for (const auto& action : advertiser_->handle(event, mnd::kernel::boot_now())) {
    const auto& send = std::get<agent::SendPrefixAdvertisement>(action);
    if (performer_->perform(send))
      mnd::kernel::log(Level::kInfo, fmt::format("node={} told of the home prefix", name_of(send.home_address)));
  }
  arm_timer();
}

}  // namespace mip6ha
