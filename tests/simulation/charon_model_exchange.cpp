// CharonModel: exchanges of an IKE_SA: requests one at a time, repeated until answered, and what they do.
#include <algorithm>
#include <array>

#include "tests/simulation/charon_model_impl.hpp"

namespace mip6::simulation {
namespace {

// charon's own: 4 s, each next one 1.8 times as long, five repetitions, 165 s in all.
constexpr std::array<Duration, 6> kPatience{4s, 7200ms, 12960ms, 23328ms, 41990ms, 75582ms};
constexpr auto kReplacedKept = 90s;   // for the peer's DELETE
constexpr auto kRetryInterval = 10s;  // after TEMPORARY_FAILURE, and up to twice that

ChildSa* child_of(Sa& sa, std::uint32_t ChildSa::*spi, std::uint32_t value) {
  const auto found =
      std::find_if(sa.children.begin(), sa.children.end(), [&](const ChildSa& one) { return one.*spi == value; });
  return found == sa.children.end() ? nullptr : &*found;
}

bool leaves(const Sa& sa) { return sa.state == Sa::State::kDeleting || sa.state == Sa::State::kRekeyed; }

}  // namespace

std::string_view kind_of(const IkePacket& packet) {
  constexpr std::array<std::array<std::string_view, 2>, 4> kNames{
      {{"IKE_SA_INIT request", "IKE_SA_INIT response"},
       {"IKE_AUTH request", "IKE_AUTH response"},
       {"CREATE_CHILD_SA request", "CREATE_CHILD_SA response"},
       {"INFORMATIONAL request", "INFORMATIONAL response"}}};
  const auto& message = *packet.message;
  return kNames.at(static_cast<std::size_t>(message.exchange)).at(message.response ? 1 : 0);
}

void CharonModel::Impl::receive(const IkePacket& packet) {
  const auto& message = *packet.message;
  if (message.exchange == Exchange::kInit && !message.response) return init_requested(packet);
  const auto found = std::find_if(sas.begin(), sas.end(), [&](const auto& one) { return one->own == message.to; });
  if (found == sas.end()) return;
  auto& sa = **found;
  if (message.exchange != Exchange::kInit && (message.key != sa.key || message.from != sa.peer)) return;
  if (message.response) {
    if (!sa.outstanding || sa.outstanding->packet.message->id != message.id ||
        sa.outstanding->packet.message->exchange != message.exchange)
      return;
    sa.heard_at = kernel.now();
    return answered(sa, message);
  }
  if (message.id + 1 == sa.expected && sa.last_response)
    return around.send({packet.destination, packet.source, sa.last_response});
  if (message.id != sa.expected) return;
  sa.heard_at = kernel.now();
  requested(sa, packet);
}

// --- asking ---

void CharonModel::Impl::ask(Sa& sa, Task task) {
  if (sa.state == Sa::State::kDeleting) return;
  if (std::find(sa.tasks.begin(), sa.tasks.end(), task) != sa.tasks.end()) return;
  sa.tasks.push_back(task);
  pump(sa);
}

// The next request, when the one before has been answered.
void CharonModel::Impl::pump(Sa& sa) {
  while (!sa.outstanding && !sa.tasks.empty()) {
    const auto task = sa.tasks.front();
    sa.tasks.pop_front();
    auto message = std::make_shared<IkeMessage>();
    if (fill(sa, task, *message)) transmit(sa, task, std::move(message));
  }
}

// False if there is nothing to ask any more.
bool CharonModel::Impl::fill(Sa& sa, const Task& task, IkeMessage& message) {
  message.exchange = Exchange::kInformational;
  switch (task.kind) {
    case Task::Kind::kInit:
      message.exchange = Exchange::kInit;
      message.nonce = sa.nonce;
      return true;
    case Task::Kind::kRekeyIke:
      if (sa.state != Sa::State::kEstablished) return false;
      sa.state = Sa::State::kRekeying;
      message.exchange = Exchange::kCreateChild;
      message.replacement = draw();
      message.nonce = draw();
      return true;
    case Task::Kind::kRekeyChild: {
      auto* child = child_of(sa, &ChildSa::spi_in, task.child);
      if (sa.state != Sa::State::kEstablished || !child || child->state != ChildSa::State::kInstalled) return false;
      child->state = ChildSa::State::kRekeying;
      message.exchange = Exchange::kCreateChild;
      message.rekeyed = child->spi_in;
      message.child = {new_spi(), child->local, child->remote};
      message.nonce = draw();
      return true;
    }
    case Task::Kind::kDeleteChild:
      message.deletes_child = task.child;
      return true;
    case Task::Kind::kDeleteIke:
      sa.state = Sa::State::kDeleting;
      message.deletes_ike = true;
      return true;
    case Task::Kind::kAuth:  // made where IKE_SA_INIT is answered
    case Task::Kind::kProbe:
      break;
  }
  return true;
}

void CharonModel::Impl::transmit(Sa& sa, Task task, std::shared_ptr<IkeMessage> message) {
  message->id = sa.next_id++;
  message->from = sa.own;
  message->to = sa.peer;
  if (message->exchange != Exchange::kInit) message->key = sa.key;
  const auto id = message->id;
  sa.outstanding = Outstanding{task, {sa.local, sa.remote, std::move(message)}};
  around.send(sa.outstanding->packet);
  later(kPatience[0], [uniqueid = sa.uniqueid, id](Impl& model) { model.retransmit(uniqueid, id); });
}

// From and to the addresses of the first time, wherever the IKE_SA has moved.
void CharonModel::Impl::retransmit(std::uint64_t uniqueid, std::uint32_t id) {
  auto* sa = find(uniqueid);
  if (!sa || !sa->outstanding || sa->outstanding->packet.message->id != id) return;
  if (sa->outstanding->sent == kPatience.size()) return give_up(*sa);
  around.send(sa->outstanding->packet);
  later(kPatience.at(sa->outstanding->sent++), [uniqueid, id](Impl& model) { model.retransmit(uniqueid, id); });
}

void CharonModel::Impl::give_up(Sa& sa) {
  if (sa.state != Sa::State::kConnecting) return closed(sa);
  log(sa, "establishing IKE_SA failed, peer not responding");
  destroy(sa);
}

void CharonModel::Impl::answered(Sa& sa, const IkeMessage& answer) {
  const auto asked = *std::exchange(sa.outstanding, std::nullopt);
  const auto uniqueid = sa.uniqueid;
  switch (asked.task.kind) {
    case Task::Kind::kInit:
      init_answered(sa, answer);
      break;
    case Task::Kind::kAuth:
      auth_answered(sa, asked, answer);
      break;
    case Task::Kind::kRekeyIke:
      ike_rekeyed(sa, asked, answer);
      break;
    case Task::Kind::kRekeyChild:
      child_rekeyed(sa, asked, answer);
      break;
    case Task::Kind::kDeleteChild:
      child_deleted(sa, asked.task.child);
      break;
    case Task::Kind::kDeleteIke:
      closed(sa);
      break;
    case Task::Kind::kProbe:
      break;
  }
  if (auto* left = find(uniqueid)) pump(*left);
}

void CharonModel::Impl::child_rekeyed(Sa& sa, const Outstanding& asked, const IkeMessage& answer) {
  auto* child = child_of(sa, &ChildSa::spi_in, asked.task.child);
  if (!child) return;
  if (answer.notify != Notify::kNone) {
    child->state = ChildSa::State::kInstalled;
    later(kRetryInterval + Duration{draw_below(kRetryInterval)},
          [spi = child->spi_in](Impl& model) { model.rekey_child_due(spi); });
    return;
  }
  child->state = ChildSa::State::kRekeyed;
  const auto before = *child;
  const auto& request = *asked.packet.message;
  install(sa, request.child->spi, answer.child->spi, before.local, before.remote,
          mix(mix(sa.key, request.nonce), answer.nonce), true);
  tell_child_rekey(sa, before, sa.children.back());
  ask(sa, {Task::Kind::kDeleteChild, before.spi_in});
}

void CharonModel::Impl::ike_rekeyed(Sa& sa, const Outstanding& asked, const IkeMessage& answer) {
  const auto& request = *asked.packet.message;
  sa.state = Sa::State::kEstablished;
  if (answer.notify != Notify::kNone) {
    later(kRetryInterval + Duration{draw_below(kRetryInterval)},
          [id = sa.uniqueid](Impl& model) { model.rekey_ike_due(id); });
    return;
  }
  succeed(sa, request.replacement, answer.replacement, mix(mix(sa.key, request.nonce), answer.nonce), true);
  ask(sa, {Task::Kind::kDeleteIke});
}

// The IKE_SA that a rekey puts in the place of `sa`, with all that is left to do.
void CharonModel::Impl::succeed(Sa& sa, std::uint64_t own, std::uint64_t peer, std::uint64_t key, bool initiator) {
  auto& after = create(initiator, sa.configured, sa.local, sa.remote);
  after.own = own;
  after.peer = peer;
  after.key = key;
  after.claimed = sa.claimed;
  after.children = std::exchange(sa.children, {});
  after.tasks = std::exchange(sa.tasks, {});
  sa.successor = after.uniqueid;
  after.succeeded_at = kernel.now();
  establish(after);
  tell_ike_rekey(sa, after);
  pump(after);
}

// --- being asked ---

void CharonModel::Impl::requested(Sa& sa, const IkePacket& packet) {
  const auto& request = *packet.message;
  const bool connecting = sa.state == Sa::State::kConnecting;
  if (connecting != (request.exchange == Exchange::kAuth)) return;
  ++sa.expected;
  if (request.exchange == Exchange::kAuth) return auth_requested(sa, packet);
  auto response = std::make_shared<IkeMessage>();
  if (request.exchange == Exchange::kInformational) return informed(sa, packet, std::move(response));
  if (request.replacement != 0) return rekey_ike_requested(sa, packet, std::move(response));
  rekey_child_requested(sa, request, *response);
  respond(sa, packet, std::move(response));
}

// To where the request came from, whatever is known of the peer.
void CharonModel::Impl::respond(Sa& sa, const IkePacket& request, std::shared_ptr<IkeMessage> message) {
  message->exchange = request.message->exchange;
  message->response = true;
  message->id = request.message->id;
  message->from = sa.own;
  message->to = sa.peer;
  if (message->exchange != Exchange::kInit) message->key = sa.key;
  sa.last_response = std::move(message);
  around.send({request.destination, request.source, sa.last_response});
}

void CharonModel::Impl::rekey_child_requested(Sa& sa, const IkeMessage& request, IkeMessage& response) {
  auto* child = child_of(sa, &ChildSa::spi_out, request.rekeyed);
  if (sa.state != Sa::State::kEstablished || !child || child->state != ChildSa::State::kInstalled) {
    response.notify = Notify::kTemporaryFailure;
    return;
  }
  child->state = ChildSa::State::kRekeyed;
  const auto before = *child;
  response.nonce = draw();
  response.child = {new_spi(), request.child->initiator, request.child->responder};
  install(sa, response.child->spi, request.child->spi, before.local, before.remote,
          mix(mix(sa.key, request.nonce), response.nonce), false);
  tell_child_rekey(sa, before, sa.children.back());
}

void CharonModel::Impl::rekey_ike_requested(Sa& sa, const IkePacket& packet, std::shared_ptr<IkeMessage> response) {
  const auto& request = *packet.message;
  const bool busy = sa.outstanding && sa.outstanding->task.kind != Task::Kind::kProbe;
  if (sa.state != Sa::State::kEstablished || busy) {
    response->notify = Notify::kTemporaryFailure;
    return respond(sa, packet, std::move(response));
  }
  response->replacement = draw();
  response->nonce = draw();
  const auto own = response->replacement;
  const auto key = mix(mix(sa.key, request.nonce), response->nonce);
  respond(sa, packet, std::move(response));
  succeed(sa, own, request.replacement, key, false);
  sa.state = Sa::State::kRekeyed;
  later(kReplacedKept, [id = sa.uniqueid](Impl& model) {
    if (auto* left = model.find(id)) model.destroy(*left);
  });
}

void CharonModel::Impl::informed(Sa& sa, const IkePacket& packet, std::shared_ptr<IkeMessage> response) {
  const auto& request = *packet.message;
  if (request.deletes_ike) {
    respond(sa, packet, std::move(response));
    if (!leaves(sa)) sa.state = Sa::State::kDeleting;
    return closed(sa);
  }
  if (auto* child = child_of(sa, &ChildSa::spi_out, request.deletes_child); request.deletes_child != 0 && child) {
    response->deletes_child = child->spi_in;
    if (child->state == ChildSa::State::kRekeyed) {
      child_deleted(sa, child->spi_in);
    } else if (child->state == ChildSa::State::kInstalled) {
      tell_child(sa, *child, false);
      drop(sa, child->spi_in);
    }
  }
  respond(sa, packet, std::move(response));
}

// One that a rekey has replaced: nothing is sent with it any more, what is under way still comes in.
void CharonModel::Impl::child_deleted(Sa& sa, std::uint32_t spi_in) {
  auto* child = child_of(sa, &ChildSa::spi_in, spi_in);
  if (!child) return;
  child->state = ChildSa::State::kDeleted;
  kernel.remove(Direction::kOut, child->spi_out);
  drop_inbound_later(spi_in);
}

}  // namespace mip6::simulation
