// What comes in from the sockets: to the protocol core, or dropped and counted by the reason.
#include <fmt/format.h>

#include "libmip6/wire/message.hpp"
#include "mnd/daemon.hpp"
#include "mnd/linux/log.hpp"

namespace mnd {

void Daemon::received(const kernel::MobilityPacket& packet) {
  const auto message = mip6::parse_message(packet.message);
  if (!message) return drop("malformed", packet);
  if (std::holds_alternative<mip6::BindingError>(*message)) return;  // received_at_care_of() has it too, and counts it
  if (packet.source != ends_.home_agent) return drop("not from the home agent", packet);
  if (const auto* acknowledgement = std::get_if<mip6::BindingAcknowledgement>(&*message)) {
    traced("acknowledgement received");
    feed(mip6::node::AcknowledgementReceived{*acknowledgement});
  } else if (std::holds_alternative<mip6::BindingRefreshRequest>(*message)) {
    feed(mip6::node::RefreshRequestReceived{});
  } else {
    drop("of no use to a mobile node", packet);
  }
}

// RFC 6275 section 9.3.3: a Binding Error goes to the address on the wire, which away is the care-of address, and in
// the clear. Nothing else that comes there is looked at.
void Daemon::received_at_care_of(const kernel::MobilityPacket& packet) {
  const auto message = mip6::parse_message(packet.message);
  const auto* error = message ? std::get_if<mip6::BindingError>(&*message) : nullptr;
  const bool received_twice = packet.destination == config_.home_address;  // and judged by received()
  if (error == nullptr && received_twice) return;
  if (!message) return drop("malformed", packet);
  if (error == nullptr) return drop("in the clear", packet);
  if (packet.source != ends_.home_agent) return drop("not from the home agent", packet);
  feed(mip6::node::BindingErrorReceived{*error});
}

// Only those that quote an update; the core knows whether one is on its way.
void Daemon::received(const mip6::ParameterProblem& problem) {
  if (problem.destination != ends_.home_agent) return;
  if (problem.home_address.value_or(problem.source) != config_.home_address) return;
  feed(mip6::node::ParameterProblemReceived{.code = problem.code, .pointer = problem.pointer});
}

void Daemon::drop(std::string_view reason, const kernel::MobilityPacket& packet) {
  ++dropped_.try_emplace(std::string{reason}).first->second;
  kernel::log(kernel::Level::kDebug,
              fmt::format("dropped a mobility message from {}: {}", packet.source.to_string(), reason));
}

}  // namespace mnd
