// Home Agent Switch (RFC 5142 section 4).
#include "libmip6/wire/home_agent_switch.hpp"

#include "libmip6/wire/codec.hpp"
#include "libmip6/wire/options.hpp"

namespace mip6 {
namespace {

constexpr std::size_t kCareOfSize = 16;

}  // namespace

Message parse_home_agent_switch(Reader& in) {
  HomeAgentSwitch message;
  const std::size_t count_offset = in.offset();
  const std::size_t count = in.u8();
  in.skip(1);
  if (count * kCareOfSize > in.remaining()) {
    in.fail_at(count_offset, "more home agent addresses are announced than there is room for");
    return message;
  }
  for (std::size_t i = 0; i < count; ++i) message.home_agents.push_back(in.address());
  message.options = parse_options(in);
  return message;
}

void write(const HomeAgentSwitch& message, Writer& out) {
  out.u8(static_cast<std::uint8_t>(message.home_agents.size()));
  out.u8(0);
  for (const auto& address : message.home_agents) out.address(address);
  write_options(message.options, out);
}

}  // namespace mip6
