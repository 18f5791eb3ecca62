// CharonModel: its face, and the life of an IKE_SA and its CHILD_SAs.
#include "tests/simulation/charon_model.hpp"

#include <algorithm>

#include "tests/simulation/charon_model_impl.hpp"

namespace mip6::simulation {
namespace {

constexpr auto kRoamWait = 100ms;
constexpr auto kSucceeding = 30ms;
constexpr auto kOldInboundKept = 5s;  // after a CHILD rekey
constexpr auto kBusyAgainAfter = 5s;
// From a rekey that nobody answers to the end of the IKE_SA: the states must not end before.
constexpr auto kGivenUpBy = 200s;

}  // namespace

// --- IKE_SAs ---

Sa& CharonModel::Impl::create(bool initiator, std::shared_ptr<const Configured> connection, const Ipv6Address& local,
                              const Ipv6Address& remote) {
  auto sa = std::make_unique<Sa>();
  sa->uniqueid = next_uniqueid++;
  sa->initiator = initiator;
  sa->configured = std::move(connection);
  sa->own = draw();
  sa->local = local;
  sa->remote = remote;
  sa->nonce = draw();
  sa->heard_at = kernel.now();
  return *sas.emplace_back(std::move(sa));
}

Sa* CharonModel::Impl::find(std::uint64_t uniqueid) {
  const auto found = std::find_if(sas.begin(), sas.end(), [&](const auto& one) { return one->uniqueid == uniqueid; });
  return found == sas.end() ? nullptr : found->get();
}

void CharonModel::Impl::destroy(Sa& sa) {
  for (const auto& child : sa.children) {
    kernel.remove(Direction::kIn, child.spi_in);
    kernel.remove(Direction::kOut, child.spi_out);
  }
  std::erase_if(sas, [&](const auto& one) { return one.get() == &sa; });
}

// A down event of an IKE_SA downs its CHILD_SAs after it. One that a rekey has replaced goes in silence.
void CharonModel::Impl::closed(Sa& sa) {
  if (sa.successor == 0) {
    tell_ike(sa, false);
    for (const auto& child : sa.children) tell_child(sa, child, false);
  }
  destroy(sa);
}

void CharonModel::Impl::close(Sa& sa, bool force) {
  if (sa.state == Sa::State::kConnecting) return destroy(sa);
  if (sa.state == Sa::State::kRekeyed || sa.state == Sa::State::kDeleting) return closed(sa);
  ask(sa, {Task::Kind::kDeleteIke});
  if (force) closed(sa);
}

void CharonModel::Impl::establish(Sa& sa) {
  sa.state = Sa::State::kEstablished;
  if (sa.configured->ike_rekey > 0s)
    later(a_bit_before(sa.configured->ike_rekey), [id = sa.uniqueid](Impl& model) { model.rekey_ike_due(id); });
  if (const auto delay = sa.configured->dpd_delay; delay > 0s)
    later(delay, [id = sa.uniqueid, delay](Impl& model) { model.probe_due(id, delay); });
}

void CharonModel::Impl::rekey_ike_due(std::uint64_t uniqueid) {
  auto* sa = find(uniqueid);
  if (!sa || sa->state != Sa::State::kEstablished) return;
  ask(*sa, {Task::Kind::kRekeyIke});
}

// Dead peer detection: asks only when nothing came in, neither IKE nor ESP.
void CharonModel::Impl::probe_due(std::uint64_t uniqueid, Duration delay) {
  auto* sa = find(uniqueid);
  if (!sa || sa->state == Sa::State::kRekeyed || sa->state == Sa::State::kDeleting) return;
  auto heard = sa->heard_at;
  for (const auto& child : sa->children) heard = std::max(heard, kernel.heard_at(child.spi_in));
  const auto idle = kernel.now() - heard;
  if (idle >= delay && !sa->outstanding) ask(*sa, {Task::Kind::kProbe});
  later(idle >= delay ? delay : delay - idle, [uniqueid, delay](Impl& model) { model.probe_due(uniqueid, delay); });
}

// An address that the connection was loaded with is a static configuration and kept. Any other path that is not valid
// any more means reauthentication, which without MOBIKE begins with closing the IKE_SA.
void CharonModel::Impl::roam(const Ipv6Address& address) {
  if (around.has_address(address)) return;
  for (std::size_t i = 0; i < sas.size(); ++i) {
    auto& sa = *sas[i];
    if (sa.local != address || !sa.configured || sa.configured->local == address) continue;
    if (sa.state != Sa::State::kEstablished && sa.state != Sa::State::kRekeying) continue;
    log(sa, "reauthenticating IKE_SA due to address change");
    ask(sa, {Task::Kind::kDeleteIke});
  }
}

// --- CHILD_SAs ---

std::uint32_t CharonModel::Impl::new_spi() {
  for (;;) {
    const auto spi = static_cast<std::uint32_t>(0xc0000000 | around.random(0x10000000));
    if (!kernel.has(Direction::kIn, spi)) return spi;
  }
}

// `initiator`: of the exchange that made it. Each direction has its own key.
void CharonModel::Impl::install(Sa& sa, std::uint32_t spi_in, std::uint32_t spi_out, const Ipv6Address& local,
                                const Ipv6Address& remote, std::uint64_t seed, bool initiator) {
  const auto rekey = sa.configured->child_rekey;
  const auto lifetime = std::max<Duration>(rekey + rekey / 10, rekey + kGivenUpBy);
  EspState state{.spi = spi_in, .reqid = sa.configured->reqid, .local = local, .remote = remote};
  if (rekey > 0s) state.expires_at = kernel.now() + lifetime;
  state.key = mix(seed, initiator ? 1 : 2);
  kernel.add(state);
  state.direction = Direction::kOut;
  state.spi = spi_out;
  state.key = mix(seed, initiator ? 2 : 1);
  kernel.add(state);
  sa.children.push_back(
      {.uniqueid = next_child++, .spi_in = spi_in, .spi_out = spi_out, .local = local, .remote = remote});
  if (rekey > 0s) later(a_bit_before(rekey), [spi_in](Impl& model) { model.rekey_child_due(spi_in); });
}

void CharonModel::Impl::rekey_child_due(std::uint32_t spi) {
  for (auto& sa : sas) {
    const auto child =
        std::find_if(sa->children.begin(), sa->children.end(), [&](const ChildSa& one) { return one.spi_in == spi; });
    if (child == sa->children.end() || child->state != ChildSa::State::kInstalled) continue;
    if (sa->state == Sa::State::kEstablished) return ask(*sa, {Task::Kind::kRekeyChild, spi});
    later(kBusyAgainAfter, [spi](Impl& model) { model.rekey_child_due(spi); });
    return;
  }
}

void CharonModel::Impl::drop_inbound_later(std::uint32_t spi) {
  later(kOldInboundKept, [spi](Impl& model) {
    for (auto& sa : model.sas) model.drop(*sa, spi);
  });
}

void CharonModel::Impl::drop(Sa& sa, std::uint32_t spi_in) {
  const auto child =
      std::find_if(sa.children.begin(), sa.children.end(), [&](const ChildSa& one) { return one.spi_in == spi_in; });
  if (child == sa.children.end()) return;
  kernel.remove(Direction::kIn, child->spi_in);
  kernel.remove(Direction::kOut, child->spi_out);
  sa.children.erase(child);
}

// --- the face ---

CharonModel::CharonModel(Surroundings surroundings, SaDatabase& kernel, Times times)
    : impl_(std::make_unique<Impl>(std::move(surroundings), kernel, times)) {}
CharonModel::CharonModel(Surroundings surroundings, SaDatabase& kernel)
    : CharonModel(std::move(surroundings), kernel, Times{}) {}
CharonModel::~CharonModel() = default;

void CharonModel::request(const ike::Request& request, Answer answer) {
  if (request.slow) {
    impl_->later(1ms, [request, answer = std::move(answer)](Impl& model) {
      model.post([answer, response = model.perform(request)] { answer(response); });
    });
    return;
  }
  impl_->commands.push_back({request, std::move(answer)});
  if (impl_->commands.size() == 1) impl_->next_command();
}

void CharonModel::receive(const IkePacket& packet) { impl_->receive(packet); }

void CharonModel::migrate(std::uint32_t reqid, const Ipv6Address& local, const Ipv6Address& remote) {
  for (auto& sa : impl_->sas) {
    if (sa->children.empty() || sa->configured->reqid != reqid) continue;
    // While charon is at work on a re-key the move may find the IKE_SA that is replaced, and not the new one.
    const bool fresh = sa->succeeded_at && impl_->kernel.now() - *sa->succeeded_at < kSucceeding;
    if (fresh && impl_->draw_below(Duration{2}) == 0) continue;
    sa->local = local;
    sa->remote = remote;
  }
}

void CharonModel::address_vanished(const Ipv6Address& address) {
  impl_->later(kRoamWait, [address](Impl& model) { model.roam(address); });
}

void CharonModel::terminate() {
  impl_->outbox.clear();
  impl_->ending = true;
  while (!impl_->sas.empty()) impl_->close(*impl_->sas.front(), true);
}

std::size_t CharonModel::ike_sas() const { return impl_->sas.size(); }
std::size_t CharonModel::connections() const { return impl_->configured.size(); }
std::size_t CharonModel::secrets() const { return impl_->shared.size(); }

}  // namespace mip6::simulation
