// Between message.cpp and the files of the message families: each parses and writes what follows the Checksum field.
#pragma once

#include "libmip6/wire/message.hpp"
#include "libmip6/wire/reader.hpp"
#include "libmip6/wire/writer.hpp"

namespace mip6 {

// A failure is kept by the reader; the message then is worth nothing.
Message parse_binding_refresh_request(Reader& in);
Message parse_home_test_init(Reader& in);
Message parse_care_of_test_init(Reader& in);
Message parse_home_test(Reader& in);
Message parse_care_of_test(Reader& in);
Message parse_binding_update(Reader& in);
Message parse_binding_acknowledgement(Reader& in);
Message parse_binding_error(Reader& in);
Message parse_home_agent_switch(Reader& in);
Message parse_heartbeat(Reader& in);
Message parse_revocation(Reader& in);  // either message, or unknown if its type is

void write(const BindingRefreshRequest& request, Writer& out);
void write(const HomeTestInit& init, Writer& out);
void write(const CareOfTestInit& init, Writer& out);
void write(const HomeTest& test, Writer& out);
void write(const CareOfTest& test, Writer& out);
void write(const BindingUpdate& update, Writer& out);
void write(const BindingAcknowledgement& acknowledgement, Writer& out);
void write(const BindingError& error, Writer& out);
void write(const HomeAgentSwitch& message, Writer& out);
void write(const Heartbeat& heartbeat, Writer& out);
void write(const BindingRevocationIndication& indication, Writer& out);
void write(const BindingRevocationAcknowledgement& acknowledgement, Writer& out);

}  // namespace mip6
