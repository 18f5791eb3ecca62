// GET /metrics over HTTP. Who asks may be anybody who can reach the address: nothing of it is trusted, and none can
// hold up the loop or fill the memory.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "examples/home-agent/metrics.hpp"
#include "examples/home-agent/metrics_endpoint.hpp"
#include "libmip6/error.hpp"
#include "libmip6/time.hpp"
#include "mnd/linux/refusals.hpp"

namespace mip6ha {

struct MetricsLimits {
  std::size_t clients = 16;                            // one more closes the oldest
  std::size_t header = 8 * 1024;                       // bytes; there is no body
  mip6::Duration deadline = std::chrono::seconds{10};  // from the first packet to the last
  // Who asks again within this time gets the same text: asking in a loop costs the home agent little.
  mip6::Duration fresh = std::chrono::milliseconds{100};
};

class MetricsServer {
 public:
  using Render = std::function<std::string(MetricsForm form)>;

  // `render` is called from the loop, never after the server is gone.
  static tl::expected<std::unique_ptr<MetricsServer>, mip6::Error> open(boost::asio::io_context& loop,
                                                                        const MetricsEndpoint& endpoint, Render render,
                                                                        const MetricsLimits& limits = {});
  virtual ~MetricsServer() = default;  // closes all connections
  virtual std::uint16_t port() const = 0;
  virtual std::size_t clients() const = 0;  // that are connected
  virtual mnd::kernel::Refusals refusals() const = 0;
};

}  // namespace mip6ha
