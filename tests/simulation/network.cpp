// Loss, duplication, delay, partitions. See network.hpp.
#include "tests/simulation/network.hpp"

#include <memory>

namespace mip6::simulation {

Ipv6Address address_on(int link, int host) {
  Ipv6Address address;
  address.bytes[0] = 0x20;
  address.bytes[1] = 0x01;
  address.bytes[2] = 0x0d;
  address.bytes[3] = 0xb8;
  address.bytes[5] = static_cast<std::uint8_t>(link == 0 ? 1 : 0xa0 + link);
  address.bytes[14] = static_cast<std::uint8_t>(host >> 8);
  address.bytes[15] = static_cast<std::uint8_t>(host);
  return address;
}

int link_of(const Ipv6Address& address) { return address.bytes[5] == 1 ? 0 : address.bytes[5] - 0xa0; }

Network::Network(World& world, const Faults& faults, int links, std::function<void(const Packet&)> watch)
    : world_{world},
      faults_{faults},
      watch_{std::move(watch)},
      cut_until_(static_cast<std::size_t>(links) + 1, Time::min()) {}

void Network::attach(const Ipv6Address& address, Receiver receiver) { hosts_[address] = std::move(receiver); }

void Network::detach(const Ipv6Address& address) { hosts_.erase(address); }

void Network::send(Packet packet) {
  watch_(packet);
  inject(std::move(packet));
}

void Network::inject(Packet packet) {
  if (lose_next_ && lose_next_(packet)) {
    lose_next_ = nullptr;
    return;
  }
  const bool duplicated = world_.chance.percent(faults_.duplicate);
  const bool lost = world_.chance.percent(faults_.loss);
  if (!passes(packet) || (lost && !duplicated)) return;
  const auto shared = std::make_shared<const Packet>(std::move(packet));
  for (int copies = duplicated && !lost ? 2 : 1; copies > 0; --copies)
    world_.later(1ms + world_.chance.time(faults_.delay), [this, shared] { deliver(*shared); });
}

void Network::deliver(const Packet& packet) {
  if (!passes(packet)) return;
  const auto host = hosts_.find(packet.destination);
  if (host == hosts_.end()) return;
  // A copy: the host may move away while it handles the packet.
  const Receiver receiver = host->second;
  receiver(packet);
}

void Network::cut(int link, Time until) { cut_until_[static_cast<std::size_t>(link)] = until; }

void Network::heal() { std::fill(cut_until_.begin(), cut_until_.end(), Time::min()); }

bool Network::passes(const Packet& packet) const {
  const int from = link_of(packet.source);
  const int to = link_of(packet.destination);
  if (from == to) return true;
  const auto open = [&](int link) {
    return link < 0 || link >= links() || cut_until_[static_cast<std::size_t>(link)] <= world_.now;
  };
  return open(from) && open(to);
}

}  // namespace mip6::simulation
