// The external ip6tnl device with its source check, the same on node and home agent. Internal to mnd/linux.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/error.hpp"
#include "mnd/linux/netlink.hpp"
#include "mnd/linux/tunnel_messages.hpp"

namespace mnd::kernel {

// Makes the device, or finds the one that a former process left, with nothing received yet: all is dropped until
// pass() filters are added. The device is down when it is new; bring_up() comes after the filters.
tl::expected<DumpedLink, mip6::Error> ensure_device(NetlinkSocket& socket, const char* name);
tl::expected<void, mip6::Error> bring_up(NetlinkSocket& socket, std::uint32_t interface);

// Empty: there is no such link.
tl::expected<std::optional<DumpedLink>, mip6::Error> find_device(NetlinkSocket& socket, const std::string& name);
// Only a device that is ours by name and kind; with it go its addresses, routes and filters.
tl::expected<void, mip6::Error> remove_device(NetlinkSocket& socket, const char* name);

enum class Harmless { kNothing, kAbsent, kPresent };
// Performs all messages; the first bad answer that is not `harmless` becomes the error.
tl::expected<void, mip6::Error> perform(NetlinkSocket& socket, const std::vector<NetlinkMessage>& messages,
                                        Harmless harmless, const std::string& tried, const std::string& on,
                                        const std::string& remedy = {});

// For steps that are all done, also after one of them failed.
class FirstError {
 public:
  template <typename Value>
  void keep(const tl::expected<Value, mip6::Error>& step) {
    if (!step && result_) result_ = tl::unexpected(step.error());
  }
  const tl::expected<void, mip6::Error>& value() const { return result_; }

 private:
  tl::expected<void, mip6::Error> result_;
};

// Dumps and parses.
template <typename Value>
tl::expected<std::vector<Value>, mip6::Error> list(NetlinkSocket& socket, const NetlinkMessage& request,
                                                   std::optional<Value> (*parse)(const NetlinkMessage&),
                                                   const char* what) {
  const auto dumped = socket.dump(request);
  if (!dumped) return tl::unexpected(netlink_error("list", what, dumped.error()));
  std::vector<Value> values;
  for (const NetlinkMessage& message : *dumped) {
    if (auto value = parse(message)) values.push_back(std::move(*value));
  }
  return values;
}

inline constexpr const char* kFilterRemedy = "modprobe -a cls_flower cls_matchall sch_ingress act_gact";

}  // namespace mnd::kernel
