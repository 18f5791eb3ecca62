// Whether a private key is that of a certificate; charon says so only when it signs with it, and the peer refuses it.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"

namespace mnd::kernel {

// Both one PEM block. The error has reason and remedy for the file's owner, and nothing of the key.
tl::expected<void, mip6::Error> check_key_of(std::string_view certificate, std::string_view private_key);

}  // namespace mnd::kernel
