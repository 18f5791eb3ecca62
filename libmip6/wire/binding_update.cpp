// Binding Update (RFC 6275 section 6.1.7).
#include "libmip6/wire/codec.hpp"
#include "libmip6/wire/options.hpp"

namespace mip6 {
namespace {

constexpr std::uint8_t kAcknowledgeBit = 0x80;
constexpr std::uint8_t kHomeRegistrationBit = 0x40;
constexpr std::uint8_t kLinkLocalBit = 0x20;
constexpr std::uint8_t kKeyMobilityBit = 0x10;

}  // namespace

BindingUpdate parse_binding_update(Reader& in) {
  BindingUpdate update;
  update.sequence = SequenceNumber{in.u16()};
  const std::uint8_t flags = in.u8();
  update.acknowledge = (flags & kAcknowledgeBit) != 0;
  update.home_registration = (flags & kHomeRegistrationBit) != 0;
  update.link_local = (flags & kLinkLocalBit) != 0;
  update.key_mobility = (flags & kKeyMobilityBit) != 0;
  in.skip(1);
  update.lifetime = lifetime_of(in.u16());
  update.options = parse_options(in);
  return update;
}

void write(const BindingUpdate& update, Writer& out) {
  out.u16(update.sequence.value());
  std::uint8_t flags = 0;
  if (update.acknowledge) flags |= kAcknowledgeBit;
  if (update.home_registration) flags |= kHomeRegistrationBit;
  if (update.link_local) flags |= kLinkLocalBit;
  if (update.key_mobility) flags |= kKeyMobilityBit;
  out.u8(flags);
  out.u8(0);
  out.u16(lifetime_units(update.lifetime));
  write_options(update.options, out);
}

}  // namespace mip6
