// Mobility options (RFC 6275 section 6.2) to bytes and back; what each looks like stands in one table in options.cpp.
#pragma once

#include "libmip6/wire/mobility_option.hpp"
#include "libmip6/wire/reader.hpp"
#include "libmip6/wire/writer.hpp"

namespace mip6 {

// Reads options to the end of the message; padding is dropped, options of unknown type are kept as bytes.
MobilityOptions parse_options(Reader& in);

// Writes the options and pads to a multiple of 8 octets. Options are aligned, unless a message that a less careful
// sender had packed tighter would then no longer fit in a Mobility Header.
// Binding Authorization Data, if there, must be the last of `options`.
void write_options(const MobilityOptions& options, Writer& out);

// Units of 4 seconds on the wire: rounded down, and limited to what 16 bits hold.
std::uint16_t lifetime_units(Lifetime lifetime);
Lifetime lifetime_of(std::uint16_t units);

}  // namespace mip6
