// The daemon's hands: performs what the protocol core and the keying core decided, in their order.
#include <fmt/format.h>

#include "libmip6/wire/message.hpp"
#include "mnd/daemon.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/neighbour.hpp"

namespace mnd {

namespace node = mip6::node;
using kernel::Side;

void Daemon::feed(node::Event event) {
  pending_.emplace_back(std::move(event));
  drain();
}

void Daemon::feed(KeyingEvent event) {
  pending_.emplace_back(std::move(event));
  drain();
}

// Events that actions cause wait until all actions of the present event are performed.
void Daemon::drain() {
  if (draining_) return;
  draining_ = true;
  while (!pending_.empty()) {
    const auto event = std::move(pending_.front());
    pending_.pop_front();
    const auto now = kernel::boot_now();
    if (const auto* for_registration = std::get_if<node::Event>(&event)) {
      if (!registration_) continue;
      for (const auto& action : registration_->handle(*for_registration, now))
        std::visit([this](const auto& one) { perform(one); }, action);
    } else {
      for (const auto& action : keying_.handle(std::get<KeyingEvent>(event), now))
        std::visit([this](const auto& one) { perform(one); }, action);
    }
  }
  draining_ = false;
  rearm();
}

void Daemon::perform(const node::UseAttachment& action) {
  const auto& attachment = action.attachment;
  if (!attachment.at_home) {
    done(xfrm_->set_care_of(Side::kNode, ends_, attachment.care_of));
    return;
  }
  done(xfrm_->clear_care_of(Side::kNode, ends_));
  if (attachment.gateway)
    done(tunnel_->attach_home_link(attachment.interface, config_.home_prefix.length, *attachment.gateway));
  home_link_ = attachment.interface;
  maybe_on_home_link_ = true;
}

void Daemon::perform(const node::SendUpdate& action) {
  const auto bytes = mip6::write_message(action.update);
  if (const auto sent = socket_->send(bytes, config_.home_agent); !sent)
    feed(node::UpdateSendFailed{.sequence = action.update.sequence, .reason = sent.error().to_string()});
}

void Daemon::perform(const node::SwitchOutbound& action) {
  const auto& attachment = action.attachment;
  if (attachment.at_home) {
    if (attachment.gateway) done(tunnel_->send_through_home_link(attachment.interface, *attachment.gateway));
  } else {
    done(tunnel_->send_through_tunnel(attachment.care_of));
    leave_home_link();
  }
  if (!preferred_) preferred_ = done(tunnel_->prefer_home_address(true));
}

void Daemon::leave_home_link() {
  if (!maybe_on_home_link_) return;
  maybe_on_home_link_ = !done(tunnel_->detach_home_link(home_link_));
  home_link_ = 0;
}

void Daemon::perform(const node::StopOutbound&) {
  done(tunnel_->stop_outbound());
  leave_home_link();
  if (preferred_) preferred_ = !done(tunnel_->prefer_home_address(false));
}

void Daemon::perform(const node::ReserveSequence& action) {
  if (const auto stored = store_.store(action.end)) {
    trouble_over("disk");
    feed(node::SequenceReserved{action.end});
  } else {
    trouble("disk", stored.error().to_string(), stored.error().remedy);
    feed(node::SequenceReservationFailed{});
  }
}

void Daemon::perform(const node::NeedKeys& action) { feed(ike::EstablishAsked{action.attachment.care_of}); }

bool Daemon::move_key_endpoint(const mip6::Ipv6Address& local) {
  return done(xfrm_->move_key_endpoint(Side::kNode, ends_, kernel::kNodeReqid, local, config_.home_agent));
}

void Daemon::perform(const node::MoveOwnKeys& action) { move_key_endpoint(action.attachment.care_of); }

void Daemon::perform(const node::MoveKeys& action) {
  const auto& local = action.attachment.care_of;
  feed(ike::EndpointMoved{.local = local, .accepted = move_key_endpoint(local)});
}

void Daemon::perform(const node::RenewKeys& action) {
  feed(ike::ReestablishAsked{.local = action.attachment.care_of, .previous_usable = action.previous_usable});
}

void Daemon::perform(const node::AnnounceHomeAddress& action) {
  done(kernel::advertise(action.attachment.interface, config_.home_address));
}

void Daemon::perform(const node::Registered& action) {
  trouble_over("registration");
  const auto took = std::chrono::duration<double, std::milli>(action.took).count();
  if (action.attachment.at_home)
    journal_.add("home", fmt::format("at home, de-registered in {:.1f} ms (seq {})", took, action.sequence.value()));
  else
    journal_.add("registered", fmt::format("care-of {} registered in {:.1f} ms for {} s (seq {}, K {})",
                                           action.attachment.care_of.to_string(), took, action.lifetime.count(),
                                           action.sequence.value(), action.key_mobility ? "agreed" : "not agreed"));
  publish_status();
}

void Daemon::perform(const node::Trouble& action) { trouble("registration", action.what, action.remedy); }

void Daemon::perform(const node::Stopped&) {
  journal_.add("stopped", "the home agent serves us no longer");
  feed(ike::StopAsked{});
}

void Daemon::perform(const ike::Request& action) {
  auto& session = action.slow ? slow_ : fast_;
  session->request(action.command, action.message, action.stream, action.deadline,
                   [this, id = action.id](tl::expected<ike::Response, mip6::Error> response) {
                     feed(ike::Answered{.id = id, .response = std::move(response)});
                   });
}

void Daemon::perform(const ike::KeysUp& action) {
  trouble_over("keys");
  journal_.add("keys", fmt::format("usable (SPI in {:#010x}, out {:#010x})", action.spi_in, action.spi_out));
  feed(node::KeysUsable{
      .can_migrate = !keying_.migration_failed(), .fresh = action.fresh, .endpoint = keying_.endpoint()});
}

void Daemon::perform(const ike::KeysDown&) {
  journal_.add("keys", "gone");
  feed(node::KeysUnusable{});
}

void Daemon::perform(const ike::MoveOwnEndpoint& action) {
  move_key_endpoint(action.local);
  feed(ike::OwnEndpointMoved{});
}

void Daemon::perform(const ike::DeleteStatesExcept& action) {
  const auto states = xfrm_->esp_states(ends_, kernel::kNodeReqid);
  if (!states) {
    done(tl::unexpected(states.error()));
    return;
  }
  for (const auto& state : *states)
    if (std::ranges::find(action.spis, state.spi) == action.spis.end()) done(xfrm_->delete_esp_state(state));
}

void Daemon::perform(const ike::Trouble& action) { trouble("keys", action.what, action.remedy); }

void Daemon::perform(const ike::Step& action) { journal_.add("keys", action.what); }

void Daemon::perform(const ike::Stopped&) {
  if (stopping_) clean_up();
}

bool Daemon::done(const tl::expected<void, mip6::Error>& result) {
  if (result) return true;
  trouble("kernel call", result.error().to_string(), result.error().remedy);
  return false;
}

void Daemon::trouble(std::string source, std::string what, std::string remedy) {
  const bool known = trouble_ && trouble_->current && trouble_->source == source && trouble_->what == what;
  if (known) return;
  journal_.add("trouble", remedy.empty() ? what : what + "; " + remedy);
  trouble_ = CurrentTrouble{std::move(source), std::move(what), std::move(remedy), kernel::boot_now()};
  publish_status();
}

void Daemon::trouble_over(const std::string& source) {
  if (trouble_ && trouble_->source == source) trouble_->current = false;
}

}  // namespace mnd
