// Between message.cpp and the files of the message families: each parses and writes what follows the Checksum field.
#pragma once

#include "libmip6/wire/message.hpp"
#include "libmip6/wire/reader.hpp"
#include "libmip6/wire/writer.hpp"

namespace mip6 {

BindingRefreshRequest parse_binding_refresh_request(Reader& in);
BindingUpdate parse_binding_update(Reader& in);
BindingAcknowledgement parse_binding_acknowledgement(Reader& in);
BindingError parse_binding_error(Reader& in);

void write(const BindingRefreshRequest& request, Writer& out);
void write(const BindingUpdate& update, Writer& out);
void write(const BindingAcknowledgement& acknowledgement, Writer& out);
void write(const BindingError& error, Writer& out);

}  // namespace mip6
