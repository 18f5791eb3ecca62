// Binding Error (RFC 6275 section 6.1.9).
#include "libmip6/wire/codec.hpp"
#include "libmip6/wire/options.hpp"

namespace mip6 {

BindingError parse_binding_error(Reader& in) {
  BindingError error;
  error.status = in.u8();
  in.skip(1);
  error.home_address = in.address();
  error.options = parse_options(in);
  return error;
}

void write(const BindingError& error, Writer& out) {
  out.u8(error.status);
  out.u8(0);
  out.address(error.home_address);
  write_options(error.options, out);
}

}  // namespace mip6
