// Heartbeat (RFC 5847 section 3.3).
#include "libmip6/wire/heartbeat.hpp"

#include "libmip6/wire/codec.hpp"
#include "libmip6/wire/options.hpp"

namespace mip6 {
namespace {

constexpr std::uint16_t kUnsolicitedBit = 0x0002;
constexpr std::uint16_t kResponseBit = 0x0001;

}  // namespace

Message parse_heartbeat(Reader& in) {
  Heartbeat heartbeat;
  const std::uint16_t flags = in.u16();
  heartbeat.unsolicited = (flags & kUnsolicitedBit) != 0;
  heartbeat.response = (flags & kResponseBit) != 0;
  heartbeat.sequence = in.u32();
  heartbeat.options = parse_options(in);
  return heartbeat;
}

void write(const Heartbeat& heartbeat, Writer& out) {
  std::uint16_t flags = 0;
  if (heartbeat.unsolicited) flags |= kUnsolicitedBit;
  if (heartbeat.response) flags |= kResponseBit;
  out.u16(flags);
  out.u32(heartbeat.sequence);
  write_options(heartbeat.options, out);
}

}  // namespace mip6
