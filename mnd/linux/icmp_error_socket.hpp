// Hears ICMPv6 Parameter Problems (RFC 4443 section 3.4), which are nobody's word: who sent one is not shown.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"
#include "libmip6/wire/parameter_problem.hpp"

namespace mnd::kernel {

class IcmpErrorSocket {
 public:
  using Received = std::function<void(const mip6::ParameterProblem&)>;
  // Those that arrive at any address of ours; what cannot be parsed is dropped.
  static tl::expected<std::unique_ptr<IcmpErrorSocket>, mip6::Error> open(boost::asio::io_context& loop,
                                                                          Received received);
  virtual ~IcmpErrorSocket() = default;
};

}  // namespace mnd::kernel
