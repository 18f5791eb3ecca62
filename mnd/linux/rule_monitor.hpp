// Tells when the rules of routing change: a VPN that comes up puts its own before all others.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"

namespace mnd::kernel {

class RuleMonitor {
 public:
  // `changed` is called after each batch of notifications about IPv6 rules, also of rules that the caller made, and
  // when some were lost.
  static tl::expected<std::unique_ptr<RuleMonitor>, mip6::Error> open(boost::asio::io_context& loop,
                                                                      std::function<void()> changed);
  ~RuleMonitor();

 private:
  struct Impl;
  explicit RuleMonitor(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with the wait that is pending in the loop
};

}  // namespace mnd::kernel
