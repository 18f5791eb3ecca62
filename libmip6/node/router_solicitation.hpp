// When routers are asked for (RFC 4861 section 6.3.7, RFC 7559): a core without I/O. The kernel asks, too, but waits up
// to a second after a link came up, asks three times only, and not at all where an old default route has survived.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "libmip6/random.hpp"
#include "libmip6/time.hpp"

namespace mip6::node {

inline constexpr Duration kRouterSolicitationInterval = std::chrono::seconds{4};       // RFC 4861 section 10
inline constexpr Duration kLongestRouterSolicitationInterval = std::chrono::hours{1};  // RFC 7559

struct LinkRouters {
  std::uint32_t interface = 0;
  bool up = false;         // administratively up and with carrier
  bool reachable = false;  // it has a default router that is not known to be unreachable
};

class RouterSolicitation {
 public:
  explicit RouterSolicitation(Random& random) : random_{&random} {}  // `random` outlives this

  // The links that care-of addresses may come from, all of them each time; returns the interfaces on which a Router
  // Solicitation is to be sent now. One when a link has come up, or comes new; further ones after 4 seconds, and twice
  // as long each time, as long as no router can be reached. None on links that are sound when the first call tells
  // them. `now` never goes back.
  std::vector<std::uint32_t> handle(std::span<const LinkRouters> links, BootTime now);
  void forget();                                  // as if all links came up: the machine has slept
  std::optional<BootTime> next_deadline() const;  // handle() again; empty: nothing to wait for

 private:
  struct Asking {
    bool up = false;
    int times = 0;               // asked in a row
    std::optional<BootTime> at;  // the next time
  };
  Duration wait(int times);

  Random* random_;
  std::map<std::uint32_t, Asking> links_;
  bool told_ = false;
};

}  // namespace mip6::node
