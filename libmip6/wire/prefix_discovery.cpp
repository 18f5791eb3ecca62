// Mobile Prefix Solicitation and Advertisement (RFC 6275 sections 6.7 and 6.8).
#include "libmip6/wire/prefix_discovery.hpp"

#include "libmip6/wire/icmp_codec.hpp"
#include "libmip6/wire/neighbor_options.hpp"

namespace mip6 {

IcmpMessage parse_prefix_solicitation(Reader& in) {
  MobilePrefixSolicitation solicitation;
  solicitation.identifier = in.u16();
  in.skip(2);
  while (next_option(in)) continue;  // none is known, but each has to be well-formed
  return solicitation;
}

IcmpMessage parse_prefix_advertisement(Reader& in) {
  MobilePrefixAdvertisement advertisement;
  advertisement.identifier = in.u16();
  const std::uint8_t flags = in.u8();
  advertisement.managed = (flags & kManagedBit) != 0;
  advertisement.other = (flags & kOtherBit) != 0;
  in.skip(1);
  while (const auto option = next_option(in)) {
    if (!option->is(kPrefixInformationType, kPrefixInformationSize)) continue;
    if (const auto prefix = parse_prefix_information(option->data)) advertisement.prefixes.push_back(*prefix);
  }
  return advertisement;
}

void write(const MobilePrefixSolicitation& solicitation, Writer& out) {
  out.u16(solicitation.identifier);
  out.u16(0);
}

void write(const MobilePrefixAdvertisement& advertisement, Writer& out) {
  out.u16(advertisement.identifier);
  std::uint8_t flags = 0;
  if (advertisement.managed) flags |= kManagedBit;
  if (advertisement.other) flags |= kOtherBit;
  out.u8(flags);
  out.u8(0);
  for (const auto& prefix : advertisement.prefixes) write(prefix, out);
}

}  // namespace mip6
