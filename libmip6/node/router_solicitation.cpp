#include "libmip6/node/router_solicitation.hpp"

#include <algorithm>
#include <utility>

#include "libmip6/node/backoff.hpp"

namespace mip6::node {

std::vector<std::uint32_t> RouterSolicitation::handle(std::span<const LinkRouters> links, BootTime now) {
  std::vector<std::uint32_t> due;
  const bool first = !std::exchange(told_, true);
  std::erase_if(links_, [&](const auto& known) {
    return std::ranges::find(links, known.first, &LinkRouters::interface) == links.end();
  });
  for (const auto& link : links) {
    Asking& asking = links_[link.interface];
    const bool came_up = link.up && !std::exchange(asking.up, link.up) && !(first && link.reachable);
    const bool lacks = link.up && !link.reachable;
    if (!lacks) asking = Asking{link.up, 0, std::nullopt};
    // A router that was there until now has had all the questions of Neighbor Unreachability Detection just before.
    if (lacks && !came_up && !asking.at) asking.at = now + wait(asking.times++);
    if (!came_up && (!asking.at || now < *asking.at)) continue;
    due.push_back(link.interface);
    if (lacks) asking.at = now + wait(asking.times++);
  }
  return due;
}

// RFC 7559 section 2: a tenth more or less, so that nodes which lost a router together do not ask together.
Duration RouterSolicitation::wait(int times) {
  constexpr std::uint32_t kSteps = 201;
  const auto thousandths = 900 + random_->draw() % kSteps;
  return doubled(kRouterSolicitationInterval, times, kLongestRouterSolicitationInterval) / 1000 * thousandths;
}

void RouterSolicitation::forget() { links_.clear(); }

std::optional<BootTime> RouterSolicitation::next_deadline() const {
  std::optional<BootTime> earliest;
  for (const auto& [interface, asking] : links_)
    if (asking.at && (!earliest || *asking.at < *earliest)) earliest = asking.at;
  return earliest;
}

}  // namespace mip6::node
