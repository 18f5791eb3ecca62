// Between icmp_message.cpp and the files of the messages: each parses and writes what follows the Checksum field.
#pragma once

#include "libmip6/wire/icmp_message.hpp"
#include "libmip6/wire/reader.hpp"
#include "libmip6/wire/writer.hpp"

namespace mip6 {

// A failure is kept by the reader; the message then is worth nothing.
IcmpMessage parse_agent_discovery_request(Reader& in);
IcmpMessage parse_agent_discovery_reply(Reader& in);
IcmpMessage parse_prefix_solicitation(Reader& in);
IcmpMessage parse_prefix_advertisement(Reader& in);
IcmpMessage parse_router_advertisement(Reader& in);

void write(const HomeAgentAddressDiscoveryRequest& request, Writer& out);
void write(const HomeAgentAddressDiscoveryReply& reply, Writer& out);
void write(const MobilePrefixSolicitation& solicitation, Writer& out);
void write(const MobilePrefixAdvertisement& advertisement, Writer& out);
void write(const RouterAdvertisement& advertisement, Writer& out);

}  // namespace mip6
