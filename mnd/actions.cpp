// The daemon's hands: performs what the protocol core and the keying core decided, in their order.
#include <fmt/format.h>

#include "libmip6/wire/message.hpp"
#include "mnd/daemon.hpp"
#include "mnd/farewell.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/neighbour.hpp"

namespace mnd {

namespace node = mip6::node;
using kernel::Side;

namespace {

constexpr std::chrono::milliseconds kLogPatience{3000};

}  // namespace

void Daemon::feed(node::MobileEvent event) {
  pending_.emplace_back(std::move(event));
  drain();
}

void Daemon::feed(KeyingEvent event) {
  if (manual()) return;  // there is no key management
  pending_.emplace_back(std::move(event));
  drain();
}

// Events that actions cause wait until all actions of the present event are performed; and so does what is to be done
// about the network, which depends on where the core is then.
void Daemon::drain() {
  if (draining_) return;
  draining_ = true;
  do {
    while (!pending_.empty()) {
      const auto event = std::move(pending_.front());
      pending_.pop_front();
      std::visit([this](const auto& one) { handle(one); }, event);
    }
    if (std::exchange(reconsider_, false) && monitor_) network_changed(monitor_->state());
  } while (!pending_.empty());
  if (std::exchange(forget_node_, false)) node_.reset();
  if (std::exchange(local_paths_due_, false) && node_) set_local_paths(monitor_->state());
  draining_ = false;
  warn_of_numbers();
  rearm();
  publish_status();
}

void Daemon::handle(const node::MobileEvent& event) {
  if (!node_) return;
  for (const auto& action : node_->handle(event, kernel::boot_now()))
    std::visit([this](const auto& one) { perform(one); }, action);
  if (const bool settled = registration()->settled(); settled != std::exchange(settled_, settled))
    feed(ike::Settled{settled});
}

void Daemon::handle(const KeyingEvent& event) {
  if (is_for_next_keying(event)) return for_next_keying_.push_back(event);
  for (const auto& action : keying_->handle(event, kernel::boot_now())) {
    // What becomes of a former home agent's keys is of no interest.
    if (keying_leaves_ && !std::holds_alternative<ike::Request>(action) &&
        !std::holds_alternative<ike::FollowLog>(action) && !std::holds_alternative<ike::Stopped>(action))
      continue;
    std::visit([this](const auto& one) { perform(one); }, action);
  }
}

void Daemon::perform(const node::UseAttachment& action) {
  const auto& attachment = action.attachment;
  feed(ike::Attached{attachment.care_of});
  ready_to_send_ = false;
  if (!tunnel_) return;  // what is for this home agent could not be set up yet
  if (!attachment.at_home) {
    ready_to_send_ = done("xfrm", xfrm_->set_care_of(Side::kNode, ends_, attachment.care_of));
    traced("home address option set");
    if (esp_tunnel_)
      done("payload protection",
           esp_tunnel_->require(Side::kNode, ends_, kernel::kNodePayloadReqid, attachment.care_of));
    return;
  }
  ready_to_send_ = done("xfrm", xfrm_->clear_care_of(Side::kNode, ends_));
  traced("home address option removed");
  if (attachment.gateway)
    ready_to_send_ &= done(
        "tunnel", tunnel_->attach_home_link(attachment.interface, config_.home_prefix.length, *attachment.gateway));
  if (home_link_ != 0 && home_link_ != attachment.interface && !done("tunnel", tunnel_->detach_home_link(home_link_)))
    maybe_on_other_link_ = true;
  home_link_ = attachment.interface;
  maybe_on_home_link_ = true;
}

void Daemon::perform(const node::SendUpdate& action) {
  if (!ready_to_send_ || !socket_) {
    const auto* why = troubles_.shown();
    feed(node::UpdateSendFailed{.sequence = action.update.sequence,
                                .reason = why ? why->what : "the attachment is not set up"});
    return;
  }
  // The home agent looks for duplicates of the home address on the home link as soon as it has the update (RFC 6275
  // section 10.3.1).
  if (const auto& attachment = registration()->attachment(); attachment && !attachment->at_home) leave_home_link();
  const auto bytes = mip6::write_message(action.update);
  const auto sent = socket_->send(bytes, ends_.home_agent);
  send_forbidden_ = !sent && sent.error().os_error == EPERM;
  if (!sent)
    feed(node::UpdateSendFailed{.sequence = action.update.sequence, .reason = sent.error().to_string()});
  else
    traced("update sent");
}

void Daemon::perform(const node::SwitchOutbound& action) {
  if (!tunnel_) return;
  const auto& attachment = action.attachment;
  // From an address that still works packets of the home agent may be on their way: they are taken until it has moved,
  // too.
  using Scope = kernel::EspTunnel::Scope;
  if (esp_tunnel_ && !attachment.at_home)
    done("payload protection", esp_tunnel_->move(Side::kNode, ends_, kernel::kNodePayloadReqid, attachment.care_of,
                                                 action.previous_usable ? Scope::kSending : Scope::kBoth));
  outbound_ = attachment;
  if (!done("tunnel", send_by(attachment))) return;
  traced("payload switched");
  // After the tunnel's routes have gone: nothing of it leaves in the clear meanwhile.
  if (esp_tunnel_ && attachment.at_home) done("payload protection", esp_tunnel_->remove(Side::kNode, ends_));
  prefer_home_address(true);
}

tl::expected<void, mip6::Error> Daemon::send_by(const mip6::Attachment& attachment) {
  if (!attachment.at_home) return tunnel_->send_through_tunnel(attachment.care_of);
  if (attachment.gateway)
    return tunnel_->send_through_home_link(attachment.interface, config_.home_prefix.length, *attachment.gateway);
  return {};
}

void Daemon::leave_home_link() {
  if (!maybe_on_home_link_) return;
  constexpr std::uint32_t kAnyLink = 0;
  const bool left = done("tunnel", tunnel_->detach_home_link(maybe_on_other_link_ ? kAnyLink : home_link_));
  maybe_on_home_link_ = maybe_on_other_link_ = !left;
  home_link_ = 0;
}

void Daemon::prefer_home_address(bool preferred) {
  if (preferred_ == preferred) return;
  if (done("tunnel", tunnel_->prefer_home_address(preferred))) preferred_ = preferred;
}

void Daemon::perform(const node::StopOutbound&) {
  outbound_.reset();
  if (!tunnel_) return;
  done("tunnel", tunnel_->stop_outbound());
  // Where the node may be at home, the de-registration goes on.
  if (const auto& attachment = registration()->attachment(); !attachment || !attachment->at_home) leave_home_link();
  prefer_home_address(false);
}

void Daemon::perform(const node::ReserveSequence& action) {
  if (store_numbers({action.end, action.first_under_keys}))
    feed(node::SequenceReserved{action.end});
  else
    feed(node::SequenceReservationFailed{});
}

void Daemon::perform(const node::NeedKeys& action) {
  if (manual()) return tell_manual_keys();
  feed(ike::EstablishAsked{action.attachment.care_of});
}

bool Daemon::move_key_endpoint(const mip6::Ipv6Address& local) {
  const auto& agent = ends_.home_agent;
  if (done("IKE endpoint", xfrm_->move_key_endpoint(Side::kNode, ends_, kernel::kNodeReqid, local, agent))) {
    if (prefix_sa_)
      if (const auto moved =
              xfrm_->move_prefix_key_endpoint(Side::kNode, ends_, kernel::kNodePrefixesReqid, local, agent);
          !moved)
        journal_.add("keys", moved.error().to_string());
    return true;
  }
  // Somebody may have removed the policy that this is about, and with it what keeps messages in the clear away.
  done("xfrm", xfrm_->require_esp(Side::kNode, ends_, kernel::kNodeReqid));
  return false;
}

void Daemon::perform(const node::MoveOwnKeys& action) {
  if (!move_key_endpoint(action.attachment.care_of)) feed(node::OwnKeysStayed{});
  traced("own end of the keys moved");
}

void Daemon::perform(const node::MoveKeys& action) {
  const auto& local = action.attachment.care_of;
  bool accepted = move_key_endpoint(local);
  constexpr auto kReqid = kernel::kNodePayloadReqid;
  if (esp_tunnel_ && !action.attachment.at_home &&
      !done("payload protection", esp_tunnel_->move_with_keys(Side::kNode, ends_, kReqid, local))) {
    accepted = false;
    // As above: nothing leaves without ESP while the new keys are made.
    done("xfrm", esp_tunnel_->require(Side::kNode, ends_, kReqid, local));
  }
  traced("keys moved");
  feed(ike::EndpointMoved{.local = local, .accepted = accepted});
}

void Daemon::perform(const node::RenewKeys& action) {
  trace_.keys_wanted(std::chrono::steady_clock::now());
  if (action.used_up) journal_.add("keys", "renewed: their sequence numbers are used up, or it is not known which are");
  if (action.left_behind)
    journal_.add("keys", "renewed: the home agent's end of the IKE connection is elsewhere, or may be");
  feed(ike::ReestablishAsked{.local = action.attachment.care_of,
                             .previous_usable = action.previous_usable,
                             .anew = action.used_up || action.left_behind});
}

void Daemon::perform(const node::AnnounceHomeAddress& action) {
  done("announcement", kernel::advertise(action.attachment.interface, config_.home_address));
}

void Daemon::perform(const node::Registered& action) {
  trace_.registered(std::chrono::steady_clock::now());
  troubles_.over("registration");
  link_health_.acknowledged(action.attachment);
  const auto took = std::chrono::duration<double, std::milli>(action.took).count();
  if (action.attachment.at_home)
    journal_.add("home", fmt::format("at home, de-registered in {:.1f} ms (seq {})", took, action.sequence.value()));
  else
    journal_.add("registered", fmt::format("care-of {} registered in {:.1f} ms for {} s (seq {}, K {})",
                                           action.attachment.care_of.to_string(), took, action.lifetime.count(),
                                           action.sequence.value(), action.key_mobility ? "agreed" : "not agreed"));
  remember_agent();
  if (config_.prefix_discovery && !action.attachment.at_home && !std::exchange(prefixes_asked_, true))
    feed(node::PrefixesWanted{});
}

void Daemon::perform(const node::Trouble& action) {
  // While the disk refuses, the core can only say that it has no number; the disk's own words tell more.
  if (troubles_.current("disk") && !action.status) return;
  trouble("registration", action.what, action.remedy);
}

void Daemon::perform(const node::PrefixDiscoveryNecessary&) {
  journal_.add("prefixes", "the home agent says that the prefixes of the home network have changed or soon will");
  if (manual()) journal_.add("prefixes", "not asked for: manual keys protect the Mobility Header only");
}

// Trouble has told the user; the core looks for another home agent, if there may be one.
void Daemon::perform(const node::NotServed&) {}
void Daemon::perform(const node::Unanswered& action) {
  const auto& attachment = action.attachment;
  journal_.add("link", fmt::format("the home agent does not answer {} by {}", attachment.care_of.to_string(),
                                   interface_name(attachment.interface)));
  reconsider();
}

void Daemon::perform(const node::AgentSilent&) { restore_manual_states(); }

void Daemon::perform(const node::Stopped& action) {
  journal_.add("stopped", words_for(action.farewell));
  if (!stopping_) return deregistered(action.farewell);
  if (manual()) return clean_up();
  feed(ike::StopAsked{});
}

void Daemon::perform(const ike::Request& action) {
  auto& session = action.slow ? slow_ : fast_;
  session->request(
      action.command, action.message, action.stream, action.deadline,
      [this, id = action.id, whose = keying_generation_](tl::expected<ike::Response, mip6::Error> response) {
        if (whose != keying_generation_) return;
        feed(ike::Answered{.id = id, .response = std::move(response)});
      });
}

void Daemon::perform(const ike::FollowLog& action) {
  if (!fast_) return;  // it is made with `log`
  if (action.follow) return fast_->follow("log", kLogPatience);
  fast_->unregister("log", kLogPatience, {});
}

void Daemon::perform(const ike::KeysUp& action) {
  if (action.fresh) trace_.keys_came(std::chrono::steady_clock::now());
  troubles_.over("keys");
  journal_.add("keys", fmt::format("usable (SPI in {:#010x}, out {:#010x})", action.spi_in, action.spi_out));
  feed(node::KeysUsable{.can_migrate = !keying_->migration_failed(),
                        .fresh = action.fresh,
                        .endpoint = keying_->endpoint(),
                        .dynamic = true});
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
  delete_esp_states_except(kernel::kNodeReqid, action.spis);
}

void Daemon::delete_esp_states_except(std::uint32_t reqid, const std::vector<std::uint32_t>& spis) {
  const auto states = xfrm_->esp_states(ends_, reqid);
  if (!states) {
    done("xfrm", tl::unexpected(states.error()));
    return;
  }
  for (const auto& state : *states)
    if (std::ranges::find(spis, state.spi) == spis.end()) done("xfrm", xfrm_->delete_esp_state(state));
}

void Daemon::perform(const ike::ChildUp& action) {
  journal_.add("keys", fmt::format("{} SA usable (SPI in {:#010x}, out {:#010x})", ike::name_of(action.kind),
                                   action.spi_in, action.spi_out));
  if (action.kind == ike::ChildKind::kPrefixes) return prefix_sa(true);
  if (!esp_tunnel_) return;
  payload_sa_ = true;
  troubles_.over("payload keys");
  done("payload protection", esp_tunnel_->use(Side::kNode, ends_, kernel::kNodePayloadReqid, action.local));
}

void Daemon::perform(const ike::ChildDown& action) {
  if (std::exchange(action.kind == ike::ChildKind::kPayload ? payload_sa_ : prefix_sa_, false))
    journal_.add("keys", fmt::format("{} SA gone", ike::name_of(action.kind)));
}

void Daemon::perform(const ike::DeleteChildStatesExcept& action) {
  if (action.kind == ike::ChildKind::kPrefixes)
    return delete_esp_states_except(kernel::kNodePrefixesReqid, action.spis);
  if (esp_tunnel_)
    done("payload protection",
         esp_tunnel_->delete_states_except(ends_.home_agent, kernel::kNodePayloadReqid, action.spis));
}

// Also what a former process, configured otherwise, has left.
tl::expected<void, mip6::Error> Daemon::remove_payload_protection() {
  esp_tunnel_.reset();
  auto tunnel = kernel::EspTunnel::open();
  if (!tunnel) return tl::unexpected(tunnel.error());
  return tunnel->remove_all(kernel::kNodePayloadReqid, kernel::kNodePayloadReqid).and_then([&] {
    return tunnel->delete_states_except(ends_.home_agent, kernel::kNodePayloadReqid, {});
  });
}

void Daemon::perform(const ike::Trouble& action) {
  trouble(action.child == ike::ChildKind::kPayload ? "payload keys" : "keys", action.what, action.remedy);
}

void Daemon::perform(const ike::Step& action) { journal_.add("keys", action.what); }

void Daemon::perform(const ike::Stopped&) {
  if (stopping_) {
    // What is cleaned up is told in charon's log.
    if (!fast_connected_) return clean_up();
    return fast_->unregister("log", ike::kUnregisterPatience, [this](const auto&) { clean_up(); });
  }
  enter_keying();
}

bool Daemon::done(const std::string& kind, const tl::expected<void, mip6::Error>& result) {
  if (result) {
    troubles_.over(kind);
    return true;
  }
  mip6::Error error = result.error();
  const std::string remedy = std::exchange(error.remedy, {});
  trouble(kind, error.to_string(), remedy, true);
  return false;
}

void Daemon::trouble(const std::string& source, std::string what, std::string remedy, bool local) {
  if (troubles_.begin(source, what, remedy, kernel::boot_now(), local))
    journal_.add("trouble", std::move(what), std::move(remedy));
}

}  // namespace mnd
