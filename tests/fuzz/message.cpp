// Fuzz target: any bytes as a Mobility Header. What parses is written, and that parses to an equal message.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "libmip6/wire/message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = mip6::parse_message({data, size});
  if (!message) {
    if (message.error().offset > size || message.error().reason.empty()) std::abort();
    return 0;
  }
  if (const auto* acknowledgement = std::get_if<mip6::BindingAcknowledgement>(&*message))
    if (mip6::name_of(acknowledgement->status).empty()) std::abort();
  const auto written = mip6::write_message(*message);
  const auto again = mip6::parse_message(written);
  if (!again || *again != *message) std::abort();
  // What we write is canonical: writing it again gives the same bytes.
  if (mip6::write_message(*again) != written) std::abort();
  return 0;
}
