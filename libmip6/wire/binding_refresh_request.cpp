// Binding Refresh Request (RFC 6275 section 6.1.2).
#include "libmip6/wire/codec.hpp"
#include "libmip6/wire/options.hpp"

namespace mip6 {

BindingRefreshRequest parse_binding_refresh_request(Reader& in) {
  in.skip(2);
  return {parse_options(in)};
}

void write(const BindingRefreshRequest& request, Writer& out) {
  out.u16(0);
  write_options(request.options, out);
}

}  // namespace mip6
