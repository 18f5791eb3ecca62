// The kernel's ESP states of one host, as far as the simulation needs them: which keys protect what leaves, which keys
// open what comes in. They outlive charon, not the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/time.hpp"

namespace mip6::simulation {

enum class Direction : std::uint8_t { kIn, kOut };

// One ESP state. Transport mode by proxy: its addresses are home address and home agent, wherever IKE runs.
struct EspState {
  Direction direction = Direction::kIn;
  std::uint32_t spi = 0;
  std::uint32_t reqid = 0;
  std::uint64_t key = 0;  // the same at both ends of one direction, and nowhere else
  Ipv6Address local;      // of this host's side
  Ipv6Address remote;
  std::int64_t added_at = 0;  // wall clock, seconds; set by add()
  BootTime expires_at = BootTime::max();
  std::uint64_t sent = 0;     // kOut: ESP sequence number of the last packet
  std::uint64_t highest = 0;  // kIn: of the newest packet taken
  std::uint64_t window = 0;   // kIn: bit n: highest - n was taken
  BootTime used_at{};         // last packet
  bool operator==(const EspState&) const = default;
};

// What stands in an ESP packet beside what it protects.
struct EspHeader {
  std::uint32_t spi = 0;
  std::uint64_t key = 0;
  std::uint64_t sequence = 0;
};

class SaDatabase {
 public:
  struct Clocks {
    std::function<BootTime()> boot;
    std::function<std::int64_t()> wall;  // seconds; may jump
  };
  // `anti_replay`: each inbound state takes a sequence number once, and none 64 or more behind the highest.
  explicit SaDatabase(Clocks clocks, bool anti_replay = true);

  void add(EspState state);
  void remove(Direction direction, std::uint32_t spi);  // nothing if it is not there
  void remove_of(std::uint32_t reqid);
  // Those with this reqid between these two addresses, both directions, whose SPI is not in `kept`. Gives their number.
  std::size_t remove_except(std::uint32_t reqid, const Ipv6Address& local, const Ipv6Address& remote,
                            std::span<const std::uint32_t> kept);
  void clear();  // the host was switched off

  // The outbound state that the kernel takes: of those with this reqid between these addresses, the one added last by
  // the wall clock's seconds; among equals the one added last. nullptr: none.
  EspState* outbound(std::uint32_t reqid, const Ipv6Address& local, const Ipv6Address& remote);
  EspState* find(Direction direction, std::uint32_t spi);  // null if it is not there
  // Protects one packet. Only with a state that outbound() or find() gave.
  EspHeader protect(EspState& state);
  // The state that opens a packet with this header; nullptr: no state has the SPI, the keys differ or it is a replay.
  // Whether the state's addresses and reqid are those that a policy asks for is for the caller to check.
  EspState* open(const EspHeader& header);

  bool has(Direction direction, std::uint32_t spi) const;
  BootTime now() const { return clocks_.boot(); }
  // As they are, in the order in which they were added.
  const std::vector<EspState>& states();
  std::size_t count(std::uint32_t reqid, Direction direction);
  // When a packet last came in with this SPI.
  BootTime heard_at(std::uint32_t spi) const;

 private:
  void expire();

  Clocks clocks_;
  bool anti_replay_;
  std::vector<EspState> states_;
  BootTime first_expiry_ = BootTime::max();  // or earlier
};

}  // namespace mip6::simulation
