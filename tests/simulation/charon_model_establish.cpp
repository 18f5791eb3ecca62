// CharonModel: IKE_SA_INIT and IKE_AUTH at both ends.
#include <algorithm>

#include "tests/simulation/charon_model_impl.hpp"

namespace mip6::simulation {
namespace {

constexpr auto kHalfOpenTimeout = 30s;

std::uint64_t key_of(std::uint64_t initiator_nonce, std::uint64_t responder_nonce) {
  return mix(initiator_nonce, responder_nonce);
}

bool serves(const Configured& connection, const IkePacket& packet) {
  return (!connection.local || connection.local == packet.destination) &&
         (!connection.remote || connection.remote == packet.source);
}

bool has_owners(const std::vector<std::string>& owners, const Configured& connection) {
  const auto has = [&](const std::string& identity) {
    return std::any_of(owners.begin(), owners.end(),
                       [&](const std::string& one) { return ike::same_identity(one, identity); });
  };
  return has(connection.local_id) && has(connection.remote_id);
}

// What stands for a certificate's text: "identity|root|private key".
std::string_view part(std::string_view certificate, int index) {
  for (; index > 0; --index) {
    const auto bar = certificate.find('|');
    if (bar == std::string_view::npos) return {};
    certificate.remove_prefix(bar + 1);
  }
  return certificate.substr(0, certificate.find('|'));
}

std::uint64_t proof_by(std::string_view secret, std::uint64_t key, const std::string& identity) {
  return mix(mix(digest(secret), key), digest(identity));
}

}  // namespace

// --- initiator ---

void CharonModel::Impl::start(std::shared_ptr<const Configured> connection) {
  const auto existing = std::find_if(sas.begin(), sas.end(), [&](const auto& one) {
    return one->configured == connection && one->state != Sa::State::kDeleting && one->state != Sa::State::kRekeyed;
  });
  if (existing != sas.end()) return log(**existing, "not establishing CHILD_SA due to existing duplicate");
  const auto local = *connection->local;
  const auto remote = *connection->remote;
  ask(create(true, std::move(connection), local, remote), {Task::Kind::kInit});
}

void CharonModel::Impl::init_answered(Sa& sa, const IkeMessage& answer) {
  if (answer.notify == Notify::kNoProposal) {
    log(sa, "received NO_PROPOSAL_CHOSEN notify error");
    tell_ike(sa, false);
    return destroy(sa);
  }
  sa.peer = answer.from;
  sa.key = key_of(sa.nonce, answer.nonce);
  sa.claimed = sa.configured->remote_id;
  const auto own_proof = proof(*sa.configured, sa.key);
  if (!own_proof) {
    log(sa, (sa.configured->certificate.empty() ? "no shared key found for '" : "no private key found for '") +
                sa.configured->local_id + "'");
    return destroy(sa);
  }
  auto message = std::make_shared<IkeMessage>();
  message->exchange = Exchange::kAuth;
  message->identity = sa.configured->local_id;
  message->peer_identity = sa.configured->remote_id;
  message->certificate = sa.configured->certificate;
  message->proof = *own_proof;
  message->initial_contact = !has_contact(sa);
  message->child = {new_spi(), sa.configured->local_selector.address, sa.configured->remote_selector.address};
  transmit(sa, {Task::Kind::kAuth}, std::move(message));
}

// Another IKE_SA between the same two that got as far as authentication, in whatever state it is now.
bool CharonModel::Impl::has_contact(const Sa& sa) const {
  return std::any_of(sas.begin(), sas.end(), [&](const auto& one) {
    return one.get() != &sa && one->configured && one->state != Sa::State::kConnecting &&
           ike::same_identity(one->configured->local_id, sa.configured->local_id) &&
           ike::same_identity(one->claimed, sa.claimed);
  });
}

void CharonModel::Impl::auth_answered(Sa& sa, const Outstanding& asked, const IkeMessage& answer) {
  if (answer.notify == Notify::kAuthenticationFailed) {
    log(sa, "received AUTHENTICATION_FAILED notify error");
    tell_ike(sa, false);
    return destroy(sa);
  }
  if (!proven(*sa.configured, answer)) {
    log(sa, "constraint check failed: the peer's authentication");
    tell_ike(sa, false);
    ask(sa, {Task::Kind::kDeleteIke});
    return destroy(sa);
  }
  establish(sa);
  tell_ike(sa, true);
  if (!answer.child) {
    log(sa, "received TS_UNACCEPTABLE notify, no CHILD_SA built");
    return log(sa, "failed to establish CHILD_SA, keeping IKE_SA");
  }
  install(sa, asked.packet.message->child->spi, answer.child->spi, answer.child->initiator, answer.child->responder,
          mix(sa.key, asked.packet.message->child->spi), true);
  tell_child(sa, sa.children.back(), true);
}

// --- responder ---

void CharonModel::Impl::init_requested(const IkePacket& packet) {
  const auto& request = *packet.message;
  const auto known = std::find_if(sas.begin(), sas.end(), [&](const auto& one) {
    return !one->initiator && one->peer == request.from && one->state == Sa::State::kConnecting;
  });
  if (known != sas.end()) {
    if ((*known)->expected == 1) around.send({packet.destination, packet.source, (*known)->last_response});
    return;
  }
  auto answer = std::make_shared<IkeMessage>();
  answer->to = request.from;
  const bool served =
      std::any_of(configured.begin(), configured.end(), [&](const auto& one) { return serves(*one, packet); });
  if (!served) {
    answer->response = true;
    answer->notify = Notify::kNoProposal;
    around.send({packet.destination, packet.source, std::move(answer)});
    return;
  }
  auto& sa = create(false, nullptr, packet.destination, packet.source);
  sa.peer = request.from;
  sa.key = key_of(request.nonce, sa.nonce);
  answer->nonce = sa.nonce;
  respond(sa, packet, std::move(answer));
  sa.expected = 1;
  later(kHalfOpenTimeout, [id = sa.uniqueid](Impl& model) {
    auto* half_open = model.find(id);
    if (half_open && half_open->state == Sa::State::kConnecting) model.destroy(*half_open);
  });
}

void CharonModel::Impl::auth_requested(Sa& sa, const IkePacket& packet) {
  const auto& request = *packet.message;
  sa.claimed = request.identity;
  const auto chosen = std::find_if(configured.begin(), configured.end(), [&](const auto& one) {
    return serves(*one, packet) && ike::same_identity(one->remote_id, request.identity) &&
           ike::same_identity(one->local_id, request.peer_identity);
  });
  if (chosen == configured.end()) return refuse(sa, packet);
  sa.configured = *chosen;
  const auto own_proof = proof(*sa.configured, sa.key);
  if (!own_proof || !proven(*sa.configured, request)) return refuse(sa, packet);
  if (request.initial_contact) forget_others(sa);
  auto response = std::make_shared<IkeMessage>();
  response->identity = sa.configured->local_id;
  response->certificate = sa.configured->certificate;
  response->proof = *own_proof;
  establish(sa);
  tell_ike(sa, true);
  const auto& offer = *request.child;
  if (sa.configured->remote_selector.contains(offer.initiator) &&
      sa.configured->local_selector.contains(offer.responder)) {
    response->child = {new_spi(), offer.initiator, offer.responder};
    install(sa, response->child->spi, offer.spi, offer.responder, offer.initiator, mix(sa.key, offer.spi), false);
    tell_child(sa, sa.children.back(), true);
  } else {
    response->notify = Notify::kTsUnacceptable;  // the IKE_SA stays, without a child
  }
  respond(sa, packet, std::move(response));
}

// INITIAL_CONTACT: the peer has no other IKE_SA with us, whatever we have is of one that died.
void CharonModel::Impl::forget_others(const Sa& sa) {
  std::vector<std::uint64_t> others;
  for (const auto& one : sas) {
    if (one.get() != &sa && one->configured && one->state != Sa::State::kConnecting &&
        ike::same_identity(one->configured->local_id, sa.configured->local_id) &&
        ike::same_identity(one->claimed, sa.claimed))
      others.push_back(one->uniqueid);
  }
  for (const auto id : others) closed(*find(id));
}

void CharonModel::Impl::refuse(Sa& sa, const IkePacket& request) {
  auto response = std::make_shared<IkeMessage>();
  response->notify = Notify::kAuthenticationFailed;
  respond(sa, request, std::move(response));
  tell_ike(sa, false);
  destroy(sa);
}

// --- proofs ---

std::optional<std::uint64_t> CharonModel::Impl::proof(const Configured& connection, std::uint64_t key) const {
  if (!connection.certificate.empty()) {
    const auto own = part(connection.certificate, 2);
    if (std::find(keys.begin(), keys.end(), own) == keys.end()) return std::nullopt;
    return proof_by(own, key, connection.local_id);
  }
  const auto secret =
      std::find_if(shared.begin(), shared.end(), [&](const Secret& one) { return has_owners(one.owners, connection); });
  if (secret == shared.end()) return std::nullopt;
  return proof_by(secret->data, key, connection.local_id);
}

bool CharonModel::Impl::proven(const Configured& connection, const IkeMessage& message) const {
  if (!ike::same_identity(message.identity, connection.remote_id)) return false;
  if (!connection.trusted.empty()) {
    return ike::same_identity(std::string(part(message.certificate, 0)), message.identity) &&
           part(message.certificate, 1) == connection.trusted &&
           message.proof == proof_by(part(message.certificate, 2), message.key, message.identity);
  }
  return std::any_of(shared.begin(), shared.end(), [&](const Secret& one) {
    return has_owners(one.owners, connection) && message.proof == proof_by(one.data, message.key, message.identity);
  });
}

}  // namespace mip6::simulation
