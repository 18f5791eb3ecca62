// See attacker.hpp.
#include "tests/simulation/attacker.hpp"

#include <utility>

#include "tests/simulation/agent_host.hpp"
#include "tests/simulation/mobile_host.hpp"

namespace mip6::simulation {
namespace {

constexpr std::size_t kMostEarly = 24;
constexpr std::size_t kMostRecent = 64;
constexpr Party kAttackerParty{Party::Kind::kAttacker, 0};
const Ipv6Address kLair = address_on(1, 0x666);

}  // namespace

void Attacker::watch(const Packet& packet) {
  if (packet.kind == Packet::Kind::kIcmp) return;
  if (packet.kind == Packet::Kind::kMobility && early_.size() < kMostEarly) early_.push_back(packet);
  if (recent_.size() == kMostRecent) recent_.pop_front();
  recent_.push_back(packet);
}

const Packet* Attacker::captured() {
  if (recent_.empty()) return nullptr;
  if (!early_.empty() && world_.chance.percent(50)) return &world_.chance.pick(early_);
  return &world_.chance.pick(recent_);
}

void Attacker::attack(Network& network, const Nodes& nodes, const Agents& agents, std::uint64_t& last_order) {
  ++world_.totals.attacks;
  const MobileHost& node = *world_.chance.pick(nodes);
  const AgentHost& agent = *world_.chance.pick(agents);
  switch (world_.chance.below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return replay(network);
    case 4:
      return forge_update(network, nodes, agent, last_order);
    case 5:
      return forge_acknowledgement(network, node, agent.address());
    case 6:
    case 7:
      return speak_for_another(network, nodes, agent, last_order);
    case 8:
      return forge_errors(network, node, agent.address());
    default:
      return send_nonsense(network, agent.address());
  }
}

// As it was, or from another place: the addresses on the wire are not what ESP protects.
void Attacker::replay(Network& network) {
  const Packet* old = captured();
  if (old == nullptr) return;
  Packet packet = *old;
  world_.note(kAttackerParty, "replays packet {} to {:x}", packet.origin.order, brief(packet.destination));
  if (packet.kind == Packet::Kind::kMobility && packet.home_address && packet.esp && world_.chance.one_in(4) &&
      packet.origin.party.kind == Party::Kind::kNode)
    packet.source = kLair;
  if (packet.kind == Packet::Kind::kMobility && world_.chance.one_in(6)) {
    // ESP notices any change; what is left is a message in the clear.
    packet.bytes.resize(world_.chance.below(packet.bytes.size() + 1));
    if (packet.esp) packet.esp->key ^= 1;
    if (world_.chance.percent(50)) packet.esp.reset();
  }
  const auto burst = world_.chance.one_in(5) ? world_.chance.between(2, 8) : 1;
  for (std::uint64_t i = 0; i < burst; ++i) network.inject(packet);
}

// In the clear, or under keys that are nobody's; for those who are served and for strangers.
void Attacker::forge_update(Network& network, const Nodes& nodes, const AgentHost& agent, std::uint64_t& last_order) {
  Packet packet;
  packet.source = kLair;
  packet.destination = agent.address();
  const bool stranger = world_.chance.percent(60);
  packet.home_address = stranger ? address_on(0, static_cast<int>(0xf00 + world_.chance.below(64)))
                                 : world_.chance.pick(nodes)->home_address();
  BindingUpdate update;
  update.sequence = SequenceNumber{static_cast<std::uint16_t>(world_.chance.draw())};
  update.acknowledge = update.home_registration = true;
  update.lifetime = Lifetime{world_.chance.one_in(4) ? 0 : 400};
  update.options = {AlternateCareOfAddress{kLair}};
  packet.bytes = write_message(update);
  if (world_.chance.one_in(3))
    packet.esp = EspHeader{static_cast<std::uint32_t>(world_.chance.draw()), world_.chance.draw(), 1};
  packet.origin = {kAttackerParty, ++last_order};
  world_.note(kAttackerParty, "forges update {} of {:x}", update.sequence.value(), brief(*packet.home_address));
  network.inject(std::move(packet));
}

void Attacker::forge_acknowledgement(Network& network, const MobileHost& node, const Ipv6Address& agent) {
  if (node.link() < 0) return;
  Packet packet;
  packet.source = agent;
  packet.destination = node.attachment_at(node.link()).care_of;
  if (node.link() > 0 && world_.chance.percent(80)) packet.home_address = node.home_address();
  BindingAcknowledgement acknowledgement;
  acknowledgement.status = world_.chance.percent(50) ? Status::kAccepted : Status::kSequenceNumberOutOfWindow;
  const auto last = node.core() != nullptr ? node.core()->registration().last_sequence() : std::nullopt;
  acknowledgement.sequence = last.value_or(SequenceNumber{});
  acknowledgement.lifetime = Lifetime{400};
  packet.bytes = write_message(acknowledgement);
  if (world_.chance.percent(50)) {
    const Packet* old = captured();
    if (old != nullptr && old->esp) packet.esp = EspHeader{old->esp->spi, ~old->esp->key, old->esp->sequence + 1};
  }
  packet.origin = {kAttackerParty, 0};
  world_.note(kAttackerParty, "forges an acknowledgement for {:x}", brief(packet.destination));
  network.inject(std::move(packet));
}

// A node that is served uses its own keys for the address of another one, or of nobody.
void Attacker::speak_for_another(Network& network, const Nodes& nodes, const AgentHost& agent,
                                 std::uint64_t& last_order) {
  MobileHost& insider = *world_.chance.pick(nodes);
  const Served* own = agent.served(insider.home_address());
  if (own == nullptr || insider.link() < 1) return;
  const Ipv6Address victim = world_.chance.percent(50)
                                 ? world_.chance.pick(nodes)->home_address()
                                 : address_on(0, static_cast<int>(0xf00 + world_.chance.below(8)));
  if (victim == insider.home_address()) return;
  auto* state = insider.states().outbound(own->reqid, insider.home_address(), agent.address());
  if (state == nullptr) return;
  Packet packet;
  packet.source = insider.attachment_at(insider.link()).care_of;
  packet.destination = agent.address();
  packet.home_address = victim;
  packet.esp = insider.states().protect(*state);
  BindingUpdate update;
  update.sequence = SequenceNumber{static_cast<std::uint16_t>(world_.chance.draw())};
  update.acknowledge = update.home_registration = true;
  update.lifetime = Lifetime{400};
  update.options = {AlternateCareOfAddress{packet.source}};
  packet.bytes = write_message(update);
  packet.origin = {insider.party(), ++last_order};
  world_.note(insider.party(), "speaks for {:x}", brief(victim));
  network.inject(std::move(packet));
}

void Attacker::forge_errors(Network& network, const MobileHost& node, const Ipv6Address& agent) {
  if (node.link() < 0) return;
  Packet packet;
  packet.source = agent;
  packet.destination = node.attachment_at(node.link()).care_of;
  packet.origin = {kAttackerParty, 0};
  if (world_.chance.percent(70)) {
    packet.bytes = write_message(BindingError{.status = static_cast<std::uint8_t>(world_.chance.between(1, 2)),
                                              .home_address = node.home_address()});
  } else {
    packet.kind = Packet::Kind::kIcmp;
    packet.bytes = {kParameterProblem, static_cast<std::uint8_t>(world_.chance.below(3)), 0, 0, 0, 0, 0, 40};
  }
  world_.note(kAttackerParty, "forges an error for {:x}", brief(packet.destination));
  network.inject(std::move(packet));
}

void Attacker::send_nonsense(Network& network, const Ipv6Address& agent) {
  Packet packet;
  packet.source = kLair;
  packet.destination = agent;
  if (world_.chance.percent(50)) packet.home_address = address_on(0, static_cast<int>(0xf00 + world_.chance.below(64)));
  if (world_.chance.percent(50)) {
    packet.bytes = write_message(UnknownMessage{static_cast<std::uint8_t>(world_.chance.between(1, 30)), Bytes(6)});
  } else {
    packet.bytes.resize(world_.chance.below(64));
    for (auto& byte : packet.bytes) byte = static_cast<std::uint8_t>(world_.chance.draw());
  }
  packet.origin = {kAttackerParty, 0};
  world_.note(kAttackerParty, "sends nonsense");
  network.inject(std::move(packet));
}

}  // namespace mip6::simulation
