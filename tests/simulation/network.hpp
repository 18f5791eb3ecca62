// The network: a home link and access links, each behind a router, and what happens to packets on their way.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "libmip6/wire/message.hpp"
#include "tests/simulation/charon_model.hpp"
#include "tests/simulation/faults.hpp"
#include "tests/simulation/sa_database.hpp"
#include "tests/simulation/world.hpp"

namespace mip6::simulation {

// Who made a packet. Carried along for the invariants; no core sees it.
struct Origin {
  Party party;
  std::uint64_t order = 0;  // of Binding Updates: grows with each one sent by anybody
};

struct Packet {
  enum class Kind : std::uint8_t { kMobility, kIcmp, kIke };
  Kind kind = Kind::kMobility;
  Ipv6Address source;       // on the wire
  Ipv6Address destination;  // on the wire
  // Of the home address option towards a home agent, of the type 2 routing header from it.
  std::optional<Ipv6Address> home_address;
  std::optional<EspHeader> esp;
  Bytes bytes;    // Mobility Header or ICMPv6 message
  IkePacket ike;  // of kIke
  Origin origin;
};

inline constexpr std::uint8_t kParameterProblem = 4;  // ICMPv6 type (RFC 4443 section 3.4)

class Network {
 public:
  using Receiver = std::function<void(const Packet&)>;
  // `links`: beside the home link, whose prefix is 2001:db8:1::/64. `watch` sees every packet that is sent.
  Network(World& world, const Faults& faults, int links, std::function<void(const Packet&)> watch);

  // `address` is received by this host from now on; a host that comes later takes it over.
  void attach(const Ipv6Address& address, Receiver receiver);
  void detach(const Ipv6Address& address);

  void send(Packet packet);
  // The same without the attacker's eyes: it is the attacker who sends.
  void inject(Packet packet);

  // Loses the next packet that is one of those, whatever the faults are; with an empty function no more.
  void lose_next(std::function<bool(const Packet&)> one_of_those) { lose_next_ = std::move(one_of_those); }

  // The router of a link (0: the home link) forwards nothing until then.
  void cut(int link, Time until);
  void heal();  // all routers forward
  int links() const { return static_cast<int>(cut_until_.size()); }

 private:
  bool passes(const Packet& packet) const;
  void deliver(const Packet& packet);

  World& world_;
  const Faults& faults_;
  std::function<void(const Packet&)> watch_;
  std::unordered_map<Ipv6Address, Receiver> hosts_;
  std::vector<Time> cut_until_;  // by link
  std::function<bool(const Packet&)> lose_next_;
};

// 2001:db8:1::host on link 0, 2001:db8:a0+link::host on the others.
Ipv6Address address_on(int link, int host);
int link_of(const Ipv6Address& address);
inline const Ipv6Prefix kHomePrefix = *Ipv6Prefix::parse("2001:db8:1::/64");

}  // namespace mip6::simulation
